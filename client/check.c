#include "options.h"

#include <stdio.h>


/* Its faults were told when the conf was made. */

enum inlets_options_result
inlets_check_print(const struct inlets_options *options)
{
    size_t  n = options->conf->ntunnels;

    if (options->exposed) {
        fprintf(stderr, "Warning: %s holds secrets, and everyone on this "
                "machine can read it\n", options->config_file);
    }

    if (options->conf->listed) {
        printf("%s: the tunnels that the edge lists, ok\n",
               options->config_file);

    } else {
        printf("%s: %zu tunnel%s, ok\n", options->config_file, n,
               n == 1 ? "" : "s");
    }

    return INLETS_OPTIONS_DONE;
}
