
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * From the settings of an inlets_connect to the meters of its zone: at the
 * start of a worker, and whenever the file changes.
 */


#include "ngx_http_inlets.h"


typedef struct {
    ngx_inlets_registry_t       *registry;
    ngx_inlets_settings_file_t  *settings;    /* NULL: no limits */
} ngx_http_inlets_limits_t;


static void ngx_http_inlets_limits_changed(void *data,
    ngx_inlets_settings_file_t *file);


char *
ngx_http_inlets_limits_add(ngx_conf_t *cf, ngx_array_t **list,
    ngx_http_inlets_loc_conf_t *ilcf)
{
    ngx_uint_t                 i;
    ngx_http_inlets_limits_t  *limits;

    if (*list == NULL) {
        *list = ngx_array_create(cf->pool, 1,
                                 sizeof(ngx_http_inlets_limits_t));
        if (*list == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    limits = (*list)->elts;

    for (i = 0; i < (*list)->nelts; i++) {

        if (limits[i].registry != ilcf->connect) {
            continue;
        }

        if (limits[i].settings == NULL) {
            limits[i].settings = ilcf->settings;
        }

        if (ilcf->settings && limits[i].settings != ilcf->settings) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "limits of inlets zone \"%V\" are those of "
                               "\"%V\", where it is used first",
                               ngx_inlets_registry_name(ilcf->connect),
                               ngx_inlets_settings_path(limits[i].settings));
        }

        return NGX_CONF_OK;
    }

    limits = ngx_array_push(*list);
    if (limits == NULL) {
        return NGX_CONF_ERROR;
    }

    limits->registry = ilcf->connect;
    limits->settings = ilcf->settings;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_inlets_limits_init_worker(ngx_array_t *list)
{
    ngx_uint_t                 i;
    ngx_http_inlets_limits_t  *limits;

    if (list == NULL) {
        return NGX_OK;
    }

    limits = list->elts;

    for (i = 0; i < list->nelts; i++) {

        if (limits[i].settings == NULL) {

            /* there may have been some before a reload */

            ngx_inlets_meter_settings(limits[i].registry, NULL);
            continue;
        }

        ngx_http_inlets_limits_changed(&limits[i], limits[i].settings);

        if (ngx_inlets_settings_subscribe(limits[i].settings,
                                          ngx_http_inlets_limits_changed,
                                          &limits[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_inlets_limits_changed(void *data, ngx_inlets_settings_file_t *file)
{
    ngx_http_inlets_limits_t *limits = data;

    if (ngx_exiting) {

        /* the configuration may be another one now */

        ngx_inlets_meter_wake();
        return;
    }

    ngx_inlets_meter_settings(limits->registry,
                              ngx_inlets_settings_get(file));
}
