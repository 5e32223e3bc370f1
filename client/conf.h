/*
 * What the client is to do: the edge, who it is there, its tunnels and their
 * local services.  Made of the command line, the environment and a file, and
 * never changed: a changed file makes another one.
 */

#ifndef INLETS_CONF_H
#define INLETS_CONF_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inlets_url.h"


#define INLETS_SECRET_MAX   1024    /* longest token or client secret */
#define INLETS_LINKS_MAX    16
#define INLETS_TUNNELS_MAX  1000    /* of one process */
#define INLETS_NAME_MAX     64      /* longest name of a tunnel in the file */


enum inlets_proxy_protocol {
    INLETS_PROXY_OFF = 0,
    INLETS_PROXY_V1,
    INLETS_PROXY_V2
};


/* Texts are NULL where nothing was given. */

struct inlets_edge_conf {
    struct inlets_url           remote;
    char                       *token;
    char                       *client_id;      /* and client_secret: win */
    char                       *client_secret;  /* over the token */
    char                       *ca_file;
    bool                        insecure;
    uint32_t                    links;          /* 0: as the edge advises */
    uint32_t                    max_streams;    /* per link */
    uint32_t                    login_timeout;  /* ms */
};


struct inlets_local_conf {
    struct inlets_url           url;            /* TLS: an https service */
    char                       *ca_file;
    bool                        insecure;
    enum inlets_proxy_protocol  proxy_protocol;
    uint32_t                    connect_timeout;    /* ms */
    uint32_t                    idle_timeout;       /* ms, 0: none */
    char                       *host_header;    /* HTTP: instead of the
                                                   visitor's */
    char                       *auth;           /* HTTP: "user:password" that
                                                   the service asks for */
};


/* Rules for visitors: see access.h.  Items are divided by line ends. */

struct inlets_access_conf {
    char                       *basic;          /* "user:password" */
    char                       *allow;          /* or by ", " */
    char                       *deny;
    bool                        pass_auth;
};


struct inlets_tunnel_conf {
    char                       *name;           /* NULL: the only one */
    bool                        tcp;            /* else http */
    char                       *sub_domain;     /* lower case, or NULL */
    uint32_t                    port;           /* of the edge, 0: any */
    struct inlets_local_conf    local;
    struct inlets_access_conf   access;
};


struct inlets_conf {
    struct inlets_edge_conf     edge;
    struct inlets_tunnel_conf  *tunnels;
    size_t                      ntunnels;
    bool                        listed;         /* those that the edge lists,
                                                   and no others */
    uint32_t                    grace;          /* ms */
    char                       *report_url;

    unsigned                    refs;           /* private */
};


/* Zeroed, with one reference; NULL: no memory. */
struct inlets_conf *inlets_conf_create(void);
struct inlets_conf *inlets_conf_ref(struct inlets_conf *conf);

/* The last one wipes the secrets and frees all; NULL is accepted. */
void inlets_conf_unref(struct inlets_conf *conf);

/*
 * A copy of text in *field, whose former one is wiped and freed; text may be
 * NULL.  0, or INLETS_E_NO_MEMORY after which *field is NULL.
 */
int inlets_conf_set(char **field, const char *text);

/* One more tunnel, zeroed but for defaults; NULL: no memory, or too many. */
struct inlets_tunnel_conf *inlets_conf_add(struct inlets_conf *conf);

/* The others move up. */
void inlets_conf_remove(struct inlets_conf *conf, size_t i);

/* A conf with a copy of that tunnel, and zeros; NULL: no memory. */
struct inlets_conf *inlets_conf_alone(const struct inlets_tunnel_conf *tunnel);

/* Whether they are the same, in meaning; texts may be NULL. */
bool inlets_same_text(const char *a, const char *b);
bool inlets_edge_conf_same(const struct inlets_edge_conf *a,
    const struct inlets_edge_conf *b);
bool inlets_local_conf_same(const struct inlets_local_conf *a,
    const struct inlets_local_conf *b);
bool inlets_access_conf_same(const struct inlets_access_conf *a,
    const struct inlets_access_conf *b);


#endif /* INLETS_CONF_H */
