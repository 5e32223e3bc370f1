#include <stddef.h>

#include "command.h"


int
main(int argc, char **argv)
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
