#include "inlets_config_impl.h"
#include "inlets_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>


static int inlets_config_document(struct inlets_config_walk *w);
static int inlets_config_map(struct inlets_config_walk *w,
    const struct inlets_config_key *container);
static int inlets_config_missing(struct inlets_config_walk *w,
    const struct inlets_config_key *container, const uint64_t *seen,
    unsigned line);
static int inlets_config_pair(struct inlets_config_walk *w,
    const struct inlets_config_key *container, uint64_t *seen);
static int inlets_config_node(struct inlets_config_walk *w,
    const struct inlets_config_key *key);
static int inlets_config_one_map(struct inlets_config_walk *w,
    const struct inlets_config_key *key, unsigned item, const char *name);
static int inlets_config_list(struct inlets_config_walk *w,
    const struct inlets_config_key *key);
static int inlets_config_dict(struct inlets_config_walk *w,
    const struct inlets_config_key *key);
static int inlets_config_values(struct inlets_config_walk *w,
    const struct inlets_config_key *key);
static int inlets_config_scalar(struct inlets_config_walk *w,
    const struct inlets_config_key *key);
static int inlets_config_convert(struct inlets_config_walk *w,
    const struct inlets_config_key *key, struct inlets_config_value *value);
static int inlets_config_boolean(const char *text, int64_t *ret);
static int inlets_config_choose(const struct inlets_config_choice *choice,
    const char *text, int64_t *ret);
static int inlets_config_printable(const char *text, size_t len);
static int inlets_config_emit(struct inlets_config_walk *w,
    const struct inlets_config_key *key, enum inlets_config_event event,
    unsigned item, const char *name);
static int inlets_config_syntax(struct inlets_config_walk *w);
static size_t inlets_config_push(struct inlets_config *config,
    const char *separator, const char *name, size_t len);
static void inlets_config_pop(struct inlets_config *config, size_t len);
static void inlets_config_fault(struct inlets_config *config, unsigned line,
    unsigned column, const char *path, const char *message);


int
inlets_config_parse(struct inlets_config *config, const char *buf, size_t len)
{
    struct inlets_config_walk w;

    config->faults = 0;
    config->line = 0;
    config->path_len = 0;
    config->path[0] = '\0';

    if (config->nkeys > INLETS_CONFIG_KEYS) {
        return INLETS_E_INVALID;
    }

    memset(&w, 0, sizeof(w));
    w.config = config;

    if (!yaml_parser_initialize(&w.yaml)) {
        return INLETS_E_NO_MEMORY;
    }

    /* libyaml passes over a byte order mark where it may guess the encoding */

    if (len < 3 || memcmp(buf, "\xef\xbb\xbf", 3) != 0) {
        yaml_parser_set_encoding(&w.yaml, YAML_UTF8_ENCODING);
    }

    yaml_parser_set_input_string(&w.yaml, (const unsigned char *) buf, len);

    (void) inlets_config_document(&w);

    if (w.has_event) {
        yaml_event_delete(&w.event);
    }

    yaml_parser_delete(&w.yaml);

    if (w.error) {
        return w.error;
    }

    return config->faults ? INLETS_E_INVALID : 0;
}


static int
inlets_config_document(struct inlets_config_walk *w)
{
    /* the start of the stream, then of the document */

    if (inlets_config_next(w) != 0 || inlets_config_next(w) != 0) {
        return -1;
    }

    if (w->event.type == YAML_STREAM_END_EVENT) {
        inlets_config_error(w->config, 0, NULL, "the file holds no keys");
        return -1;
    }

    if (inlets_config_next(w) != 0) {
        return -1;
    }

    if (w->event.type == YAML_MAPPING_START_EVENT) {
        if (inlets_config_map(w, NULL) != 0) {
            return -1;
        }

    } else {
        if (inlets_config_is_null(w)) {
            inlets_config_error(w->config, 0, NULL, "the file holds no keys");

        } else {
            inlets_config_error(w->config, w->config->line, NULL,
                                "expected \"key: value\"");
        }

        return -1;
    }

    /* the end of the document */

    if (inlets_config_next(w) != 0 || inlets_config_next(w) != 0) {
        return -1;
    }

    if (w->event.type != YAML_STREAM_END_EVENT) {
        inlets_config_error(w->config, w->config->line, NULL,
                            "expected the end of the file, found a second "
                            "document");
    }

    return 0;
}


/* From the start of a map to its end, which stays the event at hand. */

