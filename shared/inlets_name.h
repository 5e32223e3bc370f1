/*
 * Names: labels of tunnels, host names, IPv6 literals, UUIDs.
 */

#ifndef INLETS_NAME_H
#define INLETS_NAME_H


#include <stddef.h>
#include <stdint.h>


#define INLETS_LABEL_MAX     63
#define INLETS_LABEL_RANDOM  8      /* length of a random label */
#define INLETS_HOST_MAX      253
#define INLETS_UUID_LEN      16
#define INLETS_UUID_TEXT     36


/*
 * A label that a tunnel may have as its name: 1 .. 63 of a-z, 0-9 and '-', no
 * hyphen first, last, or both third and fourth.  0 or INLETS_E_NAME_*.
 * normalize(): the same for a label in any case, and its lower-case copy with
 * a zero byte at the end.
 */
int inlets_label_check(const char *label, size_t len);
int inlets_label_normalize(const char *label, size_t len,
    char ret[INLETS_LABEL_MAX + 1]);

/* A label from random bytes, zero-terminated; it always passes the check. */
void inlets_label_random(const uint8_t random[INLETS_LABEL_RANDOM],
    char ret[INLETS_LABEL_RANDOM + 1]);


/*
 * The value of a Host header as the key of a route: without port and final
 * dot, lower case, zero-terminated; an IPv6 literal keeps its brackets.  Takes
 * letters, digits, '-', '_' and '.', no empty label.  ret may be host itself.
 */
int inlets_host_normalize(const char *host, size_t len, char *ret,
    size_t size, size_t *ret_len);

/*
 * Both arguments are normalized.  The length of the single label before
 * ".domain", which then is the start of host.  INLETS_E_NAME_DOMAIN: another
 * domain, the domain itself, or more than one label before it; or an error of
 * inlets_label_check().
 */
int inlets_host_label(const char *host, size_t len, const char *domain,
    size_t domain_len);

/* An IPv6 address without brackets and zone: 0 or INLETS_E_NAME_*. */
int inlets_ip6_check(const char *text, size_t len);


/*
 * make(): a version 4 UUID of random bytes.  format(): lower case,
 * zero-terminated.  parse(): 8-4-4-4-12 hex digits of either case and of any
 * version, or INLETS_E_UUID.
 */
void inlets_uuid_make(const uint8_t random[INLETS_UUID_LEN],
    uint8_t ret[INLETS_UUID_LEN]);
void inlets_uuid_format(const uint8_t uuid[INLETS_UUID_LEN],
    char ret[INLETS_UUID_TEXT + 1]);
int inlets_uuid_parse(const char *text, size_t len,
    uint8_t ret[INLETS_UUID_LEN]);


#endif /* INLETS_NAME_H */
