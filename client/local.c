#include "local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "log.h"
#include "stream.h"
#include "tls.h"


#define LOCAL_NAME_TTL  10000   /* ms, of the service's addresses */
#define REFUSED_PAUSE   1000    /* ms */
#define LOCAL_BASIC     "Basic "


static char *
make_authorization(const char *auth)
{
    size_t   len = strlen(auth), n = strlen(LOCAL_BASIC);
    char    *text = malloc(n + (len + 2) / 3 * 4 + 1);

    if (text != NULL) {
        memcpy(text, LOCAL_BASIC, n);
        (void) EVP_EncodeBlock((unsigned char *) text + n,
                               (const unsigned char *) auth, (int) len);
    }

    return text;
}


static void
free_authorization(struct inlets_local *local)
{
    if (local->authorization != NULL) {
        OPENSSL_cleanse(local->authorization, strlen(local->authorization));
        free(local->authorization);
    }
}


static uv_timer_t *
make_timer(uv_loop_t *loop, struct inlets_local *local)
{
    uv_timer_t  *timer = malloc(sizeof(*timer));

    if (timer != NULL) {
        (void) uv_timer_init(loop, timer);
        timer->data = local;
    }

    return timer;
}


static void
timer_closed(uv_handle_t *handle)
{
    free(handle);
}


/* False: no memory. */

static bool
make_parts(struct inlets_local *local, uv_loop_t *loop)
{
    const struct inlets_local_conf  *conf = &local->conf->local;

    if (!conf->url.local_socket) {
        local->resolver = inlets_resolver_create(loop, &conf->url,
                                                 LOCAL_NAME_TTL);

        if (local->resolver == NULL) {
            return false;
        }
    }

    if (conf->auth != NULL && !local->conf->tcp) {
        local->authorization = make_authorization(conf->auth);

        if (local->authorization == NULL) {
            return false;
        }
    }

    if (conf->idle_timeout != 0) {
        local->timer = make_timer(loop, local);

        if (local->timer == NULL) {
            return false;
        }
    }

    return true;
}


struct inlets_local *
inlets_local_create(uv_loop_t *loop, struct inlets_conf *owner,
    const struct inlets_tunnel_conf *conf, struct inlets_activity *activity)
{
    struct inlets_local  *local = calloc(1, sizeof(*local));

    if (local == NULL) {
        inlets_log(INLETS_LOG_ERROR, "no memory");
        return NULL;
    }

    local->refs = 1;
    local->owner = inlets_conf_ref(owner);
    local->conf = conf;
    local->activity = activity;
    local->last_idle = &local->idle;

    (void) inlets_url_service(&conf->local.url, !conf->tcp, local->name);

    if (!make_parts(local, loop)) {
        inlets_log(INLETS_LOG_ERROR, "no memory");
        inlets_local_unref(local);
        return NULL;
    }

    if (conf->local.url.tls) {
        local->tls = inlets_tls_create(&conf->local.url, conf->local.ca_file,
                                       conf->local.insecure);

        if (local->tls == NULL) {
            inlets_local_unref(local);
            return NULL;
        }

        /* many servers end without a close_notify, as if there were no TLS */
        SSL_CTX_set_options(local->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    }

    return local;
}


struct inlets_local *
inlets_local_ref(struct inlets_local *local)
{
    local->refs++;

    return local;
}


void
inlets_local_unref(struct inlets_local *local)
{
    if (local == NULL || --local->refs > 0) {
        return;
    }

    if (local->timer != NULL) {
        uv_close((uv_handle_t *) local->timer, timer_closed);
    }

    inlets_resolver_destroy(local->resolver);
    SSL_CTX_free(local->tls);
    free_authorization(local);
    inlets_conf_unref(local->owner);
    free(local);
}


static void
find_idle(uv_timer_t *timer)
{
    struct inlets_local  *local = timer->data;
    struct inlets_idle   *idle;
    uint64_t              now = uv_now(timer->loop);
    uint64_t              limit = local->conf->local.idle_timeout;

    /* the last stream may hold the last reference */
    (void) inlets_local_ref(local);

    while ((idle = local->idle) != NULL && now - idle->since >= limit) {
        inlets_local_rest(local, idle);
        inlets_stream_idle(idle->stream);
    }

    if (idle != NULL) {
        (void) uv_timer_start(timer, find_idle, idle->since + limit - now, 0);
    }

    inlets_local_unref(local);
}


void
inlets_local_active(struct inlets_local *local, struct inlets_idle *idle,
    uint64_t now)
{
    if (local->timer == NULL || (idle->prev != NULL && idle->since == now)) {
        return;
    }

    inlets_local_rest(local, idle);

    idle->since = now;
    idle->next = NULL;
    idle->prev = local->last_idle;

    *local->last_idle = idle;
    local->last_idle = &idle->next;

    if (!uv_is_active((uv_handle_t *) local->timer)) {
        (void) uv_timer_start(local->timer, find_idle,
                              local->conf->local.idle_timeout, 0);
    }
}


void
inlets_local_rest(struct inlets_local *local, struct inlets_idle *idle)
{
    if (idle->prev == NULL) {
        return;
    }

    *idle->prev = idle->next;

    if (idle->next != NULL) {
        idle->next->prev = idle->prev;

    } else {
        local->last_idle = idle->prev;
    }

    idle->prev = NULL;
    idle->next = NULL;
}


void
inlets_local_refused(struct inlets_local *local, uint64_t now,
    const char *why)
{
    local->activity->refused++;

    if (local->refused_at != 0 && now - local->refused_at < REFUSED_PAUSE) {
        local->refused++;
        return;
    }

    if (local->refused > 0) {
        inlets_log(INLETS_LOG_WARN, "local service %s: %s (and %u times "
                   "before)", local->name, why, local->refused);

    } else {
        inlets_log(INLETS_LOG_WARN, "local service %s: %s", local->name, why);
    }

    local->refused_at = now;
    local->refused = 0;
}