static int
inlets_config_map(struct inlets_config_walk *w,
    const struct inlets_config_key *container)
{
    unsigned line = w->config->line;
    uint64_t seen[INLETS_CONFIG_KEYS / 64] = { 0 };

    for ( ;; ) {

        if (inlets_config_next(w) != 0) {
            return -1;
        }

        if (w->event.type == YAML_MAPPING_END_EVENT) {
            return inlets_config_missing(w, container, seen, line);
        }

        if (inlets_config_pair(w, container, seen) != 0) {
            return -1;
        }
    }
}


static int
inlets_config_missing(struct inlets_config_walk *w,
    const struct inlets_config_key *container, const uint64_t *seen,
    unsigned line)
{
    struct inlets_config *config = w->config;
    char expected[INLETS_CONFIG_MESSAGE];
    char name[INLETS_CONFIG_NAME];
    const char *within;
    size_t i, len;

    for (i = 0; i < config->nkeys; i++) {

        if (!(config->keys[i].flags & INLETS_CONFIG_REQUIRED)
            || (seen[i / 64] & (1ull << i % 64)))
        {
            continue;
        }

        within = inlets_config_within(&config->keys[i], container, &len);

        if (within == NULL) {
            continue;
        }

        snprintf(name, sizeof(name), "%.*s", (int) len, within);
        inlets_config_error(config, line, name, "is missing, expected %s",
                            inlets_config_expected(&config->keys[i], expected,
                                                   sizeof(expected)));
    }

    return w->error;
}


static int
inlets_config_pair(struct inlets_config_walk *w,
    const struct inlets_config_key *container, uint64_t *seen)
{
    int rc;
    char name[INLETS_CONFIG_NAME];
    size_t i, len;
    const struct inlets_config_key *key;
    struct inlets_config *config = w->config;

    if (w->event.type != YAML_SCALAR_EVENT) {
        inlets_config_error(config, config->line, NULL,
                            "expected a key, found a list or map");

        if (inlets_config_skip(w) != 0 || inlets_config_next(w) != 0) {
            return -1;
        }

        return inlets_config_skip(w);
    }

    inlets_config_show(inlets_config_text(w), w->event.data.scalar.length,
                       name, sizeof(name));
    key = inlets_config_find(config, container, name);

    if (key == NULL) {
        inlets_config_unknown(config, container, name);
        return inlets_config_next(w) != 0 ? -1 : inlets_config_skip(w);
    }

    i = (size_t) (key - config->keys);

    if (seen[i / 64] & (1ull << i % 64)) {
        inlets_config_error(config, config->line, name, "is duplicate");
        return inlets_config_next(w) != 0 ? -1 : inlets_config_skip(w);
    }

    seen[i / 64] |= 1ull << i % 64;

    if (inlets_config_next(w) != 0) {
        return -1;
    }

    len = inlets_config_push(config, ".", name, strlen(name));
    rc = inlets_config_node(w, key);
    inlets_config_pop(config, len);

    return rc;
}


/* The value of a key, whose first event is at hand; as all below. */

static int
inlets_config_node(struct inlets_config_walk *w,
    const struct inlets_config_key *key)
{
    switch (key->type) {

    case INLETS_CONFIG_MAP:

        if (inlets_config_is_null(w)) {
            return 0;
        }

        return inlets_config_one_map(w, key, 0, NULL);

    case INLETS_CONFIG_LIST:
        return inlets_config_list(w, key);

    case INLETS_CONFIG_DICT:
        return inlets_config_dict(w, key);

    case INLETS_CONFIG_JSON:
        return inlets_config_json(w, key);

    default:

        if (key->path[strlen(key->path) - 1] == ']') {
            return inlets_config_values(w, key);
        }

        return inlets_config_scalar(w, key);
    }
}


static int
inlets_config_one_map(struct inlets_config_walk *w,
    const struct inlets_config_key *key, unsigned item, const char *name)
{
    unsigned line = w->config->line;

    if (w->event.type != YAML_MAPPING_START_EVENT) {

        if (item) {
            inlets_config_error(w->config, w->config->line, NULL,
                                "expected \"key: value\"");
            return inlets_config_skip(w);
        }

        return inlets_config_wrong(w, key);
    }

    if (inlets_config_emit(w, key, INLETS_CONFIG_ENTER, item, name) != 0
        || inlets_config_map(w, key) != 0)
    {
        return -1;
    }

    w->config->line = line;

    return inlets_config_emit(w, key, INLETS_CONFIG_LEAVE, item, name);
}


static int
inlets_config_no_list(struct inlets_config_walk *w,
    const struct inlets_config_key *key)
{
    if (!(key->flags & INLETS_CONFIG_EMPTY)) {
        return 0;
    }

    if (inlets_config_emit(w, key, INLETS_CONFIG_ENTER, 0, NULL) != 0) {
        return -1;
    }

    return inlets_config_emit(w, key, INLETS_CONFIG_LEAVE, 0, NULL);
}


