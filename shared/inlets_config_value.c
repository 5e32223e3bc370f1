#include "inlets_config.h"
#include "inlets_error.h"

#include <stdio.h>
#include <string.h>


#define INLETS_CONFIG_NUMBER_MAX  ((int64_t) 1 << 53)


static int inlets_config_digits(const char **text, const char *end,
    int64_t *ret);
static int inlets_config_unit(const char **text, const char *end,
    int64_t *ret);
static void inlets_config_bound(const struct inlets_config_key *key,
    int64_t value, char *buf, size_t size);
static void inlets_config_append(char *buf, size_t size, const char *text);


int
inlets_config_integer(const char *text, size_t len, int64_t *ret)
{
    const char *end = text + len;
    int64_t value;
    int negative;

    negative = len && *text == '-';
    text += negative;

    if (inlets_config_digits(&text, end, &value) != 0 || text != end) {
        return INLETS_E_INVALID;
    }

    *ret = negative ? -value : value;

    return 0;
}


int
inlets_config_size(const char *text, size_t len, int64_t *ret)
{
    const char *end = text + len;
    int64_t value, factor = 1;

    if (inlets_config_digits(&text, end, &value) != 0) {
        return INLETS_E_INVALID;
    }

    if (text != end) {

        switch (*text++) {

        case 'k':
        case 'K':
            factor = 1024;
            break;

        case 'm':
        case 'M':
            factor = 1024 * 1024;
            break;

        case 'g':
        case 'G':
            factor = 1024 * 1024 * 1024;
            break;

        default:
            return INLETS_E_INVALID;
        }
    }

    if (text != end || value > INLETS_CONFIG_NUMBER_MAX / factor) {
        return INLETS_E_INVALID;
    }

    *ret = value * factor;

    return 0;
}


int
inlets_config_time(const char *text, size_t len, int64_t *ret)
{
    const char *end = text + len;
    int64_t value, part, scale, unit, total = 0;

    if (len == 1 && *text == '0') {
        *ret = 0;
        return 0;
    }

    do {
        if (inlets_config_digits(&text, end, &value) != 0) {
            return INLETS_E_INVALID;
        }

        part = 0;
        scale = 1;

        if (text != end && *text == '.') {
            text++;

            while (text != end && *text >= '0' && *text <= '9') {
                if (scale < 1000000) {
                    part = part * 10 + (*text - '0');
                    scale *= 10;
                }
                text++;
            }

            if (scale == 1) {
                return INLETS_E_INVALID;
            }
        }

        if (inlets_config_unit(&text, end, &unit) != 0
            || value > INLETS_CONFIG_NUMBER_MAX / unit)
        {
            return INLETS_E_INVALID;
        }

        total += value * unit + part * unit / scale;

        if (total > INLETS_CONFIG_NUMBER_MAX) {
            return INLETS_E_INVALID;
        }

    } while (text != end);

    *ret = total;

    return 0;
}


static int
inlets_config_digits(const char **text, const char *end, int64_t *ret)
{
    const char *p = *text;
    int64_t value = 0;

    while (p != end && *p >= '0' && *p <= '9') {
        value = value * 10 + (*p++ - '0');

        if (value > INLETS_CONFIG_NUMBER_MAX) {
            return INLETS_E_INVALID;
        }
    }

    if (p == *text) {
        return INLETS_E_INVALID;
    }

    *text = p;
    *ret = value;

    return 0;
}


static int
inlets_config_unit(const char **text, const char *end, int64_t *ret)
{
    const char *p = *text;

    if (end - p >= 2 && p[0] == 'm' && p[1] == 's') {
        *text = p + 2;
        *ret = 1;
        return 0;
    }

    if (p == end) {
        return INLETS_E_INVALID;
    }

    switch (*p) {

    case 's':
        *ret = 1000;
        break;

    case 'm':
        *ret = 60 * 1000;
        break;

    case 'h':
        *ret = 60 * 60 * 1000;
        break;

    case 'd':
        *ret = 24 * 60 * 60 * 1000;
        break;

    default:
        return INLETS_E_INVALID;
    }

    *text = p + 1;

    return 0;
}


