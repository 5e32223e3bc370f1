#include <stdlib.h>
#include "command.h"

int
inlets_completion_main(int argc, char **argv)
{
    (void) argc; (void) argv;
    return EXIT_FAILURE;
}
