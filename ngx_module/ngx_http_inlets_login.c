
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_monitor_impl.h"
#include "ngx_inlets_attempts.h"


#define NGX_HTTP_INLETS_MAX_NUMBER    9007199254740991.0    /* 2^53 - 1 */


/* Members of "access"; NULL: it isn't there. */

typedef struct {
    cJSON                       *basic;
    cJSON                       *allow;
    cJSON                       *deny;
} ngx_http_inlets_access_rules_t;


static ngx_int_t ngx_http_inlets_login_parse(cJSON *json,
    ngx_http_inlets_login_t *login, const char **fault);
static ngx_int_t ngx_http_inlets_login_string(cJSON *json, const char *name,
    size_t max, ngx_str_t *value);
static double ngx_http_inlets_login_number(cJSON *json, const char *name);
static void ngx_http_inlets_login_capabilities(cJSON *json,
    ngx_http_inlets_login_t *login);
static void ngx_http_inlets_login_check(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_login_rules(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    const char **fault);
static ngx_int_t ngx_http_inlets_login_access(
    ngx_http_inlets_login_t *login, ngx_http_inlets_access_rules_t *lists);
static ngx_int_t ngx_http_inlets_login_ingress(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login);
static ngx_int_t ngx_http_inlets_login_basic(
    ngx_http_inlets_monitor_t *monitor, cJSON *list,
    ngx_inlets_rules_t *rules);
static ngx_int_t ngx_http_inlets_login_ranges(cJSON *list,
    ngx_inlets_rules_t *rules,
    ngx_int_t (*add)(ngx_inlets_rules_t *rules, ngx_str_t *text));
static ngx_int_t ngx_http_inlets_login_authenticate(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_login_type(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login);


void
ngx_http_inlets_login(ngx_http_inlets_monitor_t *monitor,
    cJSON *json)
{
    cJSON                    *error;
    ngx_log_t                *log;
    ngx_pool_t               *pool;
    const char               *fault;
    ngx_http_inlets_login_t   login;

    log = monitor->ws.connection->log;

    if (monitor->attempted) {
        error = cJSON_CreateObject();
        cJSON_AddStringToObject(error, "message",
                                "authenticate was sent twice");

        ngx_log_error(NGX_LOG_INFO, log, 0, "client sent authenticate twice");

        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_ERROR, error);
        ngx_http_inlets_ws_finish(&monitor->ws, 0,
                                  "client sent authenticate twice");
        return;
    }

    monitor->attempted = 1;

    if (ngx_http_inlets_login_parse(json, &login, &fault) != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, "%s", fault);
        return;
    }

    monitor->asked = login.auth.client_id;

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE * 8, log);
    if (pool == NULL) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    ngx_http_inlets_login_check(monitor, &login, pool);

    /* it was in the message */

    ngx_str_null(&monitor->asked);

    ngx_destroy_pool(pool);
}


