/*
 * Private to one attempt at reading the settings file: what is known so far.
 */

#ifndef _NGX_INLETS_SETTINGS_VALUES_H_INCLUDED_
#define _NGX_INLETS_SETTINGS_VALUES_H_INCLUDED_


#include "ngx_inlets_settings_file.h"


#define NGX_INLETS_SETTINGS_LINE  1024


typedef struct {
    ngx_str_t                    text;
    ngx_str_t                    file;
    ngx_uint_t                   line;        /* 0: neither is given */
} ngx_inlets_settings_secret_t;


/* The one of the client's tunnels at hand; lines are 0 without the key. */

typedef struct {
    ngx_inlets_listed_t         *tunnel;
    ngx_inlets_user_t           *user;
    ngx_uint_t                   type;        /* of the user, 0: not given */
    ngx_uint_t                   password;    /* lines */
    ngx_uint_t                   token;
    ngx_uint_t                   label;
    ngx_uint_t                   port;
    ngx_uint_t                   host_header;
    ngx_uint_t                   auth;
    ngx_uint_t                   auths;
    unsigned                     typed:1;     /* the tunnel, not the user */
    unsigned                     disabled:1;
} ngx_inlets_settings_listed_t;


typedef struct {
    ngx_inlets_settings_load_t  *load;
    ngx_inlets_settings_t       *settings;
    ngx_inlets_settings_overrides_t  *overrides;    /* being parsed, or NULL */
    ngx_log_t                   *log;
    struct inlets_config         config;
    ngx_uint_t                   no_memory;

    ngx_array_t                  limits;      /* of ngx_inlets_identity_t *,
                                                 with no more than a limit */
    ngx_inlets_identity_t       *client;      /* the one at hand */
    ngx_inlets_settings_secret_t client_secret;
    ngx_inlets_settings_listed_t listed;

    ngx_inlets_settings_secret_t token;
    ngx_inlets_settings_secret_t notify;
    ngx_uint_t                   heartbeat_line;
} ngx_inlets_settings_ctx_t;


/* The handler of struct inlets_config. */
int ngx_inlets_settings_set(void *data, struct inlets_config *config,
    const struct inlets_config_value *v);

/* The text, or what is in the file; name: of the key, for faults. */
ngx_int_t ngx_inlets_settings_secret(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_secret_t *secret, const char *name, ngx_str_t *ret);

ngx_int_t ngx_inlets_settings_copy(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, ngx_str_t *ret);

/*
 * Of a client's tunnels: what set() gets of them, and the check of all of them
 * at the end of the client.
 */
ngx_int_t ngx_inlets_settings_listed_set(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
ngx_int_t ngx_inlets_settings_listed_check(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity);

/*
 * Of their users: the list and its items, the values of one, the check at the
 * end of the tunnel, and the end of all secrets.
 */
ngx_int_t ngx_inlets_settings_users(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
ngx_int_t ngx_inlets_settings_user(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
void ngx_inlets_settings_users_check(ngx_inlets_settings_ctx_t *ctx);
void ngx_inlets_settings_users_wipe(ngx_inlets_identity_t *identity);

/* A key that is good for nothing, or no longer: a warning. */
void ngx_inlets_settings_warn(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, const char *say);

/* One more of the faults or warnings. */
void ngx_inlets_settings_say(ngx_inlets_settings_ctx_t *ctx,
    ngx_array_t *list, u_char *text, size_t len);


#endif /* _NGX_INLETS_SETTINGS_VALUES_H_INCLUDED_ */
