#include "conf.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "inlets_error.h"


#define CONNECT_TIMEOUT  10000      /* ms */


static void
free_text(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}


static void
finish_edge(struct inlets_edge_conf *edge)
{
    free_text(edge->token);
    free_text(edge->client_id);
    free_text(edge->client_secret);
    free_text(edge->ca_file);
}


#define TEXT(field)  offsetof(struct inlets_tunnel_conf, field)

static const size_t  tunnel_texts[] = {
    TEXT(name),
    TEXT(sub_domain),
    TEXT(local.ca_file),
    TEXT(local.host_header),
    TEXT(local.auth),
    TEXT(access.basic),
    TEXT(access.allow),
    TEXT(access.deny)
};

#undef TEXT

#define TUNNEL_TEXTS  (sizeof(tunnel_texts) / sizeof(tunnel_texts[0]))


static char **
tunnel_text(struct inlets_tunnel_conf *tunnel, size_t i)
{
    return (char **) (void *) ((char *) tunnel + tunnel_texts[i]);
}


static void
finish_tunnel(struct inlets_tunnel_conf *tunnel)
{
    for (size_t i = 0; i < TUNNEL_TEXTS; i++) {
        free_text(*tunnel_text(tunnel, i));
    }
}


struct inlets_conf *
inlets_conf_create(void)
{
    struct inlets_conf  *conf = calloc(1, sizeof(*conf));

    if (conf != NULL) {
        conf->refs = 1;
    }

    return conf;
}


struct inlets_conf *
inlets_conf_ref(struct inlets_conf *conf)
{
    conf->refs++;

    return conf;
}


void
inlets_conf_unref(struct inlets_conf *conf)
{
    if (conf == NULL || --conf->refs != 0) {
        return;
    }

    finish_edge(&conf->edge);

    for (size_t i = 0; i < conf->ntunnels; i++) {
        finish_tunnel(&conf->tunnels[i]);
    }

    free(conf->tunnels);
    free_text(conf->report_url);
    free(conf);
}


int
inlets_conf_set(char **field, const char *text)
{
    char  *copy = text != NULL ? strdup(text) : NULL;

    free_text(*field);
    *field = copy;

    return text != NULL && copy == NULL ? INLETS_E_NO_MEMORY : INLETS_OK;
}


/* There is room for a power of two of tunnels. */

struct inlets_tunnel_conf *
inlets_conf_add(struct inlets_conf *conf)
{
    struct inlets_tunnel_conf  *tunnel;
    size_t                      n = conf->ntunnels;

    if (n >= INLETS_TUNNELS_MAX) {
        return NULL;
    }

    if ((n & (n - 1)) == 0) {
        tunnel = realloc(conf->tunnels,
                         (n == 0 ? 1 : 2 * n) * sizeof(*tunnel));

        if (tunnel == NULL) {
            return NULL;
        }

        conf->tunnels = tunnel;
    }

    tunnel = &conf->tunnels[n];
    memset(tunnel, 0, sizeof(*tunnel));
    tunnel->local.connect_timeout = CONNECT_TIMEOUT;
    conf->ntunnels = n + 1;

    return tunnel;
}


void
inlets_conf_remove(struct inlets_conf *conf, size_t i)
{
    finish_tunnel(&conf->tunnels[i]);
    conf->ntunnels--;

    memmove(&conf->tunnels[i], &conf->tunnels[i + 1],
            (conf->ntunnels - i) * sizeof(conf->tunnels[0]));
}


struct inlets_conf *
inlets_conf_alone(const struct inlets_tunnel_conf *tunnel)
{
    struct inlets_tunnel_conf   from = *tunnel;
    struct inlets_tunnel_conf  *to;
    struct inlets_conf         *conf = inlets_conf_create();

    to = conf != NULL ? inlets_conf_add(conf) : NULL;

    if (to == NULL) {
        inlets_conf_unref(conf);
        return NULL;
    }

    *to = from;

    for (size_t i = 0; i < TUNNEL_TEXTS; i++) {
        *tunnel_text(to, i) = NULL;
    }

    for (size_t i = 0; i < TUNNEL_TEXTS; i++) {
        if (inlets_conf_set(tunnel_text(to, i), *tunnel_text(&from, i))
            != INLETS_OK)
        {
            inlets_conf_unref(conf);
            return NULL;
        }
    }

    return conf;
}


bool
inlets_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}


static bool
same_url(const struct inlets_url *a, const struct inlets_url *b)
{
    return a->tls == b->tls && a->ip6 == b->ip6 && a->port == b->port
           && strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}


bool
inlets_edge_conf_same(const struct inlets_edge_conf *a,
    const struct inlets_edge_conf *b)
{
    return same_url(&a->remote, &b->remote)
           && inlets_same_text(a->token, b->token)
           && inlets_same_text(a->client_id, b->client_id)
           && inlets_same_text(a->client_secret, b->client_secret)
           && inlets_same_text(a->ca_file, b->ca_file)
           && a->insecure == b->insecure
           && a->links == b->links
           && a->max_streams == b->max_streams
           && a->login_timeout == b->login_timeout;
}


bool
inlets_local_conf_same(const struct inlets_local_conf *a,
    const struct inlets_local_conf *b)
{
    return same_url(&a->url, &b->url)
           && inlets_same_text(a->ca_file, b->ca_file)
           && a->insecure == b->insecure
           && a->proxy_protocol == b->proxy_protocol
           && a->connect_timeout == b->connect_timeout
           && a->idle_timeout == b->idle_timeout
           && inlets_same_text(a->host_header, b->host_header)
           && inlets_same_text(a->auth, b->auth);
}


bool
inlets_access_conf_same(const struct inlets_access_conf *a,
    const struct inlets_access_conf *b)
{
    return inlets_same_text(a->basic, b->basic)
           && inlets_same_text(a->allow, b->allow)
           && inlets_same_text(a->deny, b->deny)
           && a->pass_auth == b->pass_auth;
}
