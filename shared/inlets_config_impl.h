/*
 * Private to the parser of configuration files.
 *
 *   inlets_config.c        from YAML to the owner, by the table
 *   inlets_config_json.c   free-form maps
 *   inlets_config_keys.c   which key is meant
 *   inlets_config_value.c  numbers, sizes, times; their texts
 */

#ifndef INLETS_CONFIG_IMPL_H
#define INLETS_CONFIG_IMPL_H


#include "inlets_config.h"

#include <yaml.h>


#define INLETS_CONFIG_NAME   64     /* no key is longer */
#define INLETS_CONFIG_SHOWN  48     /* of a value in a message */


struct inlets_config_walk {
    struct inlets_config *config;
    yaml_parser_t yaml;
    yaml_event_t event;
    unsigned has_event;
    unsigned depth;                 /* of the event at hand */
    int error;                      /* not 0: ends all */

    size_t json_len;
    int json_full;
};


/*
 * Functions of a walk return 0, or not 0 when all ends.  A node's first event
 * is at hand when its function is called, and its last one afterwards.
 */
int inlets_config_next(struct inlets_config_walk *w);
int inlets_config_skip(struct inlets_config_walk *w);
int inlets_config_json(struct inlets_config_walk *w,
    const struct inlets_config_key *key);

/* Says what was expected and found, and skips it. */
int inlets_config_wrong(struct inlets_config_walk *w,
    const struct inlets_config_key *key);

int inlets_config_is_null(const struct inlets_config_walk *w);
const char *inlets_config_text(const struct inlets_config_walk *w);


const struct inlets_config_key *inlets_config_find(
    const struct inlets_config *config,
    const struct inlets_config_key *container, const char *name);

/* The key's own name, if it stands right in the container; or NULL. */
const char *inlets_config_within(const struct inlets_config_key *key,
    const struct inlets_config_key *container, size_t *ret_len);

void inlets_config_unknown(struct inlets_config *config,
    const struct inlets_config_key *container, const char *name);

/* Equal in any case; a has a zero byte at its end. */
int inlets_config_same(const char *a, const char *b, size_t blen);


#endif /* INLETS_CONFIG_IMPL_H */
