
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * The rules that a tunnel's client, or the settings, have set for its visitors,
 * in nginx's access phase.  They only take away: a visitor who passes them has
 * still to pass the location's own.
 */


#include "ngx_http_inlets.h"


typedef struct {
    uint64_t                     tag;         /* of the rules, 0: none */
    ngx_int_t                    rc;          /* NGX_OK or an HTTP status */
    ngx_uint_t                   basic;       /* unsigned basic:1, bearer:1; */
    ngx_uint_t                   bearer;      /* of what is asked for */
    ngx_uint_t                   consumed;    /* the Authorization header */
} ngx_http_inlets_access_t;


static ngx_int_t ngx_http_inlets_access_handler(ngx_http_request_t *r);
static ngx_http_inlets_access_t *ngx_http_inlets_access(ngx_http_request_t *r,
    ngx_inlets_registry_t *reg);
static ngx_int_t ngx_http_inlets_access_auth(ngx_http_request_t *r,
    ngx_inlets_registry_t *reg, ngx_inlets_rules_t *rules);
static ngx_int_t ngx_http_inlets_access_basic(ngx_http_request_t *r,
    ngx_inlets_registry_t *reg, ngx_inlets_rules_t *rules);
static ngx_int_t ngx_http_inlets_access_bearer(ngx_http_request_t *r,
    ngx_inlets_registry_t *reg, ngx_inlets_rules_t *rules);
static ngx_uint_t ngx_http_inlets_access_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_inlets_access_challenge(ngx_http_request_t *r,
    ngx_http_inlets_access_t *access);


ngx_int_t
ngx_http_inlets_access_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_inlets_access_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_access_handler(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_inlets_access_t    *access;
    ngx_http_inlets_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_inlets_module);

    if (ilcf->tunnel == NULL) {
        return NGX_DECLINED;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!ngx_inlets_rules_any(ilcf->tunnel)
        && clcf->satisfy == NGX_HTTP_SATISFY_ALL)
    {
        return NGX_DECLINED;
    }

    access = ngx_http_inlets_access(r, ilcf->tunnel);

    if (access == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (access->rc == NGX_HTTP_UNAUTHORIZED) {
        return ngx_http_inlets_access_challenge(r, access);
    }

    /* not NGX_OK, with which "satisfy any" would skip the location's rules */

    return (access->rc == NGX_OK) ? NGX_DECLINED : access->rc;
}


/* Looks the rules up, judges, and keeps the result for this location. */

static ngx_http_inlets_access_t *
ngx_http_inlets_access(ngx_http_request_t *r, ngx_inlets_registry_t *reg)
{
    ngx_str_t                  host;
    ngx_inlets_rules_t         rules;
    ngx_http_inlets_access_t  *access;
    u_char                     buf[NGX_INLETS_MAX_HOST + 1];

    access = ngx_pcalloc(r->pool, sizeof(ngx_http_inlets_access_t));
    if (access == NULL) {
        return NULL;
    }

    ngx_http_set_ctx(r, access, ngx_http_inlets_module);

    if (ngx_http_inlets_request_host(r, buf, &host) != NGX_OK) {
        return access;
    }

    ngx_inlets_rules_get(reg, &host, 0, &rules);

    if (rules.tag == 0) {
        return access;
    }

    access->tag = rules.tag;
    access->basic = (rules.nbasic != 0);
    access->bearer = (rules.nbearer != 0);
    access->consumed = ((access->basic || access->bearer)
                        && !rules.pass_auth);

    if (ngx_inlets_rules_check_addr(&rules, r->connection->sockaddr)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "visitor refused by the address rules of the tunnel "
                      "\"%V\"", &host);

        access->rc = NGX_HTTP_FORBIDDEN;
        return access;
    }

    if (access->basic || access->bearer) {
        access->rc = ngx_http_inlets_access_auth(r, reg, &rules);
    }

    return access;
}


/* nginx and the local service may not each read another header. */

static ngx_int_t
ngx_http_inlets_access_auth(ngx_http_request_t *r, ngx_inlets_registry_t *reg,
    ngx_inlets_rules_t *rules)
{
    ngx_int_t  rc;

    if (ngx_http_inlets_access_headers(r) > 1) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "visitor sent several \"Authorization\" headers");
        return NGX_HTTP_BAD_REQUEST;
    }

    if (r->headers_in.authorization == NULL) {
        return NGX_HTTP_UNAUTHORIZED;
    }

    rc = rules->nbasic ? ngx_http_inlets_access_basic(r, reg, rules)
                       : NGX_HTTP_UNAUTHORIZED;

    if (rc == NGX_HTTP_UNAUTHORIZED && rules->nbearer) {
        rc = ngx_http_inlets_access_bearer(r, reg, rules);
    }

    if (rc == NGX_HTTP_UNAUTHORIZED) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "visitor sent a wrong user name, password or token");
    }

    return rc;
}


