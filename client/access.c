#include "access.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "inlets_cidr.h"
#include "inlets_error.h"
#include "inlets_protocol.h"


/* What the edge takes. */
#define BASIC_MAX   16
#define RANGES_MAX  64
#define RULES_MAX   (INLETS_LOGIN_MAX - 4096)   /* as a part of the login */


/* The next item from *pos on, of those between the letters of ends. */

static const char *
next_item(const char *list, size_t *pos, const char *ends, size_t *ret_len)
{
    const char  *item;

    if (list == NULL) {
        return NULL;
    }

    *pos += strspn(list + *pos, ends);
    item = list + *pos;
    *ret_len = strcspn(item, ends);
    *pos += *ret_len;

    return *ret_len != 0 ? item : NULL;
}


/* What is wrong is not shown: it is a secret. */

static int
check_basic(const struct inlets_access_conf *access, bool tcp, char *why)
{
    size_t       pos = 0, len, n = 0;
    const char  *item, *fault;

    while ((item = next_item(access->basic, &pos, "\r\n", &len)) != NULL) {
        fault = inlets_value_pair_fault(item, len);
        n++;

        if (fault != NULL) {
            snprintf(why, INLETS_WHY_MAX, "basic auth %zu %s", n, fault);
            return INLETS_E_INVALID;
        }
    }

    if (n > BASIC_MAX) {
        snprintf(why, INLETS_WHY_MAX, "at most %d users can be given for "
                 "basic auth", BASIC_MAX);
        return INLETS_E_INVALID;
    }

    if (n == 0 && access->basic != NULL) {
        snprintf(why, INLETS_WHY_MAX, "basic auth names no user: all visitors "
                 "would be let in");
        return INLETS_E_INVALID;
    }

    if (n > 0 && tcp) {
        snprintf(why, INLETS_WHY_MAX, "basic auth is only for http tunnels");
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_ranges(const char *list, const char *name, char *why)
{
    struct inlets_cidr  cidr;
    size_t              pos = 0, len, n = 0;
    const char         *item;

    while ((item = next_item(list, &pos, ", \n", &len)) != NULL) {

        if (inlets_cidr_parse(item, len, &cidr) != INLETS_OK) {
            snprintf(why, INLETS_WHY_MAX, "%s must be an address or a range "
                     "such as 10.0.0.0/8, not \"%.*s\"", name, (int) len,
                     item);
            return INLETS_E_INVALID;
        }

        n++;
    }

    if (n == 0 && list != NULL) {
        snprintf(why, INLETS_WHY_MAX, "%s is empty", name);
        return INLETS_E_INVALID;
    }

    if (n > RANGES_MAX) {
        snprintf(why, INLETS_WHY_MAX, "%s can be given at most %d times", name,
                 RANGES_MAX);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_length(const struct inlets_access_conf *access, char *why)
{
    cJSON   *object = cJSON_CreateObject();
    char    *text = NULL;
    size_t   len = 0;

    if (object != NULL && inlets_access_add(object, access)) {
        text = cJSON_PrintUnformatted(object);
    }

    cJSON_Delete(object);

    if (text != NULL) {
        len = strlen(text);
        OPENSSL_cleanse(text, len);
        cJSON_free(text);
    }

    if (len == 0) {
        snprintf(why, INLETS_WHY_MAX, "no memory");
        return INLETS_E_NO_MEMORY;
    }

    if (len > RULES_MAX) {
        snprintf(why, INLETS_WHY_MAX, "the rules for visitors are too long: "
                 "%zu bytes for the edge, of at most %d", len, RULES_MAX);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


int
inlets_access_check(const struct inlets_access_conf *access, bool tcp,
    char why[INLETS_WHY_MAX])
{
    int  rc;

    rc = check_basic(access, tcp, why);

    if (rc == INLETS_OK) {
        rc = check_ranges(access->allow, "allow-ip", why);
    }

    if (rc == INLETS_OK) {
        rc = check_ranges(access->deny, "deny-ip", why);
    }

    if (rc == INLETS_OK) {
        rc = check_length(access, why);
    }

    return rc;
}


bool
inlets_access_given(const struct inlets_access_conf *access)
{
    return access->basic != NULL || access->allow != NULL
           || access->deny != NULL;
}


static cJSON *
make_text(const char *text, size_t len)
{
    char    copy[INLETS_PAIR_MAX + 1];
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
add_basic(cJSON *object, const struct inlets_access_conf *access)
{
    size_t       pos = 0, len;
    const char  *item;
    cJSON       *list;

    if (access->basic == NULL) {
        return true;
    }

    list = cJSON_AddArrayToObject(object, "basic");

    while ((item = next_item(access->basic, &pos, "\r\n", &len)) != NULL) {
        if (!add_pair(list, item, len)) {
            return false;
        }
    }

    return list != NULL
           && cJSON_AddBoolToObject(object, "passAuth", access->pass_auth)
              != NULL;
}


static bool
add_ranges(cJSON *object, const char *name, const char *from)
{
    size_t       pos = 0, len;
    const char  *item;
    cJSON       *list;

    if (from == NULL) {
        return true;
    }

    list = cJSON_AddArrayToObject(object, name);

    while ((item = next_item(from, &pos, ", \n", &len)) != NULL) {
        if (!cJSON_AddItemToArray(list, make_text(item, len))) {
            return false;
        }
    }

    return list != NULL;
}


bool
inlets_access_add(cJSON *object, const struct inlets_access_conf *access)
{
    cJSON  *item;

    if (!inlets_access_given(access)) {
        return true;
    }

    item = cJSON_AddObjectToObject(object, "access");

    return item != NULL && add_basic(item, access)
           && add_ranges(item, "allow", access->allow)
           && add_ranges(item, "deny", access->deny);
}
