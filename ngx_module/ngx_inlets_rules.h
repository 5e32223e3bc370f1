/*
 * Visitor rules: who may reach a tunnel, as its client or the settings want it.
 * They lie in the registry, with the tunnel's row, for every worker.
 *
 * A password is kept as an HMAC-SHA256 with a random key of the zone, over
 * "user:password" as a visitor's Authorization header holds it; a bearer token
 * likewise.
 */

#ifndef _NGX_INLETS_RULES_H_INCLUDED_
#define _NGX_INLETS_RULES_H_INCLUDED_


#include "ngx_inlets.h"
#include "inlets_cidr.h"


#define NGX_INLETS_RULES_BASIC  16      /* most of each kind; passwords and
                                           tokens together */
#define NGX_INLETS_RULES_ALLOW  64
#define NGX_INLETS_RULES_DENY   64
#define NGX_INLETS_RULES_HASH   32
#define NGX_INLETS_RULES_TEXT   512     /* longest "user:password" */


typedef struct {
    uint64_t                  tag;      /* 0: no rules; of the same rules the
                                           same, set by seal() */
    uint16_t                  nbasic;
    uint16_t                  nbearer;
    uint16_t                  nallow;   /* 0: all may, who are not denied */
    uint16_t                  ndeny;
    uint16_t                  pass_auth;

    /* hashes, then the ranges of allow and deny: as much as there is */

    u_char                    data[NGX_INLETS_RULES_BASIC
                                   * NGX_INLETS_RULES_HASH
                                   + (NGX_INLETS_RULES_ALLOW
                                      + NGX_INLETS_RULES_DENY)
                                     * sizeof(struct inlets_cidr)];
} ngx_inlets_rules_t;


/*
 * Making them, of a zeroed struct, in this order.  NGX_DECLINED: wrong, or too
 * many; NGX_ERROR: OpenSSL failed.  ranges(): those of others instead of
 * allow() and deny().
 */
ngx_int_t ngx_inlets_rules_basic(ngx_inlets_rules_t *rules,
    ngx_inlets_registry_t *reg, ngx_str_t *user, ngx_str_t *password);
ngx_int_t ngx_inlets_rules_bearer(ngx_inlets_rules_t *rules,
    ngx_inlets_registry_t *reg, ngx_str_t *token);
void ngx_inlets_rules_ranges(ngx_inlets_rules_t *rules,
    ngx_inlets_rules_t *others);
ngx_int_t ngx_inlets_rules_allow(ngx_inlets_rules_t *rules, ngx_str_t *text);
ngx_int_t ngx_inlets_rules_deny(ngx_inlets_rules_t *rules, ngx_str_t *text);
ngx_int_t ngx_inlets_rules_seal(ngx_inlets_rules_t *rules,
    ngx_inlets_registry_t *reg);

size_t ngx_inlets_rules_size(ngx_inlets_rules_t *rules);


/* 0: no tunnel of the zone has any, asked without a lock. */
ngx_uint_t ngx_inlets_rules_any(ngx_inlets_registry_t *reg);

/*
 * Puts others in place of those of a tunnel, for all workers.  NGX_ERROR: the
 * zone is full, an ALERT was logged, and they are what they were; a tunnel that
 * isn't there needs none.
 */
ngx_int_t ngx_inlets_rules_set(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_inlets_rules_t *rules, ngx_log_t *log);

/*
 * Those of a host, or (host NULL) of a port; also while the client is away.
 * tag 0: there are none.
 */
void ngx_inlets_rules_get(ngx_inlets_registry_t *reg, ngx_str_t *host,
    in_port_t port, ngx_inlets_rules_t *rules);

/*
 * NGX_OK or NGX_DECLINED.  A visitor by a Unix socket is not denied, and not
 * allowed either where only some are.
 */
ngx_int_t ngx_inlets_rules_check_addr(ngx_inlets_rules_t *rules,
    struct sockaddr *sa);

/*
 * "user:password", or a token; the time depends on the lengths and rules only.
 */
ngx_int_t ngx_inlets_rules_check_basic(ngx_inlets_rules_t *rules,
    ngx_inlets_registry_t *reg, ngx_str_t *credentials);
ngx_int_t ngx_inlets_rules_check_bearer(ngx_inlets_rules_t *rules,
    ngx_inlets_registry_t *reg, ngx_str_t *token);


#endif /* _NGX_INLETS_RULES_H_INCLUDED_ */
