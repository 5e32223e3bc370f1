/*
 * Configuration files: types, bounds, all faults with line and key.  By a
 * table of its own, and by that of the settings file.
 */

#include "tap.h"

#include <stdarg.h>
#include <stdlib.h>

#include "inlets_config.h"
#include "inlets_error.h"

#include "../../ngx_module/ngx_inlets_settings_table.c"


#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

enum { ID_NAME = 1, ID_SECRET, ID_COUNT, ID_RATE, ID_TIME, ID_COLOR, ID_ON,
       ID_MAP, ID_ITEMS, ID_ITEM_ID, ID_TAGS, ID_ANY, ID_DICT, ID_SIZE };


static const struct inlets_config_choice colors[] = {
    { "red", 1, 0 },
    { "green", 2, 0 },
    { "verde", 2, 1 },
    { NULL, 0, 0 }
};

static const struct inlets_config_key keys[] = {
    { .path = "name", .type = INLETS_CONFIG_STRING, .id = ID_NAME,
      .min = 2, .max = 8 },
    { .path = "secret", .type = INLETS_CONFIG_STRING, .id = ID_SECRET,
      .flags = INLETS_CONFIG_SECRET, .min = 4, .max = 8 },
    { .path = "count", .type = INLETS_CONFIG_INTEGER, .id = ID_COUNT,
      .min = -5, .max = 100 },
    { .path = "rate", .alias = "speed", .type = INLETS_CONFIG_SIZE,
      .id = ID_RATE },
    { .path = "time", .type = INLETS_CONFIG_TIME, .id = ID_TIME,
      .min = 1000, .max = 60000 },
    { .path = "color", .type = INLETS_CONFIG_CHOICE, .id = ID_COLOR,
      .choices = colors },
    { .path = "on", .type = INLETS_CONFIG_BOOLEAN, .id = ID_ON },
    { .path = "map", .type = INLETS_CONFIG_MAP, .id = ID_MAP },
    { .path = "map.items[]", .type = INLETS_CONFIG_LIST, .id = ID_ITEMS },
    { .path = "map.items[].itemId", .type = INLETS_CONFIG_STRING,
      .id = ID_ITEM_ID, .flags = INLETS_CONFIG_REQUIRED, .min = 1,
      .max = 8 },
    { .path = "map.items[].tags[]", .type = INLETS_CONFIG_STRING,
      .id = ID_TAGS, .min = 1, .max = 8 },
    { .path = "any", .type = INLETS_CONFIG_JSON, .id = ID_ANY },
    { .path = "dict{}", .type = INLETS_CONFIG_DICT, .id = ID_DICT },
    { .path = "dict{}.size", .type = INLETS_CONFIG_SIZE, .id = ID_SIZE }
};


static char told[4096];         /* by set() and fault() */


static void
tell(const char *format, ...)
{
    va_list args;
    size_t len = strlen(told);

    va_start(args, format);
    vsnprintf(told + len, sizeof(told) - len, format, args);
    va_end(args);
}


static int
set(void *data, struct inlets_config *config,
    const struct inlets_config_value *v)
{
    (void) data;

    if (v->event == INLETS_CONFIG_ENTER) {
        tell("<%s", config->path);

        if (v->text) {
            tell("(%s)", v->text);
        }

        tell("%s ", v->item ? "!" : "");

    } else if (v->event == INLETS_CONFIG_LEAVE) {
        tell("> ");

    } else if (v->text) {
        tell("%s:%u=%s/%lld ", config->path, v->line, v->text,
             (long long) v->number);
    }

    return 0;
}


static void
fault(void *data, const struct inlets_config_fault *f)
{
    (void) data;

    if (f->column) {
        tell("%u:%u: %s: %s\n", f->line, f->column, f->path, f->message);

    } else {
        tell("%u: %s: %s\n", f->line, f->path, f->message);
    }
}


