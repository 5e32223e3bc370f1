/*
 * A mux session: many streams on one carrier connection, yamux version 0
 * (https://github.com/hashicorp/yamux/blob/master/spec.md), raw on trunks
 * between workers, or inside the binary messages of a WebSocket (RFC 6455) on
 * links.  Both the edge and the client run this code.
 *
 * The session does no I/O, has no clock and calls nothing back except the
 * allocator.  The owner:
 *
 *   1. gives received bytes to inlets_mux_input(), which always takes all;
 *   2. asks inlets_mux_next() for streams with events until it returns NULL,
 *      and serves them in this order, now or later;
 *   3. while inlets_mux_pending(), writes what inlets_mux_output() shows and
 *      reports how much was written by inlets_mux_sent(); then step 2 again,
 *      since streams that waited for room are woken.
 *
 * Nothing here may be called from two threads at once.
 *
 * Bounds.  A session holds at most conf.tx_max bytes of data for output, plus
 * control frames, themselves bounded; each stream at most its receive window.
 * A stream holds no buffer while it has no unread data.  Data for output
 * belongs to the session, not to a stream: a stream that can't be taken
 * now waits in a queue and is woken in turn, 16 KiB a turn.
 */

#ifndef INLETS_MUX_H
#define INLETS_MUX_H


#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>


#define INLETS_MUX_WINDOW   (256 * 1024)  /* yamux initial window */
#define INLETS_MUX_QUANTUM  16384         /* most data in one frame and turn */
#define INLETS_MUX_BLOCK    16640         /* size of each buffer from alloc() */


struct inlets_mux;
struct inlets_mux_stream;


enum inlets_mux_carrier {
    INLETS_MUX_RAW = 0,     /* yamux frames as they are */
    INLETS_MUX_WS_SERVER,   /* input is masked, output is not */
    INLETS_MUX_WS_CLIENT    /* output is masked, input is not */
};


struct inlets_mux_conf {
    enum inlets_mux_carrier  carrier;
    bool      client;           /* yamux role: a client opens odd ids */
    bool      accept;           /* the peer may open streams */
    bool      late_ack;         /* ... and hears of each by accept() */
    uint32_t  max_streams;      /* open at once; more from the peer: RST;
                                   twice as many with those that ended and
                                   are not released */
    uint32_t  window_max;       /* largest receive window of a stream;
                                   at least INLETS_MUX_WINDOW */
    uint64_t  window_total;     /* cap on the sum of what receive windows grew
                                   beyond INLETS_MUX_WINDOW */
    uint32_t  tx_max;           /* data queued for output, bytes; at least
                                   2 * INLETS_MUX_BLOCK */

    /*
     * alloc() gives size bytes, not zeroed, or NULL; free() gets the same
     * size.  Most calls are for INLETS_MUX_BLOCK: keep those in a free list.
     * random() fills WebSocket masks; it may be NULL unless WS_CLIENT.
     */
    void    *(*alloc)(void *ctx, size_t size);
    void     (*free)(void *ctx, void *p, size_t size);
    void     (*random)(void *ctx, void *buf, size_t size);
    void      *ctx;
};


enum inlets_mux_event {
    INLETS_MUX_EV_OPEN = 1,     /* the peer opened it: set its data, use it or
                                   inlets_mux_reset() it */
    INLETS_MUX_EV_READ = 2,     /* data, the peer's FIN, or RST is there */
    INLETS_MUX_EV_WRITE = 4     /* room or credit is back after a short write */
};


/*
 * NULL: no memory or wrong conf.  destroy() frees the session and all its
 * streams; pointers to them are dead then.
 */
struct inlets_mux *inlets_mux_create(const struct inlets_mux_conf *conf);
void inlets_mux_destroy(struct inlets_mux *m);


/*
 * Takes all len bytes, which are unmasked in place.  now_us: a monotonic
 * clock in microseconds.  Returns 0, or a negative enum inlets_error: the
 * session is broken, inlets_mux_error_stream() names the stream id or 0, and
 * every open stream is made ready with EV_READ and reads INLETS_MUX_RESET.
 * A WebSocket Ping is answered, a Close is answered and makes
 * inlets_mux_closing() true.
 */
int inlets_mux_input(struct inlets_mux *m, uint8_t *buf, size_t len,
    uint64_t now_us);
uint32_t inlets_mux_error_stream(const struct inlets_mux *m);

/* The carrier is gone: as an error in inlets_mux_input(), with no output. */
void inlets_mux_abort(struct inlets_mux *m);

/*
 * The next stream with events, each at most once, in the order in which they
 * came; NULL: none.  The events are cleared by the call.  Streams made ready
 * while the owner works through them are returned by later calls.  Calls on a
 * stream can make others ready as well (commit(0), release() and the like give
 * a turn to the next): ready() tells whether there are any.
 */
struct inlets_mux_stream *inlets_mux_next(struct inlets_mux *m,
    unsigned *ret_events);
bool inlets_mux_ready(const struct inlets_mux *m);


/*
 * Output.  pending(): bytes wait.  output(): fills at most n entries with
 * what to write first, returns how many; the memory stays valid until the
 * next call of inlets_mux_sent().  Control frames go first, except that what
 * was shown, at most eight blocks of data, keeps its place.  sent(): that many
 * bytes of it were written.  queued(): bytes that wait, data and control.
 */
