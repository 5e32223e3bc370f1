#include <stdlib.h>

#include "client.h"
#include "options.h"


int
inlets_client_main(int argc, char **argv)
{
    struct inlets_options  options;
    int                    status = EXIT_FAILURE;

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
