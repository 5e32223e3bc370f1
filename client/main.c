#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "forward.h"
#include "options.h"
#include "server.h"


int
main(int argc, char **argv)
{
    struct inlets_options  options;
    int                    status = EXIT_FAILURE;

    if (argc > 1 && strcmp(argv[1], "forward") == 0) {
        return inlets_forward_main(argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "server") == 0) {
        return inlets_server_main(argc - 1, argv + 1);
    }

    switch (inlets_options_parse(argc, argv, &options)) {

    case INLETS_OPTIONS_RUN:
        status = inlets_client_run(&options);
        break;

    case INLETS_OPTIONS_DONE:
        status = EXIT_SUCCESS;
        break;

    case INLETS_OPTIONS_ERROR:
        break;
    }

    inlets_options_finish(&options);

    return status;
}
