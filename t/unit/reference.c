/*
 * The reference of the settings file in README.md is what the table of keys
 * says.  With an argument: writes README.md so to the standard output, for
 * "make docs".
 */

#include "tap.h"

#include <stdarg.h>
#include <stdlib.h>

#include "inlets_config.h"

#include "../../ngx_module/ngx_inlets_settings_table.c"


#define README  "README.md"
#define START   "<!-- settings: \"make docs\" writes this -->\n"
#define END     "<!-- end of settings -->\n"

#define SIZE    (256 * 1024)


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
make_section(void)
{
    add("| key | value | default | since | meaning |\n");
    add("| --- | --- | --- | --- | --- |\n");

    for (size_t i = 0; i < ngx_inlets_settings_nkeys; i++) {
        add_key(&ngx_inlets_settings_keys[i]);
    }
}


int
main(int argc, char **argv)
{
    (void) argv;

    FILE *file = fopen(README, "r");
    size_t n = file ? fread(readme, 1, sizeof(readme) - 1, file) : 0;

    if (file) {
        fclose(file);
    }

    readme[n] = '\0';
    make_section();

    char *start = strstr(readme, START);
    char *end = start ? strstr(start, END) : NULL;

    if (end == NULL) {
        ok(false, "README.md has a place for the settings");
        return tap_done();
    }

    start += strlen(START);

    if (argc > 1) {
        printf("%.*s%s%s", (int) (start - readme), readme, section, end);
        return 0;
    }

    n = (size_t) (end - start);

    if (!ok(n == strlen(section) && memcmp(start, section, n) == 0,
            "README.md tells of the keys as their table does"))
    {
        printf("# run \"make docs\"\n");
    }

    return tap_done();
}
