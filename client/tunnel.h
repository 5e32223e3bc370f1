/*
 * The tunnel: keeps a session at the edge, for ever and under the same name.
 */

#ifndef INLETS_TUNNEL_H
#define INLETS_TUNNEL_H


struct inlets_client;
struct inlets_tunnel;


/* NULL: no memory.  It calls inlets_client_finish() when it is over. */
struct inlets_tunnel *inlets_tunnel_create(struct inlets_client *client);
void inlets_tunnel_destroy(struct inlets_tunnel *tunnel);

/* The first call lets streams finish for --grace, the second ends at once. */
void inlets_tunnel_stop(struct inlets_tunnel *tunnel);


#endif /* INLETS_TUNNEL_H */
