#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "log.h"


/*
 * If they are closed, what is opened next would get their numbers, and then
 * the log.  Who uses one is still told of an error: it is the wrong way round.
 */

static void
occupy_standard(void)
{
    static const int  modes[] = {
        [STDIN_FILENO] = O_WRONLY,
        [STDOUT_FILENO] = O_RDONLY,
        [STDERR_FILENO] = O_RDONLY
    };

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1) {
            (void) open("/dev/null", modes[fd]);
        }
    }
}


static int
run(int argc, char **argv)
{
    const struct inlets_command  *command = NULL;

    if (argc > 1) {
        command = inlets_command_below(inlets_commands[0].name, argv[1]);
    }

    if (command == NULL) {
        return inlets_top_main(argc, argv);
    }

    return command->run(argc - 1, argv + 1);
}


int
main(int argc, char **argv)
{
    int  status;

    occupy_standard();

    status = run(argc, argv);

    /* half of a unit or of a configuration is worse than none */

    if (fflush(stdout) != 0 || ferror(stdout)) {
        inlets_log_fatal("cannot write to standard output: %s",
                         strerror(errno));
        return EXIT_FAILURE;
    }

    return status;
}
