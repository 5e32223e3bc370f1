#include "event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "inlets_error.h"
#include "inlets_mux.h"
#include "inlets_protocol.h"
#include "inlets_sign.h"


#define WINDOW_MAX  (4 * 1024 * 1024)
#define KEY_DIGITS  "0123456789abcdefABCDEF"


const char *
inlets_event_text(const cJSON *object, const char *name, const char *preset)
{
    const cJSON  *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : preset;
}


uint64_t
inlets_event_number(const cJSON *object, const char *name, uint64_t min,
    uint64_t max, uint64_t preset)
{
    const cJSON  *item = cJSON_GetObjectItemCaseSensitive(object, name);

    /* also refuses what is not a number: every comparison fails */

    if (!cJSON_IsNumber(item) || !(item->valuedouble >= (double) min)
        || !(item->valuedouble <= (double) max))
    {
        return preset;
    }

    return (uint64_t) item->valuedouble;
}


static char *
print_event(const char *name, cJSON *payload)
{
    cJSON  *array = cJSON_CreateArray();
    char   *text = NULL;

    if (array != NULL && payload != NULL
        && cJSON_AddItemToArray(array, cJSON_CreateString(name)))
    {
        if (cJSON_AddItemToArray(array, payload)) {
            payload = NULL;
            text = cJSON_PrintUnformatted(array);
        }
    }

    cJSON_Delete(payload);
    cJSON_Delete(array);

    return text;
}


/* A connection to the local service is told whose it is. */

static bool
one_visitor(const struct inlets_login *login)
{
    return login->tunnel != NULL && !login->tunnel->tcp
           && login->tunnel->local.proxy_protocol != INLETS_PROXY_OFF;
}


static bool
add_capabilities(cJSON *object, const struct inlets_edge_conf *edge,
    const struct inlets_login *login)
{
    cJSON  *capabilities, *features, *mux;

    capabilities = cJSON_AddObjectToObject(object, "capabilities");
    features = NULL;
    mux = NULL;

    if (cJSON_AddNumberToObject(capabilities, "flags", INLETS_CAP_MUX) != NULL
        && cJSON_AddStringToObject(capabilities, "version",
                                   INLETS_PROTOCOL_V2)
           != NULL)
    {
        features = cJSON_AddObjectToObject(capabilities, "features");
    }

    if (features != NULL) {
        mux = cJSON_AddObjectToObject(features, "mux");
    }

    return mux != NULL
           && cJSON_AddNumberToObject(mux, "version", INLETS_MUX_VERSION)
              != NULL
           && (edge->links == 0     /* the edge knows best */
               || cJSON_AddNumberToObject(mux, "links", edge->links) != NULL)
           && cJSON_AddNumberToObject(mux, "window", WINDOW_MAX) != NULL
           && cJSON_AddTrueToObject(mux, INLETS_MUX_KEY) != NULL
           && (!one_visitor(login)
               || cJSON_AddFalseToObject(mux, INLETS_MUX_REUSE) != NULL);
}


static bool
add_signature(cJSON *object, const struct inlets_edge_conf *edge,
    uint64_t timestamp)
{
    const char  *type = INLETS_AUTH_PUBLIC;
    const char  *secret = INLETS_PUBLIC_SECRET;
    char         message[24], signature[INLETS_SIGN_LEN + 1];
    int          n;

    if (edge->client_id != NULL) {
        type = INLETS_AUTH_CREDENTIALS;
        secret = edge->client_secret;

        if (cJSON_AddStringToObject(object, "clientId", edge->client_id)
            == NULL)
        {
            return false;
        }

    } else if (edge->token != NULL) {
        type = INLETS_AUTH_TOKEN;
        secret = edge->token;
    }

    n = snprintf(message, sizeof(message), "%" PRIu64, timestamp);

    return inlets_sign(secret, strlen(secret), message, (size_t) n, signature)
           == INLETS_OK
           && cJSON_AddNumberToObject(object, "timestamp", (double) timestamp)
              != NULL
           && cJSON_AddStringToObject(object, "authType", type) != NULL
           && cJSON_AddStringToObject(object, "signature", signature) != NULL;
}


