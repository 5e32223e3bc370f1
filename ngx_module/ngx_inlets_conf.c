
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_conf.h"


static char *ngx_inlets_conf_result(ngx_conf_t *cf, char *rv, char *kind,
    char *example);


char *
ngx_inlets_conf_msec_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_inlets_conf_result(cf, ngx_conf_set_msec_slot(cf, cmd, conf),
                                  "time", "30s");
}


char *
ngx_inlets_conf_sec_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_inlets_conf_result(cf, ngx_conf_set_sec_slot(cf, cmd, conf),
                                  "time", "30s");
}


char *
ngx_inlets_conf_size_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_inlets_conf_result(cf, ngx_conf_set_size_slot(cf, cmd, conf),
                                  "size", "4m");
}


char *
ngx_inlets_conf_num_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_inlets_conf_result(cf, ngx_conf_set_num_slot(cf, cmd, conf),
                                  "number", "8");
}


static char *
ngx_inlets_conf_result(ngx_conf_t *cf, char *rv, char *kind, char *example)
{
    ngx_str_t  *value;

    if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR
        || ngx_strcmp(rv, "is duplicate") == 0)
    {
        return rv;
    }

    value = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid %s \"%V\", write it as \"%V %s\"",
                       kind, &value[1], &value[0], example);

    return NGX_CONF_ERROR;
}


char *
ngx_inlets_conf_not_zero(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *mp = data;

    ngx_str_t  *value;

    if (*mp == 0) {
        value = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be longer than 0, write it as "
                           "\"%V 30s\"", &value[0], &value[0]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
