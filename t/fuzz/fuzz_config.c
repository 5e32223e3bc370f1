/*
 * The settings file: any bytes, by the table of keys that the edge has.  What
 * the owner is told is in order and within the bounds of its key.
 */

#include <stdlib.h>
#include <string.h>

#include "inlets_config.h"
#include "inlets_error.h"

#include "../../ngx_module/ngx_inlets_settings_table.c"


#define SCRATCH     512
#define MAX_FAULTS  20


struct state {
    unsigned faults;
    unsigned depth;
    const struct inlets_config_key *open[INLETS_CONFIG_DEPTH * 2];
};


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


static void
check_value(const struct inlets_config_value *v)
{
    switch (v->key->type) {

    case INLETS_CONFIG_STRING:
        require((int64_t) v->len >= v->key->min);
        require((int64_t) v->len <= v->key->max);
        require(strlen(v->text) == v->len);
        break;

    case INLETS_CONFIG_INTEGER:
    case INLETS_CONFIG_SIZE:
    case INLETS_CONFIG_TIME:
        require(v->number >= v->key->min && v->number <= v->key->max);
        break;

    case INLETS_CONFIG_BOOLEAN:
        require(v->number == 0 || v->number == 1);
        break;

    case INLETS_CONFIG_CHOICE:
        require(v->number >= 0 && v->number <= NGX_INLETS_KEY_WEBHOOK);
        break;

    case INLETS_CONFIG_JSON:
        require(v->len < SCRATCH && strlen(v->text) == v->len);
        require(v->text[0] == '{' && v->text[v->len - 1] == '}');
        break;

    default:
        abort();
    }
}


static int
set(void *data, struct inlets_config *config,
    const struct inlets_config_value *v)
{
    struct state *state = data;

    require(v->line > 0);
    require(strlen(config->path) == config->path_len);

    switch (v->event) {

    case INLETS_CONFIG_ENTER:
        require(state->depth < INLETS_CONFIG_DEPTH * 2);
        state->open[state->depth++] = v->key;
        break;

    case INLETS_CONFIG_LEAVE:
        require(state->depth > 0);
        require(state->open[--state->depth] == v->key);
        break;

    default:
        check_value(v);

        if (v->len == 13) {
            inlets_config_error(config, v->line, "name", "%s", v->key->path);
        }
    }

    return 0;
}


static void
fault(void *data, const struct inlets_config_fault *f)
{
    struct state *state = data;

    state->faults++;

    for (const char *p = f->message; *p; p++) {
        require((unsigned char) *p >= 0x20);
    }

    require(strlen(f->path) < INLETS_CONFIG_PATH);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char scratch[SCRATCH];
    struct state state;
    struct inlets_config config = {
        .keys = ngx_inlets_settings_keys,
        .nkeys = ngx_inlets_settings_nkeys,
        .set = set,
        .fault = fault,
        .data = &state,
        .scratch = scratch,
        .scratch_size = sizeof(scratch),
        .max_faults = MAX_FAULTS
    };

    memset(&state, 0, sizeof(state));

    int rc = inlets_config_parse(&config, (const char *) data, size);

    require(rc == 0 || rc == INLETS_E_INVALID);
    require((rc == 0) == (state.faults == 0));
    require(rc != 0 || state.depth == 0);
    require(state.faults == config.faults);
    require(state.faults <= MAX_FAULTS + INLETS_CONFIG_KEYS);

    return 0;
}