const char *
inlets_config_format_time(int64_t ms, char *buf, size_t size)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {
        { 24 * 60 * 60 * 1000, "d" },
        { 60 * 60 * 1000, "h" },
        { 60 * 1000, "m" },
        { 1000, "s" },
        { 1, "ms" }
    };

    char part[32];
    size_t i;

    if (ms == 0) {
        snprintf(buf, size, "0");
        return buf;
    }

    buf[0] = '\0';

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {

        if (ms < units[i].ms) {
            continue;
        }

        snprintf(part, sizeof(part), "%lld%s",
                 (long long) (ms / units[i].ms), units[i].name);
        inlets_config_append(buf, size, part);
        ms %= units[i].ms;
    }

    return buf;
}


const char *
inlets_config_show(const char *text, size_t len, char *buf, size_t size)
{
    size_t i, n;
    unsigned char c;

    n = len < size - 1 ? len : size - 1;

    for (i = 0; i < n; i++) {
        c = (unsigned char) text[i];
        buf[i] = (c < 0x20 || c == 0x7f || c == '"') ? '?' : (char) c;
    }

    buf[n] = '\0';

    if (n < len && n >= 3) {
        buf[n - 1] = buf[n - 2] = buf[n - 3] = '.';
    }

    return buf;
}


const char *
inlets_config_expected(const struct inlets_config_key *key, char *buf,
    size_t size)
{
    static const char *const names[] = {
        [INLETS_CONFIG_MAP] = "a map of keys",
        [INLETS_CONFIG_LIST] = "a list of maps",
        [INLETS_CONFIG_DICT] = "a map of names",
        [INLETS_CONFIG_STRING] = "text",
        [INLETS_CONFIG_INTEGER] = "a whole number",
        [INLETS_CONFIG_BOOLEAN] = "true or false",
        [INLETS_CONFIG_SIZE] = "bytes such as 1048576, 512k or 1m",
        [INLETS_CONFIG_TIME] = "a time such as 30s or 1m30s",
        [INLETS_CONFIG_CHOICE] = "one of",
        [INLETS_CONFIG_JSON] = "a map"
    };

    char number[48];
    const struct inlets_config_choice *choice;

    buf[0] = '\0';
    inlets_config_append(buf, size,
                         key->expected ? key->expected : names[key->type]);

    if (key->type == INLETS_CONFIG_CHOICE) {

        for (choice = key->choices; choice->name; choice++) {
            if (choice->alias) {
                continue;
            }

            inlets_config_append(buf, size,
                                 choice == key->choices ? " " : ", ");
            inlets_config_append(buf, size, choice->name);
        }

        return buf;
    }

    if (key->max == 0 || key->type == INLETS_CONFIG_SIZE) {
        return buf;
    }

    inlets_config_append(buf, size, ", ");

    if (key->max == INLETS_CONFIG_NO_MAX) {
        inlets_config_append(buf, size, "at least ");
        inlets_config_bound(key, key->min, number, sizeof(number));
        inlets_config_append(buf, size, number);

    } else {
        inlets_config_bound(key, key->min, number, sizeof(number));
        inlets_config_append(buf, size, number);
        inlets_config_append(buf, size, " to ");
        inlets_config_bound(key, key->max, number, sizeof(number));
        inlets_config_append(buf, size, number);
    }

    if (key->type == INLETS_CONFIG_STRING) {
        inlets_config_append(buf, size, " bytes");
    }

    return buf;
}


static void
inlets_config_bound(const struct inlets_config_key *key, int64_t value,
    char *buf, size_t size)
{
    if (key->type == INLETS_CONFIG_TIME) {
        inlets_config_format_time(value, buf, size);

    } else {
        snprintf(buf, size, "%lld", (long long) value);
    }
}


static void
inlets_config_append(char *buf, size_t size, const char *text)
{
    size_t len = strlen(buf);

    snprintf(buf + len, size - len, "%s", text);
}
