
/*
 * Copyright (C) inlets for nginx contributors
 */


/* Who gets in to the tunnels that the settings list. */


#include "ngx_inlets_settings_values.h"
#include "ngx_inlets_rules.h"


static void ngx_inlets_settings_user_check(ngx_inlets_settings_ctx_t *ctx,
    ngx_uint_t line);
static void ngx_inlets_settings_users_forget(ngx_array_t *users);


ngx_int_t
ngx_inlets_settings_users(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    ngx_array_t          *users;
    ngx_inlets_listed_t  *tunnel;

    tunnel = ctx->listed.tunnel;

    if (v->event == INLETS_CONFIG_LEAVE) {

        if (v->item) {
            ngx_inlets_settings_user_check(ctx, v->line);

        } else if (tunnel->users->nelts > NGX_INLETS_RULES_BASIC) {
            inlets_config_error(&ctx->config, v->line, NULL,
                                "expected at most %d users",
                                NGX_INLETS_RULES_BASIC);
        }

        return NGX_OK;
    }

    users = tunnel->users;

    if (users == NULL) {
        users = ngx_array_create(ctx->load->pool, 2,
                                 sizeof(ngx_inlets_user_t));
        if (users == NULL) {
            return NGX_ERROR;
        }

        tunnel->users = users;
    }

    if (!v->item) {
        return NGX_OK;
    }

    ctx->listed.user = ngx_array_push(users);
    if (ctx->listed.user == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(ctx->listed.user, sizeof(ngx_inlets_user_t));

    ctx->listed.type = 0;
    ctx->listed.password = 0;
    ctx->listed.token = 0;

    return NGX_OK;
}


/* Of "users" and "auths" alike. */

ngx_int_t
ngx_inlets_settings_user(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    size_t              i;
    ngx_inlets_user_t  *user;

    user = ctx->listed.user;

    switch (v->key->id) {

    case NGX_INLETS_KEY_USER_TYPE:
        ctx->listed.type = v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_USER_NAME:

        if (memchr(v->text, ':', v->len)) {
            inlets_config_error(&ctx->config, v->line, NULL,
                                "expected a user name without a colon");
        }

        return ngx_inlets_settings_copy(ctx, v, &user->username);

    case NGX_INLETS_KEY_USER_PASSWORD:
        ctx->listed.password = v->line;
        break;

    case NGX_INLETS_KEY_USER_TOKEN:
        ctx->listed.token = v->line;

        for (i = 0; i < v->len; i++) {
            if ((u_char) v->text[i] <= 0x20 || (u_char) v->text[i] >= 0x7f) {
                inlets_config_error(&ctx->config, v->line, NULL,
                                    "expected a token of ASCII characters "
                                    "without spaces");
                break;
            }
        }

        break;

    default:
        return NGX_OK;
    }

    return ngx_inlets_settings_copy(ctx, v, &user->secret);
}


static void
ngx_inlets_settings_user_check(ngx_inlets_settings_ctx_t *ctx,
    ngx_uint_t line)
{
    ngx_inlets_user_t             *user;
    struct inlets_config          *config;
    ngx_inlets_settings_listed_t  *listed;

    config = &ctx->config;
    listed = &ctx->listed;
    user = listed->user;

    if (listed->type == NGX_INLETS_KEY_BEARER) {

        if (listed->token == 0) {
            inlets_config_error(config, line, "token",
                                "is missing, expected a token");
        }

        if (user->username.len || listed->password) {
            inlets_config_error(config, line,
                                user->username.len ? "username" : "password",
                                "is only for type basic");
        }

        return;
    }

    if (listed->type != NGX_INLETS_KEY_BASIC) {
        return;
    }

    if (user->username.len == 0) {
        inlets_config_error(config, line, "username",
                            "is missing, expected a user name");
    }

    if (listed->password == 0) {
        inlets_config_error(config, line, "password",
                            "is missing, expected a password");
    }

    if (listed->token) {
        inlets_config_error(config, listed->token, "token",
                            "is only for type bearer");
    }

    if (user->username.len + 1 + user->secret.len > NGX_INLETS_RULES_TEXT) {
        inlets_config_error(config, line, "password",
                            "is too long, expected at most %d bytes together "
                            "with the user name", NGX_INLETS_RULES_TEXT - 1);
    }
}


void
ngx_inlets_settings_users_check(ngx_inlets_settings_ctx_t *ctx)
{
    ngx_inlets_listed_t           *tunnel;
    ngx_inlets_settings_listed_t  *listed;

    listed = &ctx->listed;
    tunnel = listed->tunnel;

    if (listed->auth && listed->auths) {
        inlets_config_error(&ctx->config, listed->auths, "auths",
                            "is given as well as \"auth\" in line %lu, "
                            "expected one of them",
                            (unsigned long) listed->auth);
        return;
    }

    if (listed->disabled) {
        ngx_inlets_settings_users_forget(tunnel->users);
        tunnel->users = NULL;
        return;
    }

    /* rather no tunnel than one whose guard was forgotten */

    if (listed->auth && (tunnel->users == NULL || tunnel->users->nelts == 0)) {
        inlets_config_error(&ctx->config, listed->auth, "auth",
                            "expected \"users\", or \"enable: false\"");
    }

    if (tunnel->users && tunnel->users->nelts == 0) {
        tunnel->users = NULL;
    }
}


void
ngx_inlets_settings_users_wipe(ngx_inlets_identity_t *identity)
{
    ngx_uint_t            i;
    ngx_inlets_listed_t  *tunnel;

    if (identity->tunnels == NULL) {
        return;
    }

    tunnel = identity->tunnels->elts;

    for (i = 0; i < identity->tunnels->nelts; i++) {
        ngx_inlets_settings_users_forget(tunnel[i].users);
    }
}


static void
ngx_inlets_settings_users_forget(ngx_array_t *users)
{
    ngx_uint_t          i;
    ngx_inlets_user_t  *user;

    if (users == NULL) {
        return;
    }

    user = users->elts;

    for (i = 0; i < users->nelts; i++) {
        ngx_explicit_memzero(user[i].secret.data, user[i].secret.len);
    }
}
