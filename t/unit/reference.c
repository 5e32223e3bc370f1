/*
 * The references of the settings file and of the client's file in README.md are
 * what the tables of keys say.  With an argument: writes README.md so to the
 * standard output, for "make docs".
 */

#include "tap.h"

#include <stdarg.h>
#include <stdlib.h>

#include "inlets_config.h"

#include "../../client/conf_keys.c"
#include "../../ngx_module/ngx_inlets_settings_table.c"


#define README  "README.md"
#define SIZE    (256 * 1024)


struct reference {
    const char *name;
    const char *start;
    const char *end;
    const struct inlets_config_key *keys;
    const size_t *nkeys;
};


static const struct reference references[] = {
    { "settings",
      "<!-- settings: \"make docs\" writes this -->\n",
      "<!-- end of settings -->\n",
      ngx_inlets_settings_keys, &ngx_inlets_settings_nkeys },
    { "client's file",
      "<!-- client: \"make docs\" writes this -->\n",
      "<!-- end of client -->\n",
      inlets_conf_keys, &inlets_conf_nkeys }
};


static char readme[SIZE];
static char section[SIZE];


static void
add(const char *format, ...)
{
    size_t len = strlen(section);
    va_list args;

    va_start(args, format);
    vsnprintf(section + len, sizeof(section) - len, format, args);
    va_end(args);
}


static void
add_key(const struct inlets_config_key *key)
{
    char expected[256];
    const char *value;

    switch (key->type) {

    case INLETS_CONFIG_MAP:
        value = "map";
        break;

    case INLETS_CONFIG_LIST:
        value = "list of maps";
        break;

    case INLETS_CONFIG_DICT:
        value = "map by client id";
        break;

    default:
        value = inlets_config_expected(key, expected, sizeof(expected));
    }

    add("| `%s`%s%s%s | %s | %s%s%s | %s | %s |\n", key->path,
        key->alias ? ", `" : "", key->alias ? key->alias : "",
        key->alias ? "`" : "", value,
        key->def ? "`" : "", key->def ? key->def : "",
        key->def ? "`" : (key->flags & INLETS_CONFIG_REQUIRED) ? "required"
                                                               : "",
        key->since, key->meaning);
}


static void
make_section(const struct reference *reference)
{
    section[0] = '\0';

    add("| key | value | default | since | meaning |\n");
    add("| --- | --- | --- | --- | --- |\n");

    for (size_t i = 0; i < *reference->nkeys; i++) {
        add_key(&reference->keys[i]);
    }
}


static void
check(const struct reference *reference, const char *start, size_t len)
{
    make_section(reference);

    if (!ok(len == strlen(section) && memcmp(start, section, len) == 0,
            reference->name))
    {
        printf("# README.md does not tell of the keys as their table does: "
               "run \"make docs\"\n");
    }
}


int
main(int argc, char **argv)
{
    (void) argv;

    FILE *file = fopen(README, "r");
    size_t n = file ? fread(readme, 1, sizeof(readme) - 1, file) : 0;
    const char *rest = readme;

    if (file) {
        fclose(file);
    }

    readme[n] = '\0';

    for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
        const struct reference *reference = &references[i];
        const char *start = strstr(rest, reference->start);
        const char *end = start ? strstr(start, reference->end) : NULL;

        if (end == NULL) {
            ok(false, "README.md has a place for the keys");
            return tap_done();
        }

        start += strlen(reference->start);

        if (argc > 1) {
            make_section(reference);
            printf("%.*s%s", (int) (start - rest), rest, section);

        } else {
            check(reference, start, (size_t) (end - start));
        }

        rest = end;
    }

    if (argc > 1) {
        printf("%s", rest);
        return 0;
    }

    return tap_done();
}
