#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "inlets_config.h"
#include "inlets_error.h"


#define FILE_MAX      (8 * 1024 * 1024)     /* as of nginx's module */
#define MESSAGES_MAX  1000000               /* all: they are not shown */


enum {
    KEY_DOMAIN = 1,
    KEY_PORT,
    KEY_TOKEN,
    KEY_CLIENTS,
    KEY_PUBLIC,
    KEY_ENABLED
};


/* The module's table has them all; faults of others are no concern here. */

static const struct inlets_config_key  keys[] = {

    { .path = "domain", .type = INLETS_CONFIG_STRING, .id = KEY_DOMAIN,
      .min = 1, .max = INLETS_HOST_MAX },

    { .path = "port", .type = INLETS_CONFIG_INTEGER, .id = KEY_PORT,
      .min = 1, .max = 65535 },

    { .path = "token", .type = INLETS_CONFIG_STRING, .id = KEY_TOKEN,
      .flags = INLETS_CONFIG_SECRET, .min = 1, .max = INLETS_CONFIG_NO_MAX },

    { .path = "tokenFile", .type = INLETS_CONFIG_STRING, .id = KEY_TOKEN,
      .min = 1, .max = PATH_MAX },

    { .path = "clients[]", .type = INLETS_CONFIG_LIST, .id = KEY_CLIENTS },

    { .path = "publicHTTP", .alias = "publicHTTPNoAuth",
      .type = INLETS_CONFIG_MAP, .id = KEY_PUBLIC },

    { .path = "publicHTTP.enabled", .type = INLETS_CONFIG_BOOLEAN,
      .id = KEY_ENABLED }
};


static int
set(void *data, struct inlets_config *config,
    const struct inlets_config_value *v)
{
    struct inlets_server_file  *file = data;
    size_t                      len;

    (void) config;

    switch (v->key->id) {

    case KEY_DOMAIN:
        if (inlets_host_normalize(v->text, v->len, file->domain,
                                  sizeof(file->domain), &len)
            < 0)
        {
            file->domain[0] = '\0';
            file->faults = true;
        }

        break;

    case KEY_PORT:
        file->port = (uint32_t) v->number;
        break;

    case KEY_TOKEN:
        file->token = true;
        break;

    case KEY_CLIENTS:
        if (v->event == INLETS_CONFIG_ENTER && v->item) {
            file->clients = true;
        }

        break;

    case KEY_ENABLED:
        file->public = v->number != 0;
        break;
    }

    return 0;
}


static void
fault(void *data, const struct inlets_config_fault *f)
{
    struct inlets_server_file  *file = data;

    (void) f;

    file->faults = true;
}


static int
read_file(const char *path, char **ret, size_t *ret_len)
{
    struct stat  st;
    const char  *error = NULL;
    char        *buf = NULL;
    size_t       len = 0;
    int          fd;

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0) {
        error = strerror(errno);

    } else if (!S_ISREG(st.st_mode)) {
        error = "it is no regular file";

    } else if (st.st_size > FILE_MAX) {
        error = "it is too long";

    } else if ((buf = malloc((size_t) st.st_size + 1)) == NULL) {
        error = "no memory";
    }

    while (error == NULL && len < (size_t) st.st_size) {
        ssize_t  n = read(fd, buf + len, (size_t) st.st_size - len);

        if (n > 0) {
            len += (size_t) n;

        } else if (n == 0) {
            break;

        } else if (errno != EINTR) {
            error = strerror(errno);
        }
    }

    if (fd >= 0) {
        close(fd);
    }

    if (error != NULL) {
        free(buf);
        inlets_log_fatal("cannot read config file \"%s\": %s", path, error);
        return INLETS_E_INVALID;
    }

    *ret = buf;
    *ret_len = len;

    return INLETS_OK;
}


int
inlets_server_file_read(struct inlets_server_file *file)
{
    struct inlets_config  config = {
        .keys = keys, .nkeys = sizeof(keys) / sizeof(keys[0]),
        .set = set, .fault = fault, .data = file, .max_faults = MESSAGES_MAX
    };

    char   *buf;
    size_t  len;
    int     rc;

    rc = read_file(file->path, &buf, &len);

    if (rc != INLETS_OK) {
        return rc;
    }

    rc = inlets_config_parse(&config, buf, len);

    OPENSSL_cleanse(buf, len);
    free(buf);

    if (rc == INLETS_E_NO_MEMORY) {
        inlets_log_fatal("no memory");
        return rc;
    }

    return INLETS_OK;
}


/* ~ stands for $HOME. */

static bool
exists(const char *name, char ret[PATH_MAX])
{
    const char  *home = getenv("HOME");
    int          n;

    if (*name != '~') {
        n = snprintf(ret, PATH_MAX, "%s", name);

    } else if (home != NULL && *home != '\0') {
        n = snprintf(ret, PATH_MAX, "%s%s", home, name + 1);

    } else {
        return false;
    }

    return n >= 0 && n < PATH_MAX && access(ret, F_OK) == 0;
}


int
inlets_server_file_find(const char *config, char ret[PATH_MAX])
{
    static const char *const  places[] = {
        "./.go-idp/inlets.yaml", "./.inlets.yaml",
        "~/.go-idp/inlets/config.yaml", "~/.config/inlets.yaml",
        "~/.config/inlets.yml", "/etc/go-idp/inlets/config.yaml",
        "/etc/inlets/config.yaml"
    };

    char         place[PATH_MAX];
    const char  *found = NULL;
    int          n = -1;

    if (config != NULL && *config != '\0') {
        found = config;

    } else {
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            if (exists(places[i], place)) {
                found = place;
                break;
            }
        }
    }

    ret[0] = '\0';

    if (found == NULL) {
        return INLETS_OK;
    }

    /* not realpath(): a link may lead to another file later */

    if (*found == '/') {
        n = snprintf(ret, PATH_MAX, "%s", found);

    } else if (getcwd(ret, PATH_MAX) != NULL) {
        size_t  len = strlen(ret);

        found += strncmp(found, "./", 2) == 0 ? 2 : 0;
        n = snprintf(ret + len, PATH_MAX - len, "/%s", found);
        n = n < 0 ? n : n + (int) len;
    }

    if (n < 0 || n >= PATH_MAX) {
        inlets_log_fatal("the path of the config file is too long");
        return INLETS_E_INVALID;
    }

    for (const char *p = ret; *p != '\0'; p++) {
        if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            inlets_log_fatal("the path of the config file has control "
                             "characters");
            return INLETS_E_INVALID;
        }
    }

    return INLETS_OK;
}
