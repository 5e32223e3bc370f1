#include "inlets_config_impl.h"

#include <stdio.h>
#include <string.h>


static char inlets_config_lower(char c);


/* Keys of the table. */

const struct inlets_config_key *
inlets_config_find(const struct inlets_config *config,
    const struct inlets_config_key *container, const char *name)
{
    size_t i, len, n = strlen(name);
    const char *within;
    const struct inlets_config_key *key;

    for (i = 0; i < config->nkeys; i++) {
        key = &config->keys[i];
        within = inlets_config_within(key, container, &len);

        if (within == NULL) {
            continue;
        }

        if ((len == n && memcmp(within, name, n) == 0)
            || (key->alias && strcmp(key->alias, name) == 0))
        {
            return key;
        }
    }

    return NULL;
}


/* The key's own name, if it stands right in the container; or NULL. */

const char *
inlets_config_within(const struct inlets_config_key *key,
    const struct inlets_config_key *container, size_t *ret_len)
{
    size_t len;
    const char *name = key->path;

    if (container) {
        len = strlen(container->path);

        if (strncmp(name, container->path, len) != 0 || name[len] != '.') {
            return NULL;
        }

        name += len + 1;
    }

    len = strcspn(name, ".[{");

    if (strchr(name + len, '.')) {
        return NULL;
    }

    *ret_len = len;

    return name;
}


void
inlets_config_unknown(struct inlets_config *config,
    const struct inlets_config_key *container, const char *name)
{
    size_t i, len, n = strlen(name), best_len = 0, used = 0;
    char known[INLETS_CONFIG_MESSAGE / 2] = "";
    unsigned distance, nearest = 1 + (unsigned) n / 3;
    const char *within, *best = NULL, *more = "";

    for (i = 0; i < config->nkeys; i++) {
        within = inlets_config_within(&config->keys[i], container, &len);

        if (within == NULL) {
            continue;
        }

        distance = inlets_config_distance(name, n, within, len);

        if (distance <= nearest && (best == NULL || distance < nearest)) {
            nearest = distance;
            best = within;
            best_len = len;
        }

        if (used + len + 8 > sizeof(known)) {
            more = ", ...";

        } else {
            used += (size_t) snprintf(known + used, sizeof(known) - used,
                                      "%s%.*s", used ? ", " : "", (int) len,
                                      within);
        }
    }

    for (i = 0; best == NULL && i < config->nkeys; i++) {
        within = strrchr(config->keys[i].path, '.');

        if (within && inlets_config_same(name, within + 1,
                                         strcspn(within + 1, "[{")))
        {
            best = config->keys[i].path;
            best_len = (size_t) (within - best) + 1
                       + strcspn(within + 1, "[{");
        }
    }

    if (best) {
        inlets_config_error(config, config->line, NULL,
                            "unknown key \"%s\", did you mean \"%.*s\"?",
                            name, (int) best_len, best);
        return;
    }

    inlets_config_error(config, config->line, NULL,
                        "unknown key \"%s\", expected one of %s%s", name,
                        known, more);
}


unsigned
inlets_config_distance(const char *a, size_t alen, const char *b, size_t blen)
{
    char x, y;
    size_t i, j;
    unsigned least, rows[3][INLETS_CONFIG_NAME + 1];
    unsigned *row = rows[0], *last = rows[1], *before = rows[2], *oldest;

    if (alen > INLETS_CONFIG_NAME || blen > INLETS_CONFIG_NAME) {
        return INLETS_CONFIG_NAME;
    }

    for (j = 0; j <= blen; j++) {
        row[j] = (unsigned) j;
    }

    for (i = 1; i <= alen; i++) {
        oldest = before;
        before = last;
        last = row;
        row = oldest;

        row[0] = (unsigned) i;

        for (j = 1; j <= blen; j++) {
            x = inlets_config_lower(a[i - 1]);
            y = inlets_config_lower(b[j - 1]);

            least = last[j - 1] + (x != y);

            if (last[j] + 1 < least) {
                least = last[j] + 1;
            }

            if (row[j - 1] + 1 < least) {
                least = row[j - 1] + 1;
            }

            if (i > 1 && j > 1 && before[j - 2] + 1 < least
                && x == inlets_config_lower(b[j - 2])
                && y == inlets_config_lower(a[i - 2]))
            {
                least = before[j - 2] + 1;
            }

            row[j] = least;
        }
    }

    return row[blen];
}


int
inlets_config_same(const char *a, const char *b, size_t blen)
{
    size_t i;

    for (i = 0; i < blen && a[i] != '\0'; i++) {
        if (inlets_config_lower(a[i]) != inlets_config_lower(b[i])) {
            return 0;
        }
    }

    return i == blen && a[i] == '\0';
}


static char
inlets_config_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char) (c | 0x20) : c;
}
