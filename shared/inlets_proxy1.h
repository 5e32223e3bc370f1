/*
 * The header of the PROXY protocol, version 1, as text
 * (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt, 2.1).
 */

#ifndef INLETS_PROXY1_H
#define INLETS_PROXY1_H


#include <stddef.h>

#include "inlets_proxy2.h"


#define INLETS_PROXY1_MAX  107      /* longest header */


/*
 * "PROXY TCP4 ...", or "PROXY UNKNOWN" where h has no addresses of IPv4 or
 * IPv6, with its line end and no zero byte.  The length, or
 * INLETS_E_NO_SPACE; INLETS_PROXY1_MAX is always enough.
 */
int inlets_proxy1_write(char *buf, size_t size, const struct inlets_proxy2 *h);


#endif /* INLETS_PROXY1_H */