static int
inlets_config_list(struct inlets_config_walk *w,
    const struct inlets_config_key *key)
{
    int n, rc;
    char index[16];
    size_t len;
    unsigned i;

    if (inlets_config_is_null(w)) {
        return inlets_config_no_list(w, key);
    }

    if (w->event.type != YAML_SEQUENCE_START_EVENT) {
        return inlets_config_wrong(w, key);
    }

    if (inlets_config_emit(w, key, INLETS_CONFIG_ENTER, 0, NULL) != 0) {
        return -1;
    }

    for (i = 0; /* void */ ; i++) {

        if (inlets_config_next(w) != 0) {
            return -1;
        }

        if (w->event.type == YAML_SEQUENCE_END_EVENT) {
            return inlets_config_emit(w, key, INLETS_CONFIG_LEAVE, 0, NULL);
        }

        n = snprintf(index, sizeof(index), "[%u]", i);

        len = inlets_config_push(w->config, "", index, (size_t) n);
        rc = inlets_config_one_map(w, key, 1, NULL);
        inlets_config_pop(w->config, len);

        if (rc != 0) {
            return -1;
        }
    }
}


static int
inlets_config_dict(struct inlets_config_walk *w,
    const struct inlets_config_key *key)
{
    int rc;
    char name[INLETS_CONFIG_PATH / 2], shown[INLETS_CONFIG_NAME];
    size_t len;

    if (inlets_config_is_null(w)) {
        return 0;
    }

    if (w->event.type != YAML_MAPPING_START_EVENT) {
        return inlets_config_wrong(w, key);
    }

    if (inlets_config_emit(w, key, INLETS_CONFIG_ENTER, 0, NULL) != 0) {
        return -1;
    }

    for ( ;; ) {

        if (inlets_config_next(w) != 0) {
            return -1;
        }

        if (w->event.type == YAML_MAPPING_END_EVENT) {
            return inlets_config_emit(w, key, INLETS_CONFIG_LEAVE, 0, NULL);
        }

        if (w->event.type != YAML_SCALAR_EVENT
            || w->event.data.scalar.length >= sizeof(name)
            || !inlets_config_printable(inlets_config_text(w),
                                        w->event.data.scalar.length))
        {
            inlets_config_error(w->config, w->config->line, NULL,
                                "expected a name");

            if (inlets_config_skip(w) != 0 || inlets_config_next(w) != 0
                || inlets_config_skip(w) != 0)
            {
                return -1;
            }

            continue;
        }

        memcpy(name, inlets_config_text(w), w->event.data.scalar.length + 1);

        if (inlets_config_next(w) != 0) {
            return -1;
        }

        inlets_config_show(name, strlen(name), shown, sizeof(shown));

        len = inlets_config_push(w->config, ".", shown, strlen(shown));
        rc = inlets_config_one_map(w, key, 1, name);
        inlets_config_pop(w->config, len);

        if (rc != 0) {
            return -1;
        }
    }
}


/* A list of values; a single one may stand without the list. */

static int
inlets_config_values(struct inlets_config_walk *w,
    const struct inlets_config_key *key)
{
    if (inlets_config_emit(w, key, INLETS_CONFIG_ENTER, 0, NULL) != 0) {
        return -1;
    }

    if (w->event.type != YAML_SEQUENCE_START_EVENT) {

        if (inlets_config_scalar(w, key) != 0) {
            return -1;
        }

        return inlets_config_emit(w, key, INLETS_CONFIG_LEAVE, 0, NULL);
    }

    for ( ;; ) {

        if (inlets_config_next(w) != 0) {
            return -1;
        }

        if (w->event.type == YAML_SEQUENCE_END_EVENT) {
            return inlets_config_emit(w, key, INLETS_CONFIG_LEAVE, 0, NULL);
        }

        if (inlets_config_scalar(w, key) != 0) {
            return -1;
        }
    }
}


static int
inlets_config_scalar(struct inlets_config_walk *w,
    const struct inlets_config_key *key)
{
    struct inlets_config_value value;

    if (w->event.type != YAML_SCALAR_EVENT || inlets_config_is_null(w)) {
        return inlets_config_wrong(w, key);
    }

    memset(&value, 0, sizeof(value));
    value.key = key;
    value.event = INLETS_CONFIG_VALUE;
    value.text = inlets_config_text(w);
    value.len = w->event.data.scalar.length;
    value.line = w->config->line;

    if (inlets_config_convert(w, key, &value) != 0) {
        return inlets_config_wrong(w, key);
    }

    if (w->config->set(w->config->data, w->config, &value) != 0) {
        w->error = INLETS_E_NO_MEMORY;
    }

    return w->error;
}


