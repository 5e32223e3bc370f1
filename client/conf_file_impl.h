/*
 * Private to the reader of the client's file.
 */

#ifndef INLETS_CONF_FILE_IMPL_H
#define INLETS_CONF_FILE_IMPL_H


#include "conf_file.h"
#include "conf_keys.h"
#include "conf_value.h"
#include "inlets_config.h"


/* Where a tunnel stands in the file. */

struct inlets_conf_place {
    unsigned                    line;
    unsigned                    name;       /* lines of these keys */
    unsigned                    sub_domain;
    unsigned                    port;
};


struct inlets_conf_reader {
    struct inlets_conf_file    *file;
    struct inlets_conf         *conf;
    struct inlets_config       *config;     /* the parser */

    unsigned                    line[INLETS_KEY_MAX];   /* of keys, 0: not
                                                           given; of tunnels:
                                                           in the present */
    bool                        cut;        /* the rest was not read */
    bool                        identity_fault;
    bool                        secrets;    /* of tunnels are in it */

    /* credentials, until it is clear who wins */
    char                       *id;
    char                       *secret;

    struct inlets_tunnel_conf  *tunnel;     /* present one, NULL: too many */
    struct inlets_conf_place   *places;     /* INLETS_TUNNELS_MAX */
    bool                        in_list;    /* "tunnels" is there */
    bool                        one;        /* the form with one tunnel */
    char                       *username;
    char                       *password;
};


/* The values: 0, or not 0 when there is no memory.  Faults are told. */
int inlets_conf_tunnel_set(struct inlets_conf_reader *r,
    const struct inlets_config_value *v);
int inlets_conf_one_set(struct inlets_conf_reader *r,
    const struct inlets_config_value *v);

/* At the end of the file. */
int inlets_conf_one_check(struct inlets_conf_reader *r);


/* Of a result of conf_value.h: tells the fault. */
int inlets_conf_told(struct inlets_conf_reader *r,
    const struct inlets_config_value *v, int rc, const char *why);

/*
 * The secret in the file that v names, as inlets_secret_load(): false after
 * the fault was told.
 */
bool inlets_conf_secret(struct inlets_conf_reader *r,
    const struct inlets_config_value *v, const char *what, bool lines,
    char *ret, size_t size);

/* The path that v gives, from the file's folder; NULL: no memory. */
char *inlets_conf_path(struct inlets_conf_reader *r,
    const struct inlets_config_value *v);

int inlets_conf_ca(struct inlets_conf_reader *r, char **field,
    const struct inlets_config_value *v);


#endif /* INLETS_CONF_FILE_IMPL_H */
