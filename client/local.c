#include "local.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"


#define LOCAL_NAME_TTL  10000   /* ms, of the service's addresses */
#define REFUSED_PAUSE   1000    /* ms */


struct inlets_local *
inlets_local_create(uv_loop_t *loop, struct inlets_conf *owner,
    const struct inlets_tunnel_conf *conf, struct inlets_activity *activity)
{
    struct inlets_local  *local = calloc(1, sizeof(*local));
    char                  authority[INLETS_URL_AUTHORITY];

    if (local == NULL) {
        inlets_log(INLETS_LOG_ERROR, "no memory");
        return NULL;
    }

    local->refs = 1;
    local->owner = inlets_conf_ref(owner);
    local->conf = conf;
    local->activity = activity;

    inlets_url_authority(&conf->local.url, true, authority);
    snprintf(local->name, sizeof(local->name), "%s%s",
             conf->tcp ? "" : "http://", authority);

    local->resolver = inlets_resolver_create(loop, &conf->local.url,
                                             LOCAL_NAME_TTL);

    if (local->resolver == NULL) {
        inlets_log(INLETS_LOG_ERROR, "no memory");
        inlets_local_unref(local);
        return NULL;
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

    inlets_resolver_destroy(local->resolver);
    SSL_CTX_free(local->tls);
    inlets_conf_unref(local->owner);
    free(local);
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
