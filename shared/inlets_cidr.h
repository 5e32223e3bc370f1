/*
 * Ranges of addresses: "192.0.2.1", "10.0.0.0/8", "::1", "2001:db8::/32".
 * IPv4 is held as IPv6-mapped, so that one and the same visitor matches
 * whichever kind of socket took the connection; a range of IPv6 never matches
 * an IPv4 address, not even "::/0".
 */

#ifndef INLETS_CIDR_H
#define INLETS_CIDR_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define INLETS_CIDR_MAX  49     /* longest text */


struct inlets_cidr {
    uint8_t  addr[16];          /* bits behind the prefix are zero */
    uint8_t  bits;              /* 0 to 128; of IPv4: 96 to 128 */
};


/* INLETS_E_INVALID: neither an address nor a range. */
int inlets_cidr_parse(const char *text, size_t len, struct inlets_cidr *ret);

/* The mapped form of the 4 bytes of an IPv4 address. */
void inlets_cidr_map(const uint8_t ip4[4], uint8_t ret[16]);

bool inlets_cidr_match(const struct inlets_cidr *cidr, const uint8_t addr[16]);


#endif /* INLETS_CIDR_H */
