
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets.h"
#include "ngx_inlets_conf.h"
#include "ngx_inlets_notify.h"
#include "ngx_inlets_trunk.h"
#include "inlets_name.h"


typedef struct {
    ngx_flag_t                   used;        /* some location has a tunnel */
    ngx_array_t                 *limits;      /* of zones with settings */
} ngx_http_inlets_main_conf_t;


static void *ngx_http_inlets_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_inlets_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_inlets_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_inlets_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_inlets_settings(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *conf);
static char *ngx_http_inlets_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_inlets_domain(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_inlets_config(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_inlets_token(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_inlets_token_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_inlets_add_token(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf, ngx_str_t *token);
static char *ngx_http_inlets_connect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_inlets_tunnel(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_inlets_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_inlets_conflict(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf);
static char *ngx_http_inlets_check_window(ngx_conf_t *cf, void *post,
    void *data);
static ngx_int_t ngx_http_inlets_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_inlets_init_process(ngx_cycle_t *cycle);
static void ngx_http_inlets_exit_process(ngx_cycle_t *cycle);


static ngx_conf_num_bounds_t  ngx_http_inlets_links_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_INLETS_MAX_LINKS
};

static ngx_conf_num_bounds_t  ngx_http_inlets_streams_bounds = {
    ngx_conf_check_num_bounds, 1, 65536
};

static ngx_conf_post_t  ngx_http_inlets_time_post = {
    ngx_inlets_conf_not_zero
};

static ngx_conf_post_t  ngx_http_inlets_window_post = {
    ngx_http_inlets_check_window
};


static ngx_command_t  ngx_http_inlets_commands[] = {

    { ngx_string("inlets_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_inlets_zone,
      0,
      0,
      NULL },

    { ngx_string("inlets_domain"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_inlets_domain,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("inlets_config"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_inlets_config,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("inlets_token"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_inlets_token,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("inlets_token_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_inlets_token_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("inlets_public"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, public),
      NULL },

    { ngx_string("inlets_public_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, public_timeout),
      &ngx_http_inlets_time_post },

    { ngx_string("inlets_public_warn"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, public_warn),
      NULL },

    { ngx_string("inlets_max_drift"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, max_drift),
      NULL },

    { ngx_string("inlets_auth_attempts"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, auth_attempts),
      NULL },

    { ngx_string("inlets_url"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, url),
      NULL },

    { ngx_string("inlets_connect"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_inlets_connect,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("inlets_tunnel"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_inlets_tunnel,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("inlets_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_inlets_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("inlets_wait"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, wait),
      NULL },

    { ngx_string("inlets_remember"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, remember),
      NULL },

    { ngx_string("inlets_max_links"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, max_links),
      &ngx_http_inlets_links_bounds },

    { ngx_string("inlets_max_streams"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, max_streams),
      &ngx_http_inlets_streams_bounds },

    { ngx_string("inlets_window"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, window),
      &ngx_http_inlets_window_post },

    { ngx_string("inlets_link_window"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, link_window),
      NULL },

    { ngx_string("inlets_auth_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, auth_timeout),
      &ngx_http_inlets_time_post },

    { ngx_string("inlets_heartbeat_interval"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, heartbeat_interval),
      &ngx_http_inlets_time_post },

    { ngx_string("inlets_heartbeat_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, heartbeat_timeout),
      &ngx_http_inlets_time_post },

    { ngx_string("inlets_drain_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_inlets_loc_conf_t, drain_timeout),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_inlets_module_ctx = {
    ngx_http_inlets_add_variables,         /* preconfiguration */
    ngx_http_inlets_init,                  /* postconfiguration */

    ngx_http_inlets_create_main_conf,      /* create main configuration */
    ngx_http_inlets_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_inlets_create_loc_conf,       /* create location configuration */
    ngx_http_inlets_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_inlets_module = {
    NGX_MODULE_V1,
    &ngx_http_inlets_module_ctx,           /* module context */
    ngx_http_inlets_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_inlets_notify_init_module,         /* init module */
    ngx_http_inlets_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_inlets_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_inlets_create_main_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->used = 0;
     *     conf->limits = NULL;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_inlets_main_conf_t));
}


static char *
ngx_http_inlets_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_inlets_main_conf_t  *imcf = conf;

    return imcf->used ? ngx_http_inlets_proxy_cache_key(cf) : NGX_CONF_OK;
}


static void *
ngx_http_inlets_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_inlets_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_inlets_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->tunnel = NULL;
     *     conf->connect = NULL;
     *     conf->status = NULL;
     *     conf->domain = { 0, NULL };
     *     conf->parent = NULL;
     *     conf->proxy = NULL;
     *     conf->handler = NULL;
     */

    conf->wait = NGX_CONF_UNSET_MSEC;
    conf->settings = NGX_CONF_UNSET_PTR;
    conf->tokens = NGX_CONF_UNSET_PTR;
    conf->public = NGX_CONF_UNSET;
    conf->public_timeout = NGX_CONF_UNSET_MSEC;
    conf->public_warn = NGX_CONF_UNSET_MSEC;
    conf->max_drift = NGX_CONF_UNSET_MSEC;
    conf->auth_attempts = NGX_CONF_UNSET_UINT;
    conf->url = NGX_CONF_UNSET_PTR;
    conf->max_links = NGX_CONF_UNSET_UINT;
    conf->max_streams = NGX_CONF_UNSET_UINT;
    conf->window = NGX_CONF_UNSET_SIZE;
    conf->link_window = NGX_CONF_UNSET_SIZE;
    conf->auth_timeout = NGX_CONF_UNSET_MSEC;
    conf->heartbeat_interval = NGX_CONF_UNSET_MSEC;
    conf->heartbeat_timeout = NGX_CONF_UNSET_MSEC;
    conf->drain_timeout = NGX_CONF_UNSET_MSEC;
    conf->remember = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_inlets_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_inlets_loc_conf_t *prev = parent;
    ngx_http_inlets_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_inlets_main_conf_t  *imcf;

    ngx_conf_merge_msec_value(conf->wait, prev->wait, 5000);
    ngx_conf_merge_str_value(conf->domain, prev->domain, "");
    ngx_conf_merge_ptr_value(conf->settings, prev->settings, NULL);
    ngx_conf_merge_ptr_value(conf->tokens, prev->tokens, NULL);
    ngx_conf_merge_value(conf->public, prev->public, 0);
    ngx_conf_merge_msec_value(conf->public_timeout, prev->public_timeout,
                              600000);
    ngx_conf_merge_msec_value(conf->public_warn, prev->public_warn, 120000);
    ngx_conf_merge_msec_value(conf->max_drift, prev->max_drift, 300000);
    ngx_conf_merge_uint_value(conf->auth_attempts, prev->auth_attempts, 10);
    ngx_conf_merge_ptr_value(conf->url, prev->url, NULL);
    ngx_conf_merge_uint_value(conf->max_links, prev->max_links, 8);
    ngx_conf_merge_uint_value(conf->max_streams, prev->max_streams, 1024);
    ngx_conf_merge_size_value(conf->window, prev->window, 4 * 1024 * 1024);
    ngx_conf_merge_size_value(conf->link_window, prev->link_window,
                              16 * 1024 * 1024);
    ngx_conf_merge_msec_value(conf->auth_timeout, prev->auth_timeout, 10000);
    ngx_conf_merge_msec_value(conf->heartbeat_interval,
                              prev->heartbeat_interval, 15000);
    ngx_conf_merge_msec_value(conf->heartbeat_timeout,
                              prev->heartbeat_timeout, 60000);
    ngx_conf_merge_msec_value(conf->drain_timeout, prev->drain_timeout,
                              3600000);
    ngx_conf_merge_sec_value(conf->remember, prev->remember, 600);

    if (conf->heartbeat_timeout <= conf->heartbeat_interval) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"inlets_heartbeat_timeout\" %Mms must be longer "
                           "than \"inlets_heartbeat_interval\" %Mms",
                           conf->heartbeat_timeout, conf->heartbeat_interval);
        return NGX_CONF_ERROR;
    }

    if (conf->connect && ngx_http_inlets_settings(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_inlets_module);

    if (conf->connect
        && ngx_http_inlets_limits_add(cf, &imcf->limits, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->handler && clcf->handler != conf->handler) {
        return ngx_http_inlets_conflict(cf, conf);
    }

    conf->parent = prev;
    conf->proxy = ngx_http_conf_get_module_loc_conf(cf, ngx_http_proxy_module);

    if (conf->tunnel == NULL && (clcf->noname || clcf->lmt_excpt)) {

        /* as proxy_pass: inherited by "if" and "limit_except" only */

        conf->tunnel = prev->tunnel;
        return NGX_CONF_OK;
    }

    if (conf->tunnel) {
        return ngx_http_inlets_proxy_defaults(cf, conf);
    }

    return NGX_CONF_OK;
}


/*
 * What the settings file says of this location.  A file can be filled later,
 * so with one it is not known that no client could log in.
 */

static char *
ngx_http_inlets_settings(ngx_conf_t *cf, ngx_http_inlets_loc_conf_t *conf)
{
    ngx_inlets_settings_t  *s;

    if (conf->settings == NULL) {

        if (conf->tokens || conf->public) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no client could log in at \"inlets_connect\": "
                           "add \"inlets_token\" or \"inlets_config\", or "
                           "\"inlets_public on\" for tunnels without "
                           "credentials");
        return NGX_CONF_ERROR;
    }

    s = ngx_inlets_settings_get(conf->settings);

    if (conf->domain.len == 0 && s->domain.len) {

        /* the settings don't live as long */

        conf->domain.len = s->domain.len;
        conf->domain.data = ngx_pstrdup(cf->pool, &s->domain);
        if (conf->domain.data == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t     size;
    ngx_str_t  *value;

    value = cf->args->elts;

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of zone \"%V\", "
                           "write \"inlets_zone %V 8m\"",
                           &value[2], &value[1], &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) (16 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it needs at least %uz "
                           "bytes", &value[1], 16 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    if (ngx_inlets_registry_add(cf, &value[1], size) == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_domain(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_inlets_loc_conf_t *ilcf = conf;

    size_t      len;
    u_char     *p;
    ngx_str_t  *value;

    if (ilcf->domain.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    p = ngx_pnalloc(cf->pool, NGX_INLETS_MAX_HOST + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    if (inlets_host_normalize((char *) value[1].data, value[1].len,
                              (char *) p, NGX_INLETS_MAX_HOST + 1, &len)
        < 0
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, ':'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid domain \"%V\", write it as "
                           "\"inlets_domain example.com\": no scheme, port "
                           "or wildcard", &value[1]);
        return NGX_CONF_ERROR;
    }

    ilcf->domain.data = p;
    ilcf->domain.len = len;

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_inlets_loc_conf_t *ilcf = conf;

    ngx_str_t  *value, overrides;

    if (ilcf->settings != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    ngx_str_null(&overrides);

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "overrides=", 10) != 0
            || value[2].len == 10)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", expected "
                               "\"overrides=path\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        overrides.data = value[2].data + 10;
        overrides.len = value[2].len - 10;
    }

    ilcf->settings = ngx_inlets_settings_add(cf, &value[1],
                                             overrides.len ? &overrides
                                                           : NULL);
    if (ilcf->settings == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    return ngx_http_inlets_add_token(cf, conf, &value[1]);
}


static char *
ngx_http_inlets_token_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char       buf[1024];
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_err_t    err;
    ngx_str_t   *value, name, token;

    value = cf->args->elts;
    name = value[1];

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &name);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));
    err = ngx_errno;

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &name);
    }

    if (n == -1 || n == sizeof(buf)) {
        ngx_explicit_memzero(buf, sizeof(buf));

        ngx_conf_log_error(NGX_LOG_EMERG, cf, (n == -1) ? err : 0,
                           "token file \"%V\" can't be read, or is longer "
                           "than %uz bytes", &name, sizeof(buf) - 1);
        return NGX_CONF_ERROR;
    }

    while (n && (buf[n - 1] == LF || buf[n - 1] == CR)) {
        n--;
    }

    token.len = n;
    token.data = ngx_pnalloc(cf->pool, n + 1);
    if (token.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(token.data, buf, n);

    ngx_explicit_memzero(buf, sizeof(buf));

    return ngx_http_inlets_add_token(cf, conf, &token);
}


static char *
ngx_http_inlets_add_token(ngx_conf_t *cf, ngx_http_inlets_loc_conf_t *ilcf,
    ngx_str_t *token)
{
    ngx_str_t  *t;

    if (token->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the token is empty, make one with "
                           "\"openssl rand -hex 16\"");
        return NGX_CONF_ERROR;
    }

    if (ilcf->tokens == NGX_CONF_UNSET_PTR) {
        ilcf->tokens = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
        if (ilcf->tokens == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    t = ngx_array_push(ilcf->tokens);
    if (t == NULL) {
        return NGX_CONF_ERROR;
    }

    *t = *token;

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_connect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_inlets_loc_conf_t *ilcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->connect) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->connect = ngx_inlets_registry_add(cf, &value[1], 0);
    if (ilcf->connect == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return ngx_http_inlets_conflict(cf, ilcf);
    }

    clcf->handler = ngx_http_inlets_connect_handler;
    ilcf->handler = clcf->handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_tunnel(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_inlets_loc_conf_t *ilcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_http_handler_pt           previous;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_inlets_main_conf_t  *imcf;

    if (ilcf->tunnel) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->tunnel = ngx_inlets_registry_add(cf, &value[1], 0);
    if (ilcf->tunnel == NULL) {
        return NGX_CONF_ERROR;
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_inlets_module);
    imcf->used = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    previous = clcf->handler;

    rv = ngx_http_inlets_proxy_pass(cf, ilcf->tunnel, &value[1]);

    if (rv == NGX_CONF_OK && previous) {
        return ngx_http_inlets_conflict(cf, ilcf);
    }

    ilcf->handler = clcf->handler;

    return rv;
}


static char *
ngx_http_inlets_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_inlets_loc_conf_t *ilcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->status) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->status = ngx_inlets_registry_add(cf, &value[1], 0);
    if (ilcf->status == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return ngx_http_inlets_conflict(cf, ilcf);
    }

    clcf->handler = ngx_http_inlets_status_handler;
    ilcf->handler = clcf->handler;

    return NGX_CONF_OK;
}


/* A location has one content handler: the last directive would win unseen. */

static char *
ngx_http_inlets_conflict(ngx_conf_t *cf, ngx_http_inlets_loc_conf_t *ilcf)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s\" and another directive that answers requests "
                       "can't be in one location, give each its own",
                       ilcf->tunnel ? "inlets_tunnel"
                       : ilcf->connect ? "inlets_connect" : "inlets_status");

    return NGX_CONF_ERROR;
}


static char *
ngx_http_inlets_check_window(ngx_conf_t *cf, void *post, void *data)
{
    size_t *sp = data;

    if (*sp < INLETS_MUX_WINDOW || *sp > 64 * 1024 * 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"inlets_window\" must be from 256k to 64m");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_inlets_init(ngx_conf_t *cf)
{
    if (ngx_http_inlets_access_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_inlets_registry_check(cf->cycle);
}


static ngx_int_t
ngx_http_inlets_init_process(ngx_cycle_t *cycle)
{
    ngx_int_t                     rc;
    ngx_http_inlets_main_conf_t  *imcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    rc = ngx_inlets_registry_init_worker(cycle);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_inlets_notify_init_worker(cycle);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_inlets_settings_init_worker(cycle);

    if (rc != NGX_OK) {
        return rc;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_inlets_module);

    if (imcf && ngx_http_inlets_limits_init_worker(imcf->limits) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_inlets_trunk_init_worker(cycle);
}


static void
ngx_http_inlets_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    ngx_inlets_trunk_exit_worker(cycle);
    ngx_inlets_registry_exit_worker(cycle);
    ngx_inlets_notify_exit_worker(cycle);
}