static ngx_int_t
ngx_http_inlets_login_parse(cJSON *json, ngx_http_inlets_login_t *login,
    const char **fault)
{
    double     number;
    cJSON     *item;
    ngx_str_t  resume;

    ngx_memzero(login, sizeof(ngx_http_inlets_login_t));

    *fault = "invalid authenticate message";

    if (!cJSON_IsObject(json)
        || ngx_http_inlets_login_string(json, "type", 64, &login->type)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "version", 32, &login->version)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "subDomain",
                                        NGX_INLETS_MAX_HOST, &login->name)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "authType", 64,
                                        &login->auth.type)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "clientId",
                                        NGX_INLETS_CLIENT_ID,
                                        &login->auth.client_id)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "signature", 256,
                                        &login->auth.signature)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "resume", 64, &resume)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* signed as decimal digits, which a larger number does not give back */

    item = cJSON_GetObjectItemCaseSensitive(json, "timestamp");

    if (!cJSON_IsNumber(item)
        || item->valuedouble < 0
        || item->valuedouble > NGX_HTTP_INLETS_MAX_NUMBER
        || item->valuedouble != (double) (int64_t) item->valuedouble)
    {
        *fault = "invalid timestamp";
        return NGX_ERROR;
    }

    login->auth.timestamp.data = login->timestamp;
    login->auth.timestamp.len = ngx_snprintf(login->timestamp,
                                             NGX_INT64_LEN, "%L",
                                             (int64_t) item->valuedouble)
                                - login->timestamp;

    number = ngx_http_inlets_login_number(json, "tunnelPort");

    if (number < 0 || number > 65535
        || number != (double) (ngx_uint_t) number)
    {
        *fault = "invalid tunnelPort";
        return NGX_ERROR;
    }

    login->port = (ngx_uint_t) number;

    /* only told */

    number = ngx_http_inlets_login_number(json, "port");

    login->upstream = (number >= 0 && number <= 65535) ? (ngx_uint_t) number
                                                       : 0;

    login->opaque = cJSON_IsTrue(
                  cJSON_GetObjectItemCaseSensitive(json, "opaqueChild")) != 0;

    /* a session that can't be named can't be resumed, and that is no fault */

    login->resumes = (inlets_uuid_parse((char *) resume.data, resume.len,
                                        login->resume.data)
                      == INLETS_OK);

    ngx_http_inlets_login_capabilities(json, login);

    item = cJSON_GetObjectItemCaseSensitive(json, "access");
    login->access = cJSON_IsNull(item) ? NULL : item;

    item = cJSON_GetObjectItemCaseSensitive(json, "httpIngressBasic");
    login->ingress = cJSON_IsNull(item) ? NULL : item;

    return NGX_OK;
}


/* Absent is empty.  Control characters would get into the log. */

static ngx_int_t
ngx_http_inlets_login_string(cJSON *json, const char *name, size_t max,
    ngx_str_t *value)
{
    u_char  *p;
    cJSON   *item;

    ngx_str_set(value, "");

    item = cJSON_GetObjectItemCaseSensitive(json, name);

    if (item == NULL || cJSON_IsNull(item)) {
        return NGX_OK;
    }

    if (!cJSON_IsString(item)) {
        return NGX_ERROR;
    }

    value->data = (u_char *) item->valuestring;
    value->len = ngx_strlen(item->valuestring);

    if (value->len > max) {
        return NGX_ERROR;
    }

    for (p = value->data; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static double
ngx_http_inlets_login_number(cJSON *json, const char *name)
{
    cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(json, name);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}


static void
ngx_http_inlets_login_capabilities(cJSON *json, ngx_http_inlets_login_t *login)
{
    cJSON   *capabilities, *features, *mux;
    double   flags;

    capabilities = cJSON_GetObjectItemCaseSensitive(json, "capabilities");
    if (!cJSON_IsObject(capabilities)) {
        return;
    }

    flags = ngx_http_inlets_login_number(capabilities, "flags");

    if (flags < 0 || flags > NGX_HTTP_INLETS_MAX_NUMBER) {
        return;
    }

    login->mux = ((uint64_t) flags & INLETS_CAP_MUX) != 0;

    features = cJSON_GetObjectItemCaseSensitive(capabilities, "features");
    mux = cJSON_GetObjectItemCaseSensitive(features, "mux");

    login->links = ngx_http_inlets_login_number(mux, "links");
    login->window = ngx_http_inlets_login_number(mux, "window");
    login->keyed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(mux,
                                                          INLETS_MUX_KEY));
    login->no_reuse = cJSON_IsFalse(
                    cJSON_GetObjectItemCaseSensitive(mux, INLETS_MUX_REUSE));
}


/* The checks, in the order in which a client may rely on their texts. */

static void
ngx_http_inlets_login_check(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_pool_t *pool)
{
    const char              *fault;
    ngx_http_inlets_text_t   warning;

    if (ngx_strcmp(login->version.data, INLETS_PROTOCOL_V2) < 0
        && ngx_http_inlets_text(&warning, INLETS_WARN_VERSION,
                                login->version.data)
           == NGX_OK)
    {
        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_WARN,
                                 cJSON_CreateString((char *) warning.data));
    }

    login->auth.http = login->type.len == sizeof(INLETS_TYPE_HTTP) - 1
                       && ngx_strcmp(login->type.data, INLETS_TYPE_HTTP) == 0;
    login->auth.has_name = (login->name.len != 0);

    if (ngx_http_inlets_login_authenticate(monitor, login, pool) != NGX_OK) {
        return;
    }

    if (ngx_http_inlets_login_type(monitor, login) != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, INLETS_FAIL_TYPE,
                                       login->type.data);
        return;
    }

    /* plain version 2 and version 1 branch off here */

    if (!login->mux) {
        ngx_http_inlets_monitor_refuse(monitor,
                                       "this edge needs the MUX capability, "
                                       "which the client does not offer");
        return;
    }

    if (ngx_http_inlets_login_rules(monitor, login, &fault) != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, "%s", fault);
        return;
    }

    if (monitor->ws.done) {

        /* there was no memory to warn it: nobody would end the tunnel */

        return;
    }

    ngx_http_inlets_register(monitor, login, pool);
}