static bool
add_tunnel(cJSON *object, const struct inlets_login *login)
{
    const struct inlets_tunnel_conf  *tunnel = login->tunnel;
    bool                              ok;

    ok = cJSON_AddStringToObject(object, "type",
                                 tunnel->tcp ? INLETS_TYPE_TCP
                                             : INLETS_TYPE_HTTP)
         != NULL
         && cJSON_AddNumberToObject(object, "port", tunnel->local.url.port)
            != NULL;

    if (ok && !tunnel->tcp && login->name != NULL) {
        ok = cJSON_AddStringToObject(object, "subDomain", login->name) != NULL;
    }

    if (ok && tunnel->tcp && login->port != 0) {
        ok = cJSON_AddNumberToObject(object, "tunnelPort", login->port) != NULL;
    }

    if (ok && login->resume != NULL) {
        ok = cJSON_AddStringToObject(object, "resume", login->resume) != NULL;
    }

    if (ok && login->child) {
        ok = cJSON_AddTrueToObject(object, "opaqueChild") != NULL;
    }

    return ok && inlets_access_add(object, &tunnel->access);
}


static bool
add_wishes(cJSON *object, const struct inlets_login *login)
{
    if (cJSON_AddStringToObject(object, "version", INLETS_PROTOCOL_V2)
        == NULL)
    {
        return false;
    }

    if (login->tunnel == NULL) {
        return cJSON_AddStringToObject(object, "type", "") != NULL;
    }

    return add_tunnel(object, login);
}


char *
inlets_event_authenticate(const struct inlets_edge_conf *edge,
    const struct inlets_login *login, uint64_t timestamp)
{
    cJSON  *object = cJSON_CreateObject();

    if (object == NULL || !add_wishes(object, login)
        || !add_signature(object, edge, timestamp)
        || !add_capabilities(object, edge, login))
    {
        cJSON_Delete(object);
        return NULL;
    }

    return print_event(INLETS_EVENT_AUTHENTICATE, object);
}


char *
inlets_event_ping(void)
{
    return print_event(INLETS_EVENT_PING, cJSON_CreateNull());
}


static bool
copy_text(char *ret, size_t size, const char *text)
{
    size_t  len = strlen(text);

    if (len >= size) {
        return false;
    }

    memcpy(ret, text, len + 1);

    return true;
}


bool
inlets_event_welcome(const cJSON *payload, struct inlets_welcome *ret,
    const char **ret_message)
{
    const cJSON  *config, *negotiated, *features, *mux;
    uint64_t      flags;

    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(payload, "ok"))) {
        *ret_message = inlets_event_text(payload, "message",
                                         "the edge gave no reason");
        return false;
    }

    memset(ret, 0, sizeof(*ret));

    if (!copy_text(ret->client_id, sizeof(ret->client_id),
                   inlets_event_text(payload, "clientId", ""))
        || !copy_text(ret->container_id, sizeof(ret->container_id),
                      inlets_event_text(payload, "containerId", ""))
        || !copy_text(ret->url, sizeof(ret->url),
                      inlets_event_text(payload, "url", ""))
        || ret->container_id[0] == '\0')
    {
        *ret_message = "the edge sent an answer with a wrong id or URL";
        return false;
    }

    config = cJSON_GetObjectItemCaseSensitive(payload, "config");
    ret->access = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(config,
                                                                "access"));

    negotiated = cJSON_GetObjectItemCaseSensitive(config,
                                                  "negotiatedCapabilities");

    flags = inlets_event_number(negotiated, "flags", 0, UINT32_MAX, 0);

    features = cJSON_GetObjectItemCaseSensitive(negotiated, "features");
    mux = cJSON_GetObjectItemCaseSensitive(features, "mux");

    ret->mux = (flags & INLETS_CAP_MUX) != 0
               && inlets_event_number(mux, "version", 1, UINT32_MAX,
                                      INLETS_MUX_VERSION)
                  == INLETS_MUX_VERSION;
    ret->links = (uint32_t) inlets_event_number(mux, "links", 1,
                                                INLETS_LINKS_MAX, 1);
    ret->window = (uint32_t) inlets_event_number(mux, "window",
                                                 INLETS_MUX_WINDOW, WINDOW_MAX,
                                                 WINDOW_MAX);

    if (!copy_text(ret->key, sizeof(ret->key),
                   inlets_event_text(mux, INLETS_MUX_KEY, ""))
        || strspn(ret->key, KEY_DIGITS) != strlen(ret->key))
    {
        *ret_message = "the edge sent a wrong key for links";
        return false;
    }

    return true;
}
