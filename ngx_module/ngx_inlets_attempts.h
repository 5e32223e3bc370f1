/*
 * Failed logins by address, over all workers: an IPv4 address, or the /64 of an
 * IPv6 one.  Other kinds of sockets are not counted.
 */

#ifndef _NGX_INLETS_ATTEMPTS_H_INCLUDED_
#define _NGX_INLETS_ATTEMPTS_H_INCLUDED_


#include "ngx_inlets.h"


#define NGX_INLETS_ATTEMPTS_TIME  60      /* seconds, of counting and refusal */
#define NGX_INLETS_ATTEMPTS_MAX   1024    /* addresses that are remembered */


/* NGX_DECLINED: the address has failed too often and has to wait. */
ngx_int_t ngx_inlets_attempts_check(ngx_inlets_registry_t *reg,
    struct sockaddr *sa);

/* One more; NGX_DECLINED: the one too many. */
ngx_int_t ngx_inlets_attempts_failed(ngx_inlets_registry_t *reg,
    struct sockaddr *sa, ngx_uint_t max);


#endif /* _NGX_INLETS_ATTEMPTS_H_INCLUDED_ */
