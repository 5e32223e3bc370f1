/*
 * The WebSocket handshake of a link, client side (RFC 6455, 4.1).
 */

#ifndef INLETS_HANDSHAKE_H
#define INLETS_HANDSHAKE_H


#include <stddef.h>
#include <sys/types.h>

#include "inlets_sign.h"
#include "inlets_url.h"


#define INLETS_HANDSHAKE_MAX  4096  /* request, and head of the answer */


struct inlets_handshake {
    char      key[INLETS_WS_KEY_LEN + 1];
    unsigned  status;       /* of the answer, 0: none came */
};


/*
 * Writes the request for a link of that tunnel session; key: what the edge
 * wants it to show, or "".  Its length or a negative enum inlets_error.
 */
int inlets_handshake_request(struct inlets_handshake *h,
    const struct inlets_url *url, const char *client_id,
    const char *container_id, const char *key, char *buf, size_t size);

/*
 * buf is all that came so far.  The length of the head of a good answer,
 * INLETS_NEED_MORE, or INLETS_E_INVALID; *ret_fault then says why.
 */
ssize_t inlets_handshake_answer(struct inlets_handshake *h, const char *buf,
    size_t len, const char **ret_fault);


#endif /* INLETS_HANDSHAKE_H */