static int
inlets_config_convert(struct inlets_config_walk *w,
    const struct inlets_config_key *key, struct inlets_config_value *value)
{
    int rc;
    int64_t size;

    switch (key->type) {

    case INLETS_CONFIG_STRING:

        if (!inlets_config_printable(value->text, value->len)) {
            return -1;
        }

        rc = 0;
        size = (int64_t) value->len;
        break;

    case INLETS_CONFIG_INTEGER:
        rc = inlets_config_integer(value->text, value->len, &value->number);
        size = value->number;
        break;

    case INLETS_CONFIG_SIZE:
        rc = inlets_config_size(value->text, value->len, &value->number);
        size = value->number;
        break;

    case INLETS_CONFIG_TIME:
        rc = inlets_config_time(value->text, value->len, &value->number);
        size = value->number;
        break;

    case INLETS_CONFIG_BOOLEAN:

        if (w->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
            return -1;
        }

        return inlets_config_boolean(value->text, &value->number);

    case INLETS_CONFIG_CHOICE:
        return inlets_config_choose(key->choices, value->text,
                                    &value->number);

    default:
        return -1;
    }

    if (rc != 0) {
        return rc;
    }

    if (key->max && (size < key->min || size > key->max)) {
        return -1;
    }

    return 0;
}


static int
inlets_config_boolean(const char *text, int64_t *ret)
{
    static const struct inlets_config_choice words[] = {
        { "true", 1, 0 },
        { "false", 0, 0 },
        { "yes", 1, 0 },
        { "no", 0, 0 },
        { "on", 1, 0 },
        { "off", 0, 0 },
        { NULL, 0, 0 }
    };

    return inlets_config_choose(words, text, ret);
}


static int
inlets_config_choose(const struct inlets_config_choice *choice,
    const char *text, int64_t *ret)
{
    for ( /* void */ ; choice->name; choice++) {
        if (inlets_config_same(text, choice->name, strlen(choice->name))) {
            *ret = choice->value;
            return 0;
        }
    }

    return -1;
}