static int
parse_by(const struct inlets_config_key *table, size_t n, const char *text,
    size_t len, size_t scratch_size)
{
    static char scratch[256];
    struct inlets_config config = {
        .keys = table,
        .nkeys = n,
        .set = set,
        .fault = fault,
        .scratch = scratch,
        .scratch_size = scratch_size,
        .max_faults = 10
    };

    told[0] = '\0';

    /* a copy of just that size, for the sanitizers */

    char *copy = malloc(len ? len : 1);

    memcpy(copy, text, len);

    int rc = inlets_config_parse(&config, copy, len);

    free(copy);

    return rc;
}


static int
parse(const char *text)
{
    return parse_by(keys, COUNT(keys), text, strlen(text), 256);
}


static void
good(const char *text, const char *expected, const char *name)
{
    is_int(parse(text), 0, name);
    is_str(told, expected, name);
}


static void
bad(const char *text, const char *expected, const char *name)
{
    is_int(parse(text), INLETS_E_INVALID, name);
    is_str(told, expected, name);
}


static void
test_numbers(void)
{
    int64_t n = 0;

    static const struct {
        const char *text;
        int64_t integer;
        int64_t size;
        int64_t time;
    } cases[] = {
        { "0", 0, 0, 0 },
        { "17", 17, 17, -1 },
        { "1k", -1, 1024, -1 },
        { "3M", -1, 3 * 1024 * 1024, -1 },
        { "2g", -1, 2147483648, -1 },
        { "1kb", -1, -1, -1 },
        { "1 k", -1, -1, -1 },
        { "k", -1, -1, -1 },
        { "", -1, -1, -1 },
        { "-", -1, -1, -1 },
        { "0x10", -1, -1, -1 },
        { "9007199254740992", 9007199254740992, 9007199254740992, -1 },
        { "9007199254740993", -1, -1, -1 },
        { "99999999999999999999999", -1, -1, -1 },
        { "9007199254740992g", -1, -1, -1 },
        { "500ms", -1, -1, 500 },
        { "10s", -1, -1, 10000 },
        { "1m30s", -1, -1, 90000 },
        { "1h", -1, -1, 3600000 },
        { "2d", -1, -1, 172800000 },
        { "1.5s", -1, -1, 1500 },
        { "10m0s", -1, -1, 600000 },
        { "1.s", -1, -1, -1 },
        { "0s", -1, -1, 0 },
        { "1s1", -1, -1, -1 },
        { "s", -1, -1, -1 },
        { "9007199254740992d", -1, -1, -1 }
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = cases[i].text;
        size_t len = strlen(text);

        n = -1;
        is_int(inlets_config_integer(text, len, &n),
               cases[i].integer < 0 ? INLETS_E_INVALID : 0, text);
        is_int(n, cases[i].integer, text);

        n = -1;
        is_int(inlets_config_size(text, len, &n),
               cases[i].size < 0 ? INLETS_E_INVALID : 0, text);
        is_int(n, cases[i].size, text);

        n = -1;
        is_int(inlets_config_time(text, len, &n),
               cases[i].time < 0 ? INLETS_E_INVALID : 0, text);
        is_int(n, cases[i].time, text);
    }

    is_int(inlets_config_integer("-3", 2, &n), 0, "negative");
    is_int(n, -3, "negative");
}


static void
test_texts(void)
{
    char buf[64], small[8];

    is_str(inlets_config_format_time(0, buf, sizeof(buf)), "0", "no time");
    is_str(inlets_config_format_time(90061001, buf, sizeof(buf)),
           "1d1h1m1s1ms", "all units");
    is_str(inlets_config_format_time(300000, buf, sizeof(buf)), "5m",
           "one unit");
    is_str(inlets_config_format_time(90061001, small, sizeof(small)),
           "1d1h1m1", "cut");

    is_str(inlets_config_show("a\"b\nc", 5, buf, sizeof(buf)), "a?b?c",
           "what is unprintable is not shown");
    is_str(inlets_config_show("0123456789", 10, small, sizeof(small)),
           "0123...", "what is long is cut");

    is_str(inlets_config_expected(&keys[0], buf, sizeof(buf)),
           "text, 2 to 8 bytes", "what a text expects");
    is_str(inlets_config_expected(&keys[4], buf, sizeof(buf)),
           "a time such as 30s or 1m30s, 1s to 1m", "what a time expects");
    is_str(inlets_config_expected(&keys[5], buf, sizeof(buf)),
           "one of red, green", "what a choice expects");
}


