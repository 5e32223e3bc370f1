#include "secret.h"

#include <errno.h>
#include <fcntl.h>
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


static int
read_text(const char *path, const char *what, char *ret, size_t size,
    size_t *ret_len)
{
    const char  *fault = NULL;
    size_t       len = 0;
    int          fd, err;

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd < 0) {
        inlets_log_fatal("cannot read %s \"%s\": %s", what, path,
                         strerror(errno));
        return INLETS_E_INVALID;
    }

    err = read_all(fd, ret, size, &len);
    close(fd);

    if (err != 0) {
        fault = strerror(err);

    } else if (len == size) {
        fault = "it is too long";

    } else {
        if (len > 0 && ret[len - 1] == '\n') {
            len--;
        }

        if (len > 0 && ret[len - 1] == '\r') {
            len--;
        }

        if (len == 0) {
            fault = "it is empty";

        } else if (memchr(ret, '\0', len) != NULL) {
            fault = "it is not text";
        }
    }

    if (fault != NULL) {
        OPENSSL_cleanse(ret, size);
        inlets_log_fatal("cannot use %s \"%s\": %s", what, path, fault);
        return INLETS_E_INVALID;
    }

    ret[len] = '\0';
    *ret_len = len;

    return INLETS_OK;
}


int
inlets_secret_read(const char *path, const char *what, char *ret, size_t size)
{
    size_t  len;
    int     rc;

    rc = read_text(path, what, ret, size, &len);

    if (rc != INLETS_OK) {
        return rc;
    }

    if (memchr(ret, '\n', len) != NULL) {
        OPENSSL_cleanse(ret, size);
        inlets_log_fatal("cannot use %s \"%s\": it is not a single line of "
                         "text", what, path);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


int
inlets_secret_read_lines(const char *path, const char *what, char *ret,
    size_t size)
{
    size_t  len;

    return read_text(path, what, ret, size, &len);
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