bool inlets_mux_pending(const struct inlets_mux *m);
size_t inlets_mux_output(struct inlets_mux *m, struct iovec *iov, size_t n);
void inlets_mux_sent(struct inlets_mux *m, size_t bytes);


/*
 * Session control.
 *
 * ping(): queues a yamux ping unless one is out.  rtt: the last round trip in
 * microseconds, 0: not known.  go_away(): tells the peer to open no more
 * streams; those that are on their way are taken.  go_away_seen(): the peer
 * knows it, so no more will come.  close(): go away and, on a WebSocket, a
 * Close frame with code (RFC 6455, 7.4) and reason (at most 123 bytes), after
 * all that was queued; streams that are not ended both ways are reset, here
 * and without a word to the peer, which does the same on a Close.  To be called
 * after an error as well: with inlets_ws_close_code(error) it tells the peer
 * why.  closing(): the peer said go away or Close, close() was called, ids have
 * run out, or the session is broken: open no new streams here.
 * close_received(): the peer sent a Close frame, so nothing follows.
 */
int inlets_mux_ping(struct inlets_mux *m, uint64_t now_us);
uint64_t inlets_mux_rtt(const struct inlets_mux *m);
bool inlets_mux_ping_outstanding(const struct inlets_mux *m);
void inlets_mux_go_away(struct inlets_mux *m);
bool inlets_mux_go_away_seen(const struct inlets_mux *m);
void inlets_mux_close(struct inlets_mux *m, uint16_t code, const char *reason);
bool inlets_mux_closing(const struct inlets_mux *m);
bool inlets_mux_close_received(const struct inlets_mux *m);
uint32_t inlets_mux_streams(const struct inlets_mux *m);
uint64_t inlets_mux_queued(const struct inlets_mux *m);


/*
 * Streams.  open(): NULL when max_streams are open, ids have run out, the
 * session is closing or broken, or there is no memory.  Nothing is sent until
 * the first write: SYN rides on it.  A stream lives until release().
 *
 * accept(): with late_ack, the peer's stream is taken.  is_refused(): the peer
 * has reset our stream before it took it, so what was sent had no effect.
 */
struct inlets_mux_stream *inlets_mux_open(struct inlets_mux *m);
void inlets_mux_accept(struct inlets_mux_stream *s);
bool inlets_mux_is_refused(const struct inlets_mux_stream *s);
void inlets_mux_set_data(struct inlets_mux_stream *s, void *data);
void *inlets_mux_data(const struct inlets_mux_stream *s);
uint32_t inlets_mux_id(const struct inlets_mux_stream *s);
struct inlets_mux *inlets_mux_session(const struct inlets_mux_stream *s);


/* Results of reading, besides a positive number of bytes. */
#define INLETS_MUX_AGAIN  0     /* nothing now; EV_READ follows */
#define INLETS_MUX_EOF   (-1)   /* the peer's FIN, all data was read */
#define INLETS_MUX_RESET (-2)   /* reset by the peer, or the carrier is gone;
                                   unread data is dropped */

/*
 * read(): copies.  peek() shows the first piece of unread data without
 * taking it, peekv() as many pieces as there are, at most n, and returns the
 * sum of their lengths; consume() takes that many bytes of it.  What was taken
 * goes back to the sender as credit.  unread(): bytes that wait.
 */
ssize_t inlets_mux_read(struct inlets_mux_stream *s, void *buf, size_t size);
ssize_t inlets_mux_peek(struct inlets_mux_stream *s, const uint8_t **ret_buf);
ssize_t inlets_mux_peekv(struct inlets_mux_stream *s, struct iovec *iov,
    size_t n, size_t *ret_n);
void inlets_mux_consume(struct inlets_mux_stream *s, size_t bytes);
size_t inlets_mux_unread(const struct inlets_mux_stream *s);

/*
 * write(): takes as much as credit, room and the stream's turn allow; less
 * than len (0 included) means that EV_WRITE follows.  reserve(): room for
 * 1 .. INLETS_MUX_QUANTUM bytes right in the output, to be filled by the
 * owner, then commit() says how many are (0: none); no other call on the
 * session may come between.  Returns the room, 0: EV_WRITE follows.  After
 * EV_WRITE a stream has a turn that the others wait for: use it at once, or
 * give it back by commit(0), shutdown(), reset() or release().
 * Both return INLETS_MUX_RESET on a stream that was reset, and
 * INLETS_E_INVALID after shutdown().
 */
ssize_t inlets_mux_write(struct inlets_mux_stream *s, const void *buf,
    size_t len);
ssize_t inlets_mux_reserve(struct inlets_mux_stream *s, uint8_t **ret_buf);
void inlets_mux_commit(struct inlets_mux_stream *s, size_t bytes);

/*
 * shutdown(): FIN, after all that was written; reading goes on.
 * reset(): RST, after all that was queued; unread data is dropped.
 * release(): the owner forgets the stream, the pointer is dead: FIN if the
 * peer's FIN has been read and none was sent, RST if anything is left open.
 */
void inlets_mux_shutdown(struct inlets_mux_stream *s);
void inlets_mux_reset(struct inlets_mux_stream *s);
void inlets_mux_release(struct inlets_mux_stream *s);
bool inlets_mux_is_reset(const struct inlets_mux_stream *s);


#endif /* INLETS_MUX_H */