static ngx_int_t
ngx_http_inlets_access_basic(ngx_http_request_t *r, ngx_inlets_registry_t *reg,
    ngx_inlets_rules_t *rules)
{
    u_char     *p, buf[NGX_INLETS_RULES_TEXT];
    ngx_int_t   rc;
    ngx_str_t  *user, *password, credentials;

    rc = ngx_http_auth_basic_user(r);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_UNAUTHORIZED;
    }

    user = &r->headers_in.user;
    password = &r->headers_in.passwd;

    if (user->len + 1 + password->len > NGX_INLETS_RULES_TEXT) {
        return NGX_HTTP_UNAUTHORIZED;
    }

    p = ngx_cpymem(buf, user->data, user->len);
    *p++ = ':';
    p = ngx_cpymem(p, password->data, password->len);

    credentials.data = buf;
    credentials.len = p - buf;

    rc = ngx_inlets_rules_check_basic(rules, reg, &credentials);

    ngx_explicit_memzero(buf, credentials.len);

    return (rc == NGX_OK) ? NGX_OK : NGX_HTTP_UNAUTHORIZED;
}


static ngx_int_t
ngx_http_inlets_access_bearer(ngx_http_request_t *r,
    ngx_inlets_registry_t *reg, ngx_inlets_rules_t *rules)
{
    ngx_str_t  token;

    token = r->headers_in.authorization->value;

    if (token.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(token.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return NGX_HTTP_UNAUTHORIZED;
    }

    token.data += sizeof("Bearer ") - 1;
    token.len -= sizeof("Bearer ") - 1;

    while (token.len && token.data[0] == ' ') {
        token.data++;
        token.len--;
    }

    if (token.len > NGX_INLETS_RULES_TEXT) {
        return NGX_HTTP_UNAUTHORIZED;
    }

    return (ngx_inlets_rules_check_bearer(rules, reg, &token) == NGX_OK)
           ? NGX_OK : NGX_HTTP_UNAUTHORIZED;
}


static ngx_uint_t
ngx_http_inlets_access_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return n;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Authorization") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Authorization",
                               sizeof("Authorization") - 1)
               == 0)
        {
            n++;
        }
    }
}


static ngx_int_t
ngx_http_inlets_access_challenge(ngx_http_request_t *r,
    ngx_http_inlets_access_t *access)
{
    ngx_table_elt_t  *basic, *bearer;

    basic = NULL;
    bearer = NULL;

    if (access->basic) {
        basic = ngx_http_inlets_add_header(r, "WWW-Authenticate",
                                           "Basic realm=\"inlets\"");
        if (basic == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (access->bearer) {
        bearer = ngx_http_inlets_add_header(r, "WWW-Authenticate", "Bearer");
        if (bearer == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    r->headers_out.www_authenticate = basic ? basic : bearer;

#if (nginx_version >= 1023000)
    if (basic) {
        basic->next = bearer;
    }
#endif

    return NGX_HTTP_UNAUTHORIZED;
}


/*
 * Between the access phase and here the client may have come back with other
 * rules, and subrequests have no access phase.
 */

ngx_int_t
ngx_http_inlets_access_permit(ngx_http_request_t *r,
    ngx_inlets_registry_t *reg, uint64_t tag)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_inlets_access_t  *access;

    access = ngx_http_get_module_ctx(r, ngx_http_inlets_module);

    if (tag == 0) {
        return NGX_OK;
    }

    /* what the rules protect may not be found in the cache without them */

    r->upstream->cacheable = 0;

    if (access == NULL) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (r == r->main) {

            /* "satisfy any": the location's own rules have let it in before */

            return (clcf->satisfy == NGX_HTTP_SATISFY_ALL) ? NGX_ABORT
                                                           : NGX_OK;
        }

        access = ngx_http_inlets_access(r, reg);
        if (access == NULL) {
            return NGX_ABORT;
        }
    }

    if (access->tag != tag || (r != r->main && access->rc != NGX_OK)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "visitor refused, the rules of the tunnel have changed, "
                      "or deny a subrequest");
        return NGX_ABORT;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_inlets_access_refused(ngx_http_request_t *r)
{
    ngx_http_inlets_access_t  *access;

    access = ngx_http_get_module_ctx(r, ngx_http_inlets_module);

    return access && (ngx_uint_t) access->rc == r->err_status;
}


ngx_uint_t
ngx_http_inlets_access_consumed(ngx_http_request_t *r)
{
    ngx_http_inlets_access_t    *access;
    ngx_http_inlets_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_inlets_module);

    access = ngx_http_get_module_ctx(r, ngx_http_inlets_module);

    if (access == NULL && r != r->main && ilcf->tunnel
        && ngx_inlets_rules_any(ilcf->tunnel))
    {
        access = ngx_http_inlets_access(r, ilcf->tunnel);

        if (access == NULL) {
            return 1;
        }
    }

    return access ? access->consumed : 0;
}