/* Addresses that guess are not even checked for a while. */

static ngx_int_t
ngx_http_inlets_login_authenticate(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_pool_t *pool)
{
    ngx_int_t                    rc;
    ngx_str_t                    message;
    ngx_http_inlets_loc_conf_t  *ilcf;

    ilcf = monitor->conf;

    if (ilcf->auth_attempts
        && ngx_inlets_attempts_check(ilcf->connect, monitor->sockaddr)
           != NGX_OK)
    {
        ngx_http_inlets_monitor_refuse(monitor, INLETS_FAIL_ATTEMPTS);
        return NGX_DECLINED;
    }

    login->auth.drifted = 0;

    rc = ngx_http_inlets_authenticate(ilcf, &login->auth, &message, pool);

    if (rc == NGX_ERROR) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (ilcf->auth_attempts
        && !login->auth.drifted
        && ngx_inlets_attempts_failed(ilcf->connect, monitor->sockaddr,
                                      ilcf->auth_attempts)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, monitor->ws.connection->log, 0,
                      "inlets: %ui logins from %V failed within a minute, "
                      "it is refused for %d seconds", ilcf->auth_attempts,
                      &monitor->peer->client, NGX_INLETS_ATTEMPTS_TIME);
    }

    ngx_http_inlets_monitor_refuse(monitor, "%V", &message);

    return NGX_DECLINED;
}


/*
 * Rules for visitors.  What isn't understood is refused: a tunnel that is open
 * to more visitors than its client believes is worse than none.
 */

