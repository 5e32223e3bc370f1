#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "log.h"


static int
run(int argc, char **argv)
{
    const struct inlets_command  *command = NULL;

    if (argc > 1) {
        command = inlets_command_find(1, argv + 1);
    }

    if (command == NULL) {
        return inlets_top_main(argc, argv);
    }

    return command->run(argc - 1, argv + 1);
}


int
main(int argc, char **argv)
{
    int  status = run(argc, argv);

    /* half of a unit or of a configuration is worse than none */

    if (fflush(stdout) != 0 || ferror(stdout)) {
        inlets_log_fatal("cannot write to standard output: %s",
                         strerror(errno));
        return EXIT_FAILURE;
    }

    return status;
}