static void
test_values(void)
{
    good("name: abc", "name:1=abc/0 ", "text");
    good("name: '12'", "name:1=12/0 ", "quoted text");
    good("name: 12\n", "name:1=12/0 ", "a number as text");
    good("\xef\xbb\xbfname: ab\r\ncount: 7\r\n", "name:1=ab/0 count:2=7/7 ",
         "a byte order mark");
    good("{\"name\": \"abc\", \"count\": 7}", "name:1=abc/0 count:1=7/7 ",
         "JSON is YAML");
    good("# x\n\ncount: -5 # y\n", "count:3=-5/-5 ", "comments");
    good("rate: 2k", "rate:1=2k/2048 ", "size");
    good("speed: 2", "speed:1=2/2 ", "an alias of a key");
    good("time: 1m", "time:1=1m/60000 ", "time");
    good("color: GREEN", "color:1=GREEN/2 ", "a choice in any case");
    good("color: verde", "color:1=verde/2 ", "an alias of a choice");
    good("on: yes", "on:1=yes/1 ", "yes");
    good("on: False", "on:1=False/0 ", "false");

    good("map:\n  items:\n  - itemId: a\n    tags: [x, y]\n"
         "  - itemId: b\n    tags: z\n",
         "<map <map.items <map.items[0]! map.items[0].itemId:3=a/0 "
         "<map.items[0].tags map.items[0].tags:4=x/0 "
         "map.items[0].tags:4=y/0 > > "
         "<map.items[1]! map.items[1].itemId:5=b/0 <map.items[1].tags "
         "map.items[1].tags:6=z/0 > > > > ", "lists of maps and texts");

    good("map:\n", "", "an empty map");
    good("map:\n  items:\n", "<map > ", "an empty list of maps");
    good("map: {items: []}", "<map <map.items > > ", "a list of nothing");

    good("dict:\n  a.b: {size: 1}\n  c: {}\n",
         "<dict <dict.a.b(a.b)! dict.a.b.size:2=1/1 > <dict.c(c)! > > ",
         "a map of names");

    good("any: {a: [1, -2.5, 007, true, ~, 'true', \"q\\\"\\n\"], b: {}}",
         "any:1={\"a\":[1,-2.5,\"007\",true,null,\"true\",\"q\\\"\\u000a\"],"
         "\"b\":{}}/0 ", "any map as JSON");
    good("any:", "", "no map");
}


static void
test_wrong(void)
{
    bad("name: a\nname: b\ncount: 101\non: 'yes'\ntime: 5\n",
        "1: name: expected text, 2 to 8 bytes, found \"a\"\n"
        "2: name: is duplicate\n"
        "3: count: expected a whole number, -5 to 100, found \"101\"\n"
        "4: on: expected true or false, found \"yes\"\n"
        "5: time: expected a time such as 30s or 1m30s, 1s to 1m, "
        "found \"5\"\n", "all are told");

    bad("secret: abc", "1: secret: expected text, 4 to 8 bytes\n",
        "a secret is not shown");
    bad("secret: \"abcde\\0\"", "1: secret: expected text, 4 to 8 bytes\n",
        "a control character");
    bad("name:", "1: name: expected text, 2 to 8 bytes, found nothing\n",
        "nothing");
    bad("name: [abc]", "1: name: expected text, 2 to 8 bytes, "
        "found a list\n", "a list");
    bad("name: {a: b}", "1: name: expected text, 2 to 8 bytes, "
        "found a map\n", "a map");
    bad("map: [a]", "1: map: expected a map of keys, found a list\n",
        "a list for a map");
    bad("any: a", "1: any: expected a map, found \"a\"\n", "text for a map");
    bad("color: blue", "1: color: expected one of red, green, "
        "found \"blue\"\n", "another choice");

    bad("map: {items: [a, {itemId: b}, {tags: []}]}",
        "<map <map.items 1: map.items[0]: expected \"key: value\"\n"
        "<map.items[1]! map.items[1].itemId:1=b/0 > <map.items[2]! "
        "<map.items[2].tags > 1: map.items[2].itemId: is missing, expected "
        "text, 1 to 8 bytes\n> > > ", "items of a list");

    bad("speed: 1\nrate: 2\n", "speed:1=1/1 2: rate: is duplicate\n",
        "a key and its alias");
    bad("? [a]\n: b\nname: ab\n", "1: : expected a key, found a list or map\n"
        "name:3=ab/0 ", "a key that is none");
    bad("dict: {[a]: {size: 1}, b: {size: 2}}",
        "<dict 1: dict: expected a name\n"
        "<dict.b(b)! dict.b.size:1=2/2 > > ", "a name that is none");
}


