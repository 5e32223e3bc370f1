#include "term.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>


static bool
is_set(const char *name)
{
    const char  *value = getenv(name);

    return value != NULL && value[0] != '\0';
}


bool
inlets_term_is_capable(int fd)
{
    return isatty(fd) && is_set("TERM") && strcmp(getenv("TERM"), "dumb") != 0;
}


bool
inlets_term_has_colour(int fd)
{
    return !is_set("NO_COLOR") && inlets_term_is_capable(fd);
}


bool
inlets_term_has_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}


bool
inlets_term_is_ours(int fd)
{
    pid_t  group = tcgetpgrp(fd);

    /*
     * -1: not the terminal that controls us; 0: a group of another container.
     * Nobody else is known to write there.
     */

    return group <= 0 || group == getpgrp();
}


bool
inlets_term_wraps(void)
{
    const char  *term = getenv("TERM");

    if (is_set("TMUX")) {
        return true;
    }

    return !is_set("XTERM_VERSION")
           && (term == NULL
               || (strncmp(term, "rxvt", 4) != 0
                   && strcmp(term, "linux") != 0));
}


void
inlets_term_size(int fd, unsigned *ret_width, unsigned *ret_height)
{
    struct winsize  size;

    *ret_width = 80;
    *ret_height = 24;

    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
        && size.ws_row > 0)
    {
        *ret_width = size.ws_col;
        *ret_height = size.ws_row;
    }
}
