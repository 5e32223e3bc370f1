/*
 * The Test Anything Protocol for unit tests: ok(), is_int(), is_str(),
 * is_mem() for each fact, "return tap_done();" at the end of main().
 */

#ifndef TAP_H
#define TAP_H


#include <stdbool.h>
#include <stdio.h>
#include <string.h>


static unsigned  tap_tests;
static unsigned  tap_failures;


#define ok(expr, name)                                                        \
    tap_ok((expr), (name), #expr, __FILE__, __LINE__)

#define is_int(got, expected, name)                                           \
    tap_is_int((long long) (got), (long long) (expected), (name), #got,       \
               __FILE__, __LINE__)

#define is_str(got, expected, name)                                           \
    tap_is_str((got), (expected), (name), #got, __FILE__, __LINE__)

#define is_mem(got, expected, len, name)                                      \
    tap_ok(memcmp((got), (expected), (len)) == 0, (name), #got, __FILE__,     \
           __LINE__)


static inline bool
tap_ok(bool passed, const char *name, const char *expr, const char *file,
    int line)
{
    printf("%sok %u - %s\n", passed ? "" : "not ", ++tap_tests, name);

    if (!passed) {
        tap_failures++;
        printf("# failed: %s at %s:%d\n", expr, file, line);
    }

    return passed;
}


static inline bool
tap_is_int(long long got, long long expected, const char *name,
    const char *expr, const char *file, int line)
{
    if (!tap_ok(got == expected, name, expr, file, line)) {
        printf("#      got: %lld\n# expected: %lld\n", got, expected);
    }

    return got == expected;
}


static inline bool
tap_is_str(const char *got, const char *expected, const char *name,
    const char *expr, const char *file, int line)
{
    bool equal = strcmp(got, expected) == 0;

    if (!tap_ok(equal, name, expr, file, line)) {
        printf("#      got: \"%s\"\n# expected: \"%s\"\n", got, expected);
    }

    return equal;
}


static inline int
tap_done(void)
{
    printf("1..%u\n", tap_tests);

    return tap_failures == 0 ? 0 : 1;
}


#endif /* TAP_H */