static void
test_unknown(void)
{
    bad("nmae: a\n", "1: : unknown key \"nmae\", did you mean \"name\"?\n",
        "near");
    bad("Color: red\n", "1: : unknown key \"Color\", did you mean "
        "\"color\"?\n", "another case");
    bad("itemid: a\n", "1: : unknown key \"itemid\", did you mean "
        "\"map.items[].itemId\"?\n", "a key from elsewhere");
    bad("map: {itms: [{a: {b: [c]}}]}",
        "<map 1: map: unknown key \"itms\", did you mean \"items\"?\n> ",
        "its value is skipped");
    bad("map:\n  items:\n  - itemId: a\n    zzzzzz: 1\n",
        "<map <map.items <map.items[0]! map.items[0].itemId:3=a/0 "
        "4: map.items[0]: unknown key \"zzzzzz\", expected one of itemId, "
        "tags\n> > > ", "nothing like it");
    bad("\"na\\x01\\\"e\": 1\n",
        "1: : unknown key \"na??e\", did you mean \"name\"?\n",
        "an unprintable key");
}


static void
test_syntax(void)
{
    bad("", "0: : the file holds no keys\n", "empty");
    bad("# only this\n", "0: : the file holds no keys\n", "a comment");
    bad("---\n...\n", "0: : the file holds no keys\n", "an empty document");
    bad("abc\n", "1: : expected \"key: value\"\n", "text");
    bad("- name: a\n", "1: : expected \"key: value\"\n", "a list");
    bad("name: ab\n---\nname: cd\n", "name:1=ab/0 2: : expected the end of "
        "the file, found a second document\n", "two documents");
    bad("name: &x ab\n", "1: : anchors (&), aliases (*) and tags (!) "
        "can't be used here; a text that starts so needs quotes\n",
        "an anchor");
    bad("name: !!str ab\n", "1: : anchors (&), aliases (*) and tags (!) "
        "can't be used here; a text that starts so needs quotes\n", "a tag");

    is_int(parse("name: ab\ncount: [1\ntime: 2s\n"), INLETS_E_INVALID,
           "a bracket");
    ok(strstr(told, "3:") != NULL, "has line and column");

    is_int(parse("name: ab\n\tcount: 1\n"), INLETS_E_INVALID, "a tab");
    is_int(parse_by(keys, COUNT(keys), "name: \xff\xff", 8, 256),
           INLETS_E_INVALID, "not UTF-8");
    is_int(parse_by(keys, COUNT(keys), "name: a\0b", 9, 256),
           INLETS_E_INVALID, "a zero byte");
}


static void
test_bounds(void)
{
    char text[2048];
    size_t n;

    is_int(parse_by(keys, COUNT(keys), "any: {abc: defg}", 16, 14),
           INLETS_E_INVALID, "JSON that is too long");
    is_str(told, "1: any: is too long, expected at most 14 bytes of JSON\n",
           "is told");
    is_int(parse_by(keys, COUNT(keys), "any: {abc: defg}", 16, 15), 0,
           "JSON that just fits");

    n = (size_t) snprintf(text, sizeof(text), "any: {a: ");
    memset(text + n, '[', 1000);
    text[n + 1000] = '\0';

    bad(text, "1: any: nested deeper than 16 levels\n", "too deep");

    text[0] = '\0';

    for (n = 0; n < 20; n++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "zzz%zu: 1\n", n);
    }

    is_int(parse(text), INLETS_E_INVALID, "many errors");
    ok(strstr(told, "zzz9") != NULL, "ten are told");
    ok(strstr(told, "zzz10") == NULL, "not more");
    ok(strstr(told, "too many errors, what follows was not read") != NULL,
       "which is told");

    n = (size_t) snprintf(text, sizeof(text), "dict: {");
    memset(text + n, 'x', 1000);
    snprintf(text + n + 1000, 32, ": {size: a}}");

    bad(text, "<dict 1: dict: expected a name\n> ", "a long name");
}


