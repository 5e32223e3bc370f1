/*
 * A tunnel: keeps a session at the edge, for ever and under the same name.
 */

#ifndef INLETS_TUNNEL_H
#define INLETS_TUNNEL_H


#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "view.h"


struct inlets_client;
struct inlets_tunnel;


/*
 * conf is a tunnel of owner; NULL: no tunnel, but a session that follows the
 * edge's list of them and passes it on by inlets_tunnels_listed().  from: the
 * session of another tunnel of ours that leaves the name or port it asks for,
 * or "".  child: it is one of that list.  NULL: no memory, after a message.  It
 * calls inlets_tunnels_over() when it is over, which may destroy it.
 */
struct inlets_tunnel *inlets_tunnel_create(struct inlets_client *client,
    struct inlets_conf *owner, const struct inlets_tunnel_conf *conf,
    const char *from, bool child);
void inlets_tunnel_destroy(struct inlets_tunnel *tunnel);

/*
 * Goes over to a changed conf, which is of the same type, and to the edge that
 * the client has now.  Streams that are open go on as they were.  from: as
 * above.  wanted: the name or port it has now is another tunnel's in the new
 * conf, so it is to be given up at once.  Negative after a message: all stays.
 */
int inlets_tunnel_update(struct inlets_tunnel *tunnel,
    struct inlets_conf *owner, const struct inlets_tunnel_conf *conf,
    const char *from, bool wanted);

/*
 * If it has that port but may have any it takes another.  True also if it is
 * not known yet which one it gets.
 */
bool inlets_tunnel_yield(struct inlets_tunnel *tunnel, uint32_t port);

/* The first call lets streams finish for --grace, the second ends at once. */
void inlets_tunnel_stop(struct inlets_tunnel *tunnel);

bool inlets_tunnel_is_over(const struct inlets_tunnel *tunnel);
bool inlets_tunnel_is_stopping(const struct inlets_tunnel *tunnel);

/* NULL: it only follows the edge's list. */
const struct inlets_tunnel_conf *inlets_tunnel_conf(
    const struct inlets_tunnel *tunnel);

/* Its last one at the name or port of its conf, or "". */
const char *inlets_tunnel_session(const struct inlets_tunnel *tunnel);

void inlets_tunnel_show(const struct inlets_tunnel *tunnel,
    struct inlets_view_tunnel *ret);


#endif /* INLETS_TUNNEL_H */
