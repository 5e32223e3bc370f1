/*
 * Configuration files in YAML.  One table describes every key of a file; the
 * parser checks types and bounds, and hands each value to the owner.  All
 * faults of a file are reported, not only the first one.
 *
 * YAML is read by libyaml, which allocates for itself; nothing of it outlives
 * inlets_config_parse().  Anchors, aliases and tags are refused.
 */

#ifndef INLETS_CONFIG_H
#define INLETS_CONFIG_H


#include <stddef.h>
#include <stdint.h>


#define INLETS_CONFIG_DEPTH    16       /* levels of nesting */
#define INLETS_CONFIG_KEYS     128      /* keys in a table */
#define INLETS_CONFIG_PATH     512      /* "clients[0].clientId", cut there */
#define INLETS_CONFIG_MESSAGE  384
#define INLETS_CONFIG_NO_MAX   INT64_MAX


enum inlets_config_type {
    /* that hold other keys; null counts as an empty one */
    INLETS_CONFIG_MAP,
    INLETS_CONFIG_LIST,                 /* "name[]": of maps */
    INLETS_CONFIG_DICT,                 /* "name{}": of maps, any names */

    /* values; a key "name[]" takes a list of them, or just one */
    INLETS_CONFIG_STRING,               /* min, max: its length in bytes */
    INLETS_CONFIG_INTEGER,
    INLETS_CONFIG_BOOLEAN,
    INLETS_CONFIG_SIZE,                 /* bytes: 1048576, 1024k, 1m, 1g */
    INLETS_CONFIG_TIME,                 /* ms: "500ms", "1m30s"; 0 */
    INLETS_CONFIG_CHOICE,               /* one of choices, in any case */
    INLETS_CONFIG_JSON                  /* any map, as JSON text */
};


#define INLETS_CONFIG_SECRET   0x01     /* its value is never told */
#define INLETS_CONFIG_REQUIRED 0x02     /* in each map that could hold it */
#define INLETS_CONFIG_EMPTY    0x04     /* a list with nothing behind its key
                                           is empty, not absent */


struct inlets_config_choice {
    const char *name;                   /* NULL ends the list */
    int64_t value;
    int alias;                          /* left out of messages */
};


struct inlets_config_key {
    const char *path;                   /* "clients[].allow.ports[]" */
    const char *alias;                  /* another name of its last part */
    enum inlets_config_type type;
    unsigned flags;
    int id;                             /* the owner's */
    int64_t min;                        /* TIME: milliseconds */
    int64_t max;
    const struct inlets_config_choice *choices;

    /* for messages and the reference */

    const char *expected;               /* instead of the type's own */
    const char *def;                    /* NULL: none */
    const char *since;
    const char *meaning;
};


enum inlets_config_event {
    INLETS_CONFIG_ENTER,                /* a list or dict, and each of its */
    INLETS_CONFIG_LEAVE,                /* maps; and any other map */
    INLETS_CONFIG_VALUE
};


struct inlets_config_value {
    const struct inlets_config_key *key;
    enum inlets_config_event event;
    unsigned item;                      /* ENTER, LEAVE of a map in a list or
                                           dict, not of the whole */
    const char *text;                   /* STRING, JSON; or the name of the
                                           entry at ENTER, LEAVE of a DICT's
                                           item.  Zero byte behind it. */
    size_t len;
    int64_t number;                     /* the other types */
    unsigned line;
};


struct inlets_config_fault {
    unsigned line;                      /* 0: of the file as a whole */
    unsigned column;                    /* 0: not told */
    const char *path;                   /* "" if there is none */
    const char *message;                /* printable, no secrets */
};


struct inlets_config {
    const struct inlets_config_key *keys;
    size_t nkeys;

    /* Non-zero ends the parsing: out of memory. */
    int (*set)(void *data, struct inlets_config *config,
               const struct inlets_config_value *value);
    void (*fault)(void *data, const struct inlets_config_fault *fault);
    void *data;

    char *scratch;                      /* for JSON: its longest text */
    size_t scratch_size;
    unsigned max_faults;                /* after so many it gives up */

    /* private */

    unsigned faults;
    unsigned line;
    size_t path_len;
    char path[INLETS_CONFIG_PATH];
};


/*
 * Fills nothing but the private fields.  0, INLETS_E_INVALID after faults, or
 * INLETS_E_NO_MEMORY.
 */
int inlets_config_parse(struct inlets_config *config, const char *buf,
    size_t len);

/*
 * For the owner, from within set(): a fault of the value at hand, or with a
 * line of 0 of the file; name is a key within the present map, or NULL.
 */
void inlets_config_error(struct inlets_config *config, unsigned line,
    const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Text in a message: cut, quotes and control characters replaced. */
const char *inlets_config_show(const char *text, size_t len, char *buf,
    size_t size);

/*
 * The bare parsers of the types: 0 or INLETS_E_INVALID.  A TIME without a unit
 * is only taken if it is 0.
 */
int inlets_config_integer(const char *text, size_t len, int64_t *ret);
int inlets_config_size(const char *text, size_t len, int64_t *ret);
int inlets_config_time(const char *text, size_t len, int64_t *ret);

/* What a key expects, for messages and the reference: "a port, 1 to 65535". */
const char *inlets_config_expected(const struct inlets_config_key *key,
    char *buf, size_t size);

/* A time as it is written in a file: "1m30s". */
const char *inlets_config_format_time(int64_t ms, char *buf, size_t size);

/*
 * How many characters to change, add, take away or swap, in any case, to make
 * b of a; a high number if one of them is longer than a key may be.
 */
unsigned inlets_config_distance(const char *a, size_t alen, const char *b,
    size_t blen);


#endif /* INLETS_CONFIG_H */
