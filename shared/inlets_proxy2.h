/*
 * The header of the PROXY protocol, version 2, in front of each stream
 * (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt, 2.2).
 */

#ifndef INLETS_PROXY2_H
#define INLETS_PROXY2_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define INLETS_PROXY2_MAX        1024    /* longest header taken */
#define INLETS_PROXY2_AUTHORITY  255     /* longest values of the TLVs */
#define INLETS_PROXY2_UNIQUE_ID  128


enum inlets_proxy2_family {
    INLETS_PROXY2_UNSPEC = 0,
    INLETS_PROXY2_INET,
    INLETS_PROXY2_INET6,
    INLETS_PROXY2_UNIX          /* the paths aren't carried */
};


struct inlets_proxy2 {
    enum inlets_proxy2_family  family;
    bool            local;      /* the peer itself, no visitor: no addresses
                                   and no TLVs */
    uint16_t        src_port;   /* host byte order */
    uint16_t        dst_port;
    uint8_t         src[16];    /* network byte order, INET: the first four */
    uint8_t         dst[16];

    /* Not zero-terminated; NULL and 0: absent.  Parsed: within the input. */
    const uint8_t  *authority;
    size_t          authority_len;
    const uint8_t  *unique_id;
    size_t          unique_id_len;
};


/*
 * write(): the length of the header, INLETS_E_NO_SPACE, or INLETS_E_INVALID:
 * a value is too long, or the authority has spaces or control characters.
 * INLETS_PROXY2_MAX is always enough.
 *
 * parse(): buf is all that came so far.  The length of the header,
 * INLETS_NEED_MORE, or INLETS_E_PROXY_*; ret is set only with a length.  A
 * header is complete within INLETS_PROXY2_MAX bytes.
 */
int inlets_proxy2_write(uint8_t *buf, size_t size,
    const struct inlets_proxy2 *h);
int inlets_proxy2_parse(const uint8_t *buf, size_t len,
    struct inlets_proxy2 *ret);


#endif /* INLETS_PROXY2_H */