static int
inlets_config_printable(const char *text, size_t len)
{
    size_t i;
    unsigned char c;

    for (i = 0; i < len; i++) {
        c = (unsigned char) text[i];

        if (c < 0x20 || c == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static int
inlets_config_emit(struct inlets_config_walk *w,
    const struct inlets_config_key *key, enum inlets_config_event event,
    unsigned item, const char *name)
{
    struct inlets_config_value value;

    memset(&value, 0, sizeof(value));
    value.key = key;
    value.event = event;
    value.item = item;
    value.text = name;
    value.len = name ? strlen(name) : 0;
    value.line = w->config->line;

    if (w->config->set(w->config->data, w->config, &value) != 0) {
        w->error = INLETS_E_NO_MEMORY;
    }

    return w->error;
}


/* Says what was expected and found, and goes past it. */

int
inlets_config_wrong(struct inlets_config_walk *w,
    const struct inlets_config_key *key)
{
    char expected[INLETS_CONFIG_MESSAGE / 2], found[INLETS_CONFIG_SHOWN];
    struct inlets_config *config = w->config;

    inlets_config_expected(key, expected, sizeof(expected));

    switch (w->event.type) {

    case YAML_MAPPING_START_EVENT:
        inlets_config_error(config, config->line, NULL,
                            "expected %s, found a map", expected);
        break;

    case YAML_SEQUENCE_START_EVENT:
        inlets_config_error(config, config->line, NULL,
                            "expected %s, found a list", expected);
        break;

    default:

        if (inlets_config_is_null(w)) {
            inlets_config_error(config, config->line, NULL,
                                "expected %s, found nothing", expected);

        } else if (key->flags & INLETS_CONFIG_SECRET) {
            inlets_config_error(config, config->line, NULL, "expected %s",
                                expected);

        } else {
            inlets_config_error(config, config->line, NULL,
                                "expected %s, found \"%s\"", expected,
                                inlets_config_show(inlets_config_text(w),
                                    w->event.data.scalar.length, found,
                                    sizeof(found)));
        }
    }

    return inlets_config_skip(w);
}


int
inlets_config_next(struct inlets_config_walk *w)
{
    const yaml_event_t *event = &w->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (w->config->max_faults && w->config->faults >= w->config->max_faults) {
        inlets_config_fault(w->config, w->config->line, 0, "",
                            "too many errors, what follows was not read");
        w->error = INLETS_E_INVALID;
    }

    if (w->error) {
        return -1;
    }

    if (w->has_event) {
        yaml_event_delete(&w->event);
        w->has_event = 0;
    }

    if (!yaml_parser_parse(&w->yaml, &w->event)) {
        return inlets_config_syntax(w);
    }

    w->has_event = 1;
    w->config->line = (unsigned) event->start_mark.line + 1;

    switch (event->type) {

    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;

    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        w->depth++;
        break;

    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        w->depth++;
        break;

    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        w->depth--;
        break;

    default:
        break;
    }

    if (event->type == YAML_ALIAS_EVENT || anchor || tag) {
        inlets_config_error(w->config, w->config->line, NULL,
                            "anchors (&), aliases (*) and tags (!) can't be "
                            "used here; a text that starts so needs quotes");
        w->error = INLETS_E_INVALID;
    }

    if (w->depth > INLETS_CONFIG_DEPTH) {
        inlets_config_error(w->config, w->config->line, NULL,
                            "nested deeper than %d levels",
                            INLETS_CONFIG_DEPTH);
        w->error = INLETS_E_INVALID;
    }

    return w->error;
}


static int
inlets_config_syntax(struct inlets_config_walk *w)
{
    char message[INLETS_CONFIG_MESSAGE];
    yaml_mark_t *mark = &w->yaml.problem_mark;

    if (w->yaml.error == YAML_MEMORY_ERROR) {
        w->error = INLETS_E_NO_MEMORY;
        return -1;
    }

    w->error = INLETS_E_INVALID;

    if (w->yaml.error == YAML_READER_ERROR) {
        snprintf(message, sizeof(message), "%s, at byte %zu of the file",
                 w->yaml.problem ? w->yaml.problem : "not UTF-8",
                 w->yaml.problem_offset);
        inlets_config_fault(w->config, (unsigned) w->yaml.mark.line + 1, 0, "",
                            message);
        return -1;
    }

    snprintf(message, sizeof(message), "%s%s%s",
             w->yaml.problem ? w->yaml.problem : "not valid YAML",
             w->yaml.context ? ", " : "",
             w->yaml.context ? w->yaml.context : "");

    inlets_config_fault(w->config, (unsigned) mark->line + 1,
                        (unsigned) mark->column + 1, "", message);

    return -1;
}


/* Past the node at hand, to its last event. */

int
inlets_config_skip(struct inlets_config_walk *w)
{
    unsigned depth;

    if (w->event.type != YAML_MAPPING_START_EVENT
        && w->event.type != YAML_SEQUENCE_START_EVENT)
    {
        return w->error;
    }

    depth = w->depth - 1;

    do {
        if (inlets_config_next(w) != 0) {
            return -1;
        }

    } while (w->depth > depth);

    return 0;
}


int
inlets_config_is_null(const struct inlets_config_walk *w)
{
    const char *text;

    if (w->event.type != YAML_SCALAR_EVENT
        || w->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
    {
        return 0;
    }

    text = inlets_config_text(w);

    return text[0] == '\0' || strcmp(text, "~") == 0
           || inlets_config_same(text, "null", 4);
}


const char *
inlets_config_text(const struct inlets_config_walk *w)
{
    return (const char *) w->event.data.scalar.value;
}


static size_t
inlets_config_push(struct inlets_config *config, const char *separator,
    const char *name, size_t len)
{
    int n;
    size_t before = config->path_len, size = sizeof(config->path) - before;

    n = snprintf(config->path + before, size, "%s%.*s",
                 before ? separator : "", (int) len, name);

    config->path_len += (size_t) n < size ? (size_t) n : size - 1;

    return before;
}


static void
inlets_config_pop(struct inlets_config *config, size_t len)
{
    config->path_len = len;
    config->path[len] = '\0';
}


void
inlets_config_error(struct inlets_config *config, unsigned line,
    const char *name, const char *format, ...)
{
    char message[INLETS_CONFIG_MESSAGE];
    size_t len;
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    len = config->path_len;

    if (name) {
        len = inlets_config_push(config, ".", name, strlen(name));
    }

    inlets_config_fault(config, line, 0, config->path, message);
    inlets_config_pop(config, len);
}


static void
inlets_config_fault(struct inlets_config *config, unsigned line,
    unsigned column, const char *path, const char *message)
{
    struct inlets_config_fault fault;

    fault.line = line;
    fault.column = column;
    fault.path = path;
    fault.message = message;

    config->faults++;
    config->fault(config->data, &fault);
}
