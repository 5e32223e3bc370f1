/*
 * A stream of a link and its connection to the local service.
 */

#ifndef INLETS_STREAM_H
#define INLETS_STREAM_H


struct inlets_link;
struct inlets_mux_stream;
struct inlets_stream;


/* The edge opened it.  Without memory it is reset. */
void inlets_stream_open(struct inlets_link *link, struct inlets_mux_stream *ms);

/* events: of inlets_mux_next() */
void inlets_stream_event(struct inlets_stream *stream, unsigned events);

/* No byte has come or gone for as long as its local service allows. */
void inlets_stream_idle(struct inlets_stream *stream);

/* The link is about to end: closes the connection to the local service. */
void inlets_stream_destroy(struct inlets_stream *stream);


#endif /* INLETS_STREAM_H */
