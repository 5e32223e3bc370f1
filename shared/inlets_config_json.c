#include "inlets_config_impl.h"
#include "inlets_error.h"

#include <stdio.h>
#include <string.h>


static int inlets_config_json_node(struct inlets_config_walk *w);
static int inlets_config_json_map(struct inlets_config_walk *w);
static int inlets_config_json_list(struct inlets_config_walk *w);
static void inlets_config_json_scalar(struct inlets_config_walk *w);
static void inlets_config_json_string(struct inlets_config_walk *w,
    const char *text, size_t len);
static void inlets_config_json_put(struct inlets_config_walk *w,
    const char *text, size_t len);
static int inlets_config_is_number(const char *text, size_t len);


/* Any map, as JSON. */

int
inlets_config_json(struct inlets_config_walk *w,
    const struct inlets_config_key *key)
{
    unsigned line = w->config->line;
    struct inlets_config_value value;

    if (w->event.type != YAML_MAPPING_START_EVENT) {
        return inlets_config_is_null(w) ? 0 : inlets_config_wrong(w, key);
    }

    w->json_len = 0;
    w->json_full = (w->config->scratch_size == 0);

    if (inlets_config_json_node(w) != 0) {
        return -1;
    }

    if (w->json_full) {
        inlets_config_error(w->config, line, NULL,
                            "is too long, expected at most %zu bytes of JSON",
                            w->config->scratch_size);
        return w->error;
    }

    w->config->scratch[w->json_len] = '\0';

    memset(&value, 0, sizeof(value));
    value.key = key;
    value.event = INLETS_CONFIG_VALUE;
    value.text = w->config->scratch;
    value.len = w->json_len;
    value.line = line;

    if (w->config->set(w->config->data, w->config, &value) != 0) {
        w->error = INLETS_E_NO_MEMORY;
    }

    return w->error;
}


/* inlets_config_next() bounds the depth. */

static int
inlets_config_json_node(struct inlets_config_walk *w)
{
    switch (w->event.type) {

    case YAML_MAPPING_START_EVENT:
        return inlets_config_json_map(w);

    case YAML_SEQUENCE_START_EVENT:
        return inlets_config_json_list(w);

    default:
        inlets_config_json_scalar(w);
        return 0;
    }
}


static int
inlets_config_json_map(struct inlets_config_walk *w)
{
    unsigned n;

    inlets_config_json_put(w, "{", 1);

    for (n = 0; /* void */ ; n++) {

        if (inlets_config_next(w) != 0) {
            return -1;
        }

        if (w->event.type == YAML_MAPPING_END_EVENT) {
            inlets_config_json_put(w, "}", 1);
            return 0;
        }

        if (n) {
            inlets_config_json_put(w, ",", 1);
        }

        if (w->event.type == YAML_SCALAR_EVENT) {
            inlets_config_json_string(w, inlets_config_text(w),
                                      w->event.data.scalar.length);

        } else {
            inlets_config_error(w->config, w->config->line, NULL,
                                "expected a key, found a list or map");

            if (inlets_config_skip(w) != 0) {
                return -1;
            }
        }

        inlets_config_json_put(w, ":", 1);

        if (inlets_config_next(w) != 0 || inlets_config_json_node(w) != 0) {
            return -1;
        }
    }
}


static int
inlets_config_json_list(struct inlets_config_walk *w)
{
    unsigned n;

    inlets_config_json_put(w, "[", 1);

    for (n = 0; /* void */ ; n++) {

        if (inlets_config_next(w) != 0) {
            return -1;
        }

        if (w->event.type == YAML_SEQUENCE_END_EVENT) {
            inlets_config_json_put(w, "]", 1);
            return 0;
        }

        if (n) {
            inlets_config_json_put(w, ",", 1);
        }

        if (inlets_config_json_node(w) != 0) {
            return -1;
        }
    }
}


static void
inlets_config_json_scalar(struct inlets_config_walk *w)
{
    size_t len = w->event.data.scalar.length;
    const char *text = inlets_config_text(w);

    if (inlets_config_is_null(w)) {
        inlets_config_json_put(w, "null", 4);
        return;
    }

    if (w->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {

        if (inlets_config_same(text, "true", 4)) {
            inlets_config_json_put(w, "true", 4);
            return;
        }

        if (inlets_config_same(text, "false", 5)) {
            inlets_config_json_put(w, "false", 5);
            return;
        }

        if (inlets_config_is_number(text, len)) {
            inlets_config_json_put(w, text, len);
            return;
        }
    }

    inlets_config_json_string(w, text, len);
}


static void
inlets_config_json_string(struct inlets_config_walk *w, const char *text,
    size_t len)
{
    int n;
    char escape[8];
    size_t i;
    unsigned char c;

    inlets_config_json_put(w, "\"", 1);

    for (i = 0; i < len && !w->json_full; i++) {
        c = (unsigned char) text[i];

        if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = (char) c;
            inlets_config_json_put(w, escape, 2);

        } else if (c < 0x20 || c == 0x7f) {
            n = snprintf(escape, sizeof(escape), "\\u%04x", c);
            inlets_config_json_put(w, escape, (size_t) n);

        } else {
            inlets_config_json_put(w, &text[i], 1);
        }
    }

    inlets_config_json_put(w, "\"", 1);
}


static void
inlets_config_json_put(struct inlets_config_walk *w, const char *text,
    size_t len)
{
    /* one byte for the zero at the end */

    if (w->json_full || len >= w->config->scratch_size - w->json_len) {
        w->json_full = 1;
        return;
    }

    memcpy(w->config->scratch + w->json_len, text, len);
    w->json_len += len;
}


static int
inlets_config_is_number(const char *text, size_t len)
{
    const char *p = text, *end = text + len, *start;

    p += (p != end && *p == '-');
    start = p;

    while (p != end && *p >= '0' && *p <= '9') {
        p++;
    }

    if (p == start || (*start == '0' && p - start > 1)) {
        return 0;
    }

    if (p != end && *p == '.') {
        start = ++p;

        while (p != end && *p >= '0' && *p <= '9') {
            p++;
        }

        if (p == start) {
            return 0;
        }
    }

    return p == end;
}
