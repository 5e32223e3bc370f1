
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * nginx's setters, with an error that says what to write instead.
 */

#ifndef _NGX_INLETS_CONF_H_INCLUDED_
#define _NGX_INLETS_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


char *ngx_inlets_conf_msec_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_inlets_conf_sec_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_inlets_conf_size_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_inlets_conf_num_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* A "post" of times. */
char *ngx_inlets_conf_not_zero(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_INLETS_CONF_H_INCLUDED_ */