static ngx_int_t
ngx_http_inlets_login_rules(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, const char **fault)
{
    ngx_http_inlets_access_rules_t  lists;

    ngx_memzero(&lists, sizeof(ngx_http_inlets_access_rules_t));

    if (login->access == NULL && login->ingress == NULL) {
        return NGX_OK;
    }

    if (monitor->coordinator) {
        *fault = "without a tunnel there are no visitors to have rules for";
        return NGX_DECLINED;
    }

    *fault = "invalid access rules";

    if (login->access && ngx_http_inlets_login_access(login, &lists) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if ((lists.basic || login->ingress) && monitor->type != NGX_INLETS_HTTP) {
        *fault = "user names and passwords are only for http tunnels";
        return NGX_DECLINED;
    }

    if (ngx_http_inlets_login_basic(monitor, lists.basic, &login->rules)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (login->ingress && lists.basic == NULL
        && ngx_http_inlets_login_ingress(monitor, login) != NGX_OK)
    {
        *fault = "invalid httpIngressBasic";
        return NGX_DECLINED;
    }

    if (ngx_http_inlets_login_ranges(lists.allow, &login->rules,
                                     ngx_inlets_rules_allow)
        != NGX_OK
        || ngx_http_inlets_login_ranges(lists.deny, &login->rules,
                                        ngx_inlets_rules_deny)
           != NGX_OK
        || ngx_inlets_rules_seal(&login->rules, monitor->conf->connect)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_login_access(ngx_http_inlets_login_t *login,
    ngx_http_inlets_access_rules_t *lists)
{
    cJSON  *item;

    if (!cJSON_IsObject(login->access)) {
        return NGX_DECLINED;
    }

    cJSON_ArrayForEach(item, login->access) {

        if (ngx_strcmp(item->string, "basic") == 0 && lists->basic == NULL) {
            lists->basic = item;

        } else if (ngx_strcmp(item->string, "allow") == 0
                   && lists->allow == NULL)
        {
            lists->allow = item;

        } else if (ngx_strcmp(item->string, "deny") == 0
                   && lists->deny == NULL)
        {
            lists->deny = item;

        } else if (ngx_strcmp(item->string, "passAuth") == 0
                   && cJSON_IsBool(item))
        {
            login->rules.pass_auth = cJSON_IsTrue(item);

        } else {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* The user that clients of other makers ask visitors for. */

static ngx_int_t
ngx_http_inlets_login_ingress(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    ngx_str_t  type, user, password;

    if (!cJSON_IsObject(login->ingress)
        || ngx_http_inlets_login_string(login->ingress, "type", 64, &type)
           != NGX_OK
        || (type.len && ngx_strcasecmp(type.data, (u_char *) "basic") != 0)
        || ngx_http_inlets_login_string(login->ingress, "username",
                                        NGX_INLETS_RULES_TEXT, &user)
           != NGX_OK
        || ngx_http_inlets_login_string(login->ingress, "password",
                                        NGX_INLETS_RULES_TEXT, &password)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    login->rules.pass_auth = 1;

    return ngx_inlets_rules_basic(&login->rules, monitor->conf->connect, &user,
                                  &password);
}


/* An empty list is as wrong as one that can't be read: it lets all in. */

static ngx_int_t
ngx_http_inlets_login_basic(ngx_http_inlets_monitor_t *monitor, cJSON *list,
    ngx_inlets_rules_t *rules)
{
    cJSON      *item;
    ngx_str_t   user, password;

    if (list == NULL) {
        return NGX_OK;
    }

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0) {
        return NGX_DECLINED;
    }

    cJSON_ArrayForEach(item, list) {

        if (!cJSON_IsObject(item)
            || ngx_http_inlets_login_string(item, "username",
                                            NGX_INLETS_RULES_TEXT, &user)
               != NGX_OK
            || ngx_http_inlets_login_string(item, "password",
                                            NGX_INLETS_RULES_TEXT, &password)
               != NGX_OK
            || ngx_inlets_rules_basic(rules, monitor->conf->connect, &user,
                                      &password)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_login_ranges(cJSON *list, ngx_inlets_rules_t *rules,
    ngx_int_t (*add)(ngx_inlets_rules_t *rules, ngx_str_t *text))
{
    cJSON      *item;
    ngx_str_t   text;

    if (list == NULL) {
        return NGX_OK;
    }

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0) {
        return NGX_DECLINED;
    }

    cJSON_ArrayForEach(item, list) {

        if (!cJSON_IsString(item)) {
            return NGX_DECLINED;
        }

        text.data = (u_char *) item->valuestring;
        text.len = ngx_strlen(item->valuestring);

        if (add(rules, &text) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_login_type(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    if (login->type.len == 0) {
        monitor->coordinator = 1;
        return NGX_OK;
    }

    if (login->auth.http) {
        monitor->type = NGX_INLETS_HTTP;
        return NGX_OK;
    }

    if (ngx_strcmp(login->type.data, INLETS_TYPE_TCP) == 0) {
        monitor->type = NGX_INLETS_TCP;
        return NGX_OK;
    }

    return NGX_DECLINED;
}
