#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inlets_error.h"


#define CHUNK          16384
#define PATIENCE       1000     /* ms, with who reads it */
#define LOOK_INTERVAL  20       /* ms, for the last lines */
#define LOOKS          50


/*
 * What nobody reads is lost: nginx is not to wait for it.  There is room for
 * PIPE_BUF bytes at least when poll() says so.  False: it was not read.
 */

static bool
write_all(const char *buf, size_t len, bool patient)
{
    struct pollfd  pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };

    while (len > 0) {
        ssize_t  n;

        if (poll(&pfd, 1, patient ? PATIENCE : 0) <= 0) {
            return false;
        }

        patient = true;
        n = write(STDOUT_FILENO, buf, len < PIPE_BUF ? len : PIPE_BUF);

        if (n > 0) {
            buf += n;
            len -= (size_t) n;

        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            return false;
        }
    }

    return true;
}


/* Until nobody has it open for writing, signals being blocked. */

static _Noreturn void
copy(int fd)
{
    bool  reads = true;
    char  buf[CHUNK];

    (void) setpgid(0, 0);

    for ( ;; ) {
        ssize_t  n = read(fd, buf, sizeof(buf));

        if (n > 0) {
            reads = write_all(buf, (size_t) n, reads);

        } else if (n == 0 || errno != EINTR) {
            _exit(0);
        }
    }
}


int
inlets_server_output_start(struct inlets_server_output *out,
    const char *folder)
{
    char  path[PATH_MAX + 32];
    int   fd = -1;

    snprintf(path, sizeof(path), "%s/" INLETS_SERVER_ACCESS, folder);

    /* the second one is there to write to as long as nginx may be */

    if (mkfifo(path, 0600) != 0
        || (fd = open(path, O_RDONLY|O_NONBLOCK|O_CLOEXEC)) < 0
        || (out->fd = open(path, O_WRONLY|O_CLOEXEC)) < 0
        || fcntl(fd, F_SETFL, 0) != 0)
    {
        goto failed;
    }

    (void) fflush(NULL);

    out->pid = fork();

    if (out->pid < 0) {
        goto failed;
    }

    if (out->pid == 0) {
        close(out->fd);
        copy(fd);
    }

    close(fd);

    return INLETS_OK;

failed:

    inlets_log_fatal("\"%s\": %s", path, strerror(errno));

    if (fd >= 0) {
        close(fd);
    }

    return INLETS_E_INVALID;
}


void
inlets_server_output_stop(struct inlets_server_output *out)
{
    const struct timespec  pause = { .tv_nsec = LOOK_INTERVAL * 1000000L };

    if (out->fd >= 0) {
        close(out->fd);
    }

    if (out->pid <= 0) {
        return;
    }

    for (int i = 0; i < LOOKS; i++) {
        if (waitpid(out->pid, NULL, WNOHANG) != 0) {
            return;
        }

        (void) nanosleep(&pause, NULL);
    }

    (void) kill(out->pid, SIGKILL);
    (void) waitpid(out->pid, NULL, 0);
}
