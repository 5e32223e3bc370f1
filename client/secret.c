#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "inlets_error.h"
#include "log.h"


static int
read_all(int fd, char *buf, size_t size, size_t *ret_len)
{
    size_t  len = 0;

    while (len < size) {
        ssize_t  n = read(fd, buf + len, size - len);

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }

            return errno;
        }

        if (n == 0) {
            break;
        }

        len += (size_t) n;
    }

    *ret_len = len;

    return 0;
}


/* NULL, or what is wrong with the text. */

static const char *
trim(char *text, size_t *len, size_t size)
{
    size_t  n = *len;

    if (n == size) {
        return "it is too long";
    }

    if (n > 0 && text[n - 1] == '\n') {
        n--;
    }

    if (n > 0 && text[n - 1] == '\r') {
        n--;
    }

    if (n == 0) {
        return "it is empty";
    }

    if (memchr(text, '\0', n) != NULL) {
        return "it is not text";
    }

    text[n] = '\0';
    *len = n;

    return NULL;
}


int
inlets_secret_load(const char *path, const struct inlets_secret_how *how,
    char *ret, size_t size, char why[INLETS_SECRET_WHY])
{
    const char  *fault;
    size_t       len = 0;
    int          fd, err;

    /* a pipe that nobody writes into would stop the loop */

    fd = open(path, O_RDONLY|O_CLOEXEC|(how->wait ? 0 : O_NONBLOCK));

    if (fd < 0) {
        snprintf(why, INLETS_SECRET_WHY, "cannot read %s \"%s\": %s",
                 how->what, path, strerror(errno));
        return INLETS_E_INVALID;
    }

    err = read_all(fd, ret, size, &len);
    close(fd);

    fault = err != 0 ? strerror(err) : trim(ret, &len, size);

    if (fault == NULL && !how->lines && memchr(ret, '\n', len) != NULL) {
        fault = "it is not a single line of text";
    }

    if (fault != NULL) {
        OPENSSL_cleanse(ret, size);
        snprintf(why, INLETS_SECRET_WHY, "cannot use %s \"%s\": %s",
                 how->what, path, fault);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


int
inlets_secret_read(const char *path, const char *what, char *ret, size_t size)
{
    const struct inlets_secret_how  how = { .what = what, .wait = true };

    char  why[INLETS_SECRET_WHY];
    int   rc;

    rc = inlets_secret_load(path, &how, ret, size, why);

    if (rc != INLETS_OK) {
        inlets_log_fatal("%s", why);
    }

    return rc;
}


void
inlets_secret_hide(char *argument)
{
    size_t  len = strlen(argument);

    if (len == 0) {
        return;
    }

    OPENSSL_cleanse(argument, len);
    memcpy(argument, "x", 1);
}