/* Cut anywhere, nothing is read past the end. */

static void
test_cut(void)
{
    static const char text[] =
        "name: abc\nmap:\n  items:\n  - itemId: a\n    tags: [x, 'y']\n"
        "any: {a: [1, {b: \"c\\u00e9\"}]}\ndict: {a: {size: 1k}}\n";

    bool sane = true;

    for (size_t len = 0; len < sizeof(text); len++) {
        int rc = parse_by(keys, COUNT(keys), text, len, 256);

        sane = sane && (rc == 0 || rc == INLETS_E_INVALID);
    }

    ok(sane, "cut at every byte");
}


/* The same key of two maps, "a[].users[].type" and "a[].auths[].type". */

static bool
are_twins(const struct inlets_config_key *a, const struct inlets_config_key *b)
{
    const char *one = strrchr(a->path, '.');
    const char *two = strrchr(b->path, '.');

    return one && two && strcmp(one, two) == 0 && a->type == b->type
           && a->min == b->min && a->max == b->max && a->flags == b->flags;
}


/* The table of the settings file is whole. */

static void
test_table(void)
{
    bool unique = true, told_all = true, bounds = true;

    for (size_t i = 0; i < ngx_inlets_settings_nkeys; i++) {
        const struct inlets_config_key *key = &ngx_inlets_settings_keys[i];

        for (size_t j = 0; j < i; j++) {
            const struct inlets_config_key *other
                = &ngx_inlets_settings_keys[j];

            unique = unique && strcmp(key->path, other->path)
                     && (key->id != other->id || are_twins(key, other));
        }

        told_all = told_all && key->since && key->meaning;
        bounds = bounds && (key->type != INLETS_CONFIG_STRING || key->max)
                 && (key->type != INLETS_CONFIG_CHOICE || key->choices)
                 && key->min <= key->max;
    }

    ok(ngx_inlets_settings_nkeys <= INLETS_CONFIG_KEYS, "not too many keys");
    ok(unique, "no key stands there twice");
    ok(told_all, "each has a meaning and a version");
    ok(bounds, "each has bounds");

    static const char text[] =
        "bandwidthLimits: {global: {uploadbytespersecond: 5000}}\n"
        "publicHTTPNoAuth: {timeout: 10m0s}\n";

    is_int(parse_by(ngx_inlets_settings_keys, ngx_inlets_settings_nkeys, text,
                    strlen(text), 256), 0, "the reference's other names");
}


static void
test_distance(void)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } of[] = {
        { "", "", 0 }, { "", "abc", 3 }, { "abc", "", 3 },
        { "Port", "port", 0 }, { "prot", "port", 1 }, { "ab", "ba", 1 },
        { "abcd", "badc", 2 }, { "port", "sport", 1 }, { "port", "pot", 1 },
        { "port", "part", 1 },
        { "ca", "abc", 3 }, { "basic-aut", "basic-auth", 1 }
    };

    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        is_int(inlets_config_distance(of[i].a, strlen(of[i].a), of[i].b,
                                      strlen(of[i].b)),
               of[i].distance, of[i].a);
    }

    char longer[1000];

    memset(longer, 'x', sizeof(longer));
    ok(inlets_config_distance(longer, sizeof(longer), "x", 1) > 10
       && inlets_config_distance("x", 1, longer, sizeof(longer)) > 10,
       "too long to be compared");
}


int
main(void)
{
    test_numbers();
    test_texts();
    test_values();
    test_wrong();
    test_unknown();
    test_distance();
    test_syntax();
    test_bounds();
    test_cut();
    test_table();

    return tap_done();
}
