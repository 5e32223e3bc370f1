#include "access.h"

#include <string.h>

#include <openssl/crypto.h>

#include "inlets_cidr.h"
#include "inlets_error.h"
#include "inlets_protocol.h"
#include "log.h"
#include "secret.h"


/* What the edge takes. */
#define BASIC_MAX   16
#define RANGES_MAX  64
#define PAIR_MAX    512     /* "user:password" */
#define RULES_MAX   (INLETS_LOGIN_MAX - 4096)   /* as a part of the login */


/* The next item from *pos on, of those between the letters of ends. */

static const char *
next_item(const struct inlets_arg_list *list, size_t *pos, const char *ends,
    size_t *ret_len)
{
    const char  *item;

    *pos += strspn(list->text + *pos, ends);
    item = list->text + *pos;
    *ret_len = strcspn(item, ends);
    *pos += *ret_len;

    return *ret_len != 0 ? item : NULL;
}


static int
read_file(struct inlets_options *o)
{
    struct inlets_arg_list  *list = &o->basic_auth;
    size_t                   len = list->len;
    int                      rc;

    if (len + 2 > sizeof(list->text)) {
        inlets_log_fatal("too much of --basic-auth");
        return INLETS_E_INVALID;
    }

    list->text[len++] = '\n';

    rc = inlets_secret_read_lines(o->basic_auth_file, "basic auth file",
                                  list->text + len, sizeof(list->text) - len);

    if (rc < 0) {
        list->text[list->len] = '\0';
        return rc;
    }

    list->len = len + strlen(list->text + len);

    return INLETS_OK;
}


/* What is wrong is not shown: it is a secret. */

static int
check_basic(const struct inlets_options *o)
{
    size_t       pos = 0, len, n = 0;
    const char  *item;

    while ((item = next_item(&o->basic_auth, &pos, "\r\n", &len)) != NULL) {
        const char  *colon = memchr(item, ':', len);

        if (colon == NULL || colon == item || len > PAIR_MAX) {
            inlets_log_fatal("basic auth %zu must be user:password, of at most "
                             "%d bytes", n + 1, PAIR_MAX);
            return INLETS_E_INVALID;
        }

        for (size_t i = 0; i < len; i++) {
            if ((unsigned char) item[i] < 0x20 || item[i] == 0x7f) {
                inlets_log_fatal("basic auth %zu has a control character",
                                 n + 1);
                return INLETS_E_INVALID;
            }
        }

        n++;
    }

    if (n > BASIC_MAX) {
        inlets_log_fatal("at most %d users can be given for basic auth",
                         BASIC_MAX);
        return INLETS_E_INVALID;
    }

    if (n == 0 && (o->basic_auth.len != 0 || o->basic_auth_file != NULL)) {
        inlets_log_fatal("basic auth names no user: all visitors would be let "
                         "in");
        return INLETS_E_INVALID;
    }

    if (n > 0 && o->tcp) {
        inlets_log_fatal("basic auth is only for http tunnels");
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_ranges(const struct inlets_arg_list *list, const char *name)
{
    struct inlets_cidr  cidr;
    size_t              pos = 0, len, n = 0;
    const char         *item;

    while ((item = next_item(list, &pos, ", \n", &len)) != NULL) {

        if (inlets_cidr_parse(item, len, &cidr) != INLETS_OK) {
            inlets_log_fatal("--%s must be an address or a range such as "
                             "10.0.0.0/8, not \"%.*s\"", name, (int) len, item);
            return INLETS_E_INVALID;
        }

        n++;
    }

    if (n == 0 && list->len != 0) {
        inlets_log_fatal("--%s is empty", name);
        return INLETS_E_INVALID;
    }

    if (n > RANGES_MAX) {
        inlets_log_fatal("--%s can be given at most %d times", name,
                         RANGES_MAX);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_length(const struct inlets_options *o)
{
    cJSON   *object = cJSON_CreateObject();
    char    *text = NULL;
    size_t   len = 0;

    if (object != NULL && inlets_access_add(object, o)) {
        text = cJSON_PrintUnformatted(object);
    }

    cJSON_Delete(object);

    if (text != NULL) {
        len = strlen(text);
        OPENSSL_cleanse(text, len);
        cJSON_free(text);
    }

    if (len == 0) {
        inlets_log_fatal("no memory");
        return INLETS_E_NO_MEMORY;
    }

    if (len > RULES_MAX) {
        inlets_log_fatal("the rules for visitors are too long: %zu bytes for "
                         "the edge, of at most %d", len, RULES_MAX);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


int
inlets_access_check(struct inlets_options *options)
{
    int  rc;

    if (options->basic_auth_file != NULL) {
        rc = read_file(options);

        if (rc != INLETS_OK) {
            return rc;
        }
    }

    rc = check_basic(options);

    if (rc == INLETS_OK) {
        rc = check_ranges(&options->allow_ip, "allow-ip");
    }

    if (rc == INLETS_OK) {
        rc = check_ranges(&options->deny_ip, "deny-ip");
    }

    if (rc == INLETS_OK) {
        rc = check_length(options);
    }

    return rc;
}


bool
inlets_access_given(const struct inlets_options *options)
{
    return options->basic_auth.len != 0 || options->allow_ip.len != 0
           || options->deny_ip.len != 0;
}


static cJSON *
make_text(const char *text, size_t len)
{
    char    copy[PAIR_MAX + 1];
    cJSON  *item;

    memcpy(copy, text, len);
    copy[len] = '\0';

    item = cJSON_CreateString(copy);

    OPENSSL_cleanse(copy, len);

    return item;
}


static bool
add_pair(cJSON *list, const char *item, size_t len)
{
    const char  *colon = memchr(item, ':', len);
    size_t       user;
    cJSON       *pair = cJSON_CreateObject();

    if (colon == NULL || !cJSON_AddItemToArray(list, pair)) {
        cJSON_Delete(pair);
        return false;
    }

    user = (size_t) (colon - item);

    return cJSON_AddItemToObject(pair, "username", make_text(item, user))
           && cJSON_AddItemToObject(pair, "password",
                                    make_text(colon + 1, len - user - 1));
}


static bool
add_basic(cJSON *access, const struct inlets_options *o)
{
    size_t       pos = 0, len;
    const char  *item;
    cJSON       *list;

    if (o->basic_auth.len == 0) {
        return true;
    }

    list = cJSON_AddArrayToObject(access, "basic");

    while ((item = next_item(&o->basic_auth, &pos, "\r\n", &len)) != NULL) {
        if (!add_pair(list, item, len)) {
            return false;
        }
    }

    return list != NULL
           && cJSON_AddBoolToObject(access, "passAuth", o->pass_auth) != NULL;
}


static bool
add_ranges(cJSON *access, const char *name, const struct inlets_arg_list *from)
{
    size_t       pos = 0, len;
    const char  *item;
    cJSON       *list;

    if (from->len == 0) {
        return true;
    }

    list = cJSON_AddArrayToObject(access, name);

    while ((item = next_item(from, &pos, ", \n", &len)) != NULL) {
        if (!cJSON_AddItemToArray(list, make_text(item, len))) {
            return false;
        }
    }

    return list != NULL;
}


bool
inlets_access_add(cJSON *object, const struct inlets_options *options)
{
    cJSON  *access;

    if (!inlets_access_given(options)) {
        return true;
    }

    access = cJSON_AddObjectToObject(object, "access");

    return access != NULL && add_basic(access, options)
           && add_ranges(access, "allow", &options->allow_ip)
           && add_ranges(access, "deny", &options->deny_ip);
}
