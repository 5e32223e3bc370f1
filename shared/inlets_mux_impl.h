/*
 * What the three files of the mux session share; for nobody else.
 *
 * inlets_mux.c: the session, its table and queues of streams, the streams'
 * calls.  inlets_mux_rx.c: carrier and yamux frames in, credit given.
 * inlets_mux_tx.c: blocks out, turns of the writers.
 */

#ifndef INLETS_MUX_IMPL_H
#define INLETS_MUX_IMPL_H


#include "inlets_mux.h"
#include "inlets_error.h"
#include "inlets_ws.h"
#include "inlets_yamux.h"


#define MUX_BUCKETS     8           /* of the table within the session */
#define MUX_OUT_BLOCKS  8           /* sealed ahead of the control queue */
#define MUX_PIECE_MIN   1024        /* don't cut writes smaller than this */
#define MUX_NO_FRAME    0xffff
#define MUX_RANDOM      128         /* bytes of masks fetched at a time */
#define MUX_RTT_EVERY   500000      /* microseconds */
#define MUX_TURN_PASSES 4           /* of the owner's, then a turn is void */
#define MUX_PING_AWAY   0           /* of the ping behind go away */

/* A block's payload; one message on a WebSocket. */
#define MUX_BLOCK_DATA  (INLETS_MUX_BLOCK - sizeof(struct mux_block))


enum mux_block_kind {
    MUX_BLOCK_STREAMS = 0,          /* yamux frames in order of the streams */
    MUX_BLOCK_CONTROL,              /* yamux frames that go ahead */
    MUX_BLOCK_WS                    /* WebSocket control frames, complete */
};


struct mux_block {
    struct mux_block  *next;
    uint16_t           start;       /* what is left: start .. end */
    uint16_t           end;
    uint16_t           frame;       /* header of the data frame at the end */
    uint16_t           kind;
    uint32_t           stream;      /* the id in that header */
    uint8_t            data[];
};


struct mux_blocks {
    struct mux_block  *head;
    struct mux_block  *tail;
};


/* Links of a stream in a queue; the queue itself is one as well. */
struct mux_link {
    struct mux_link  *prev;
    struct mux_link  *next;
};


struct inlets_mux_stream {
    struct mux_link            ready;       /* in inlets_mux.ready */
    struct mux_link            waiting;     /* in .returned or .writers */
    struct inlets_mux         *mux;
    struct inlets_mux_stream  *hash_next;
    void                      *data;

    struct mux_blocks          rx;

    /* absolute offsets */
    uint64_t                   rx_read;     /* taken by the owner */
    uint64_t                   rx_off;      /* received, or announced */
    uint64_t                   rx_limit;    /* the peer may send up to here */
    uint64_t                   tx_off;
    uint64_t                   tx_limit;

    uint64_t                   epoch_us;    /* of the last window update */
    uint32_t                   window;
    uint32_t                   id;
    uint32_t                   turn;        /* valid if it is the mux's */
    uint8_t                    events;

    unsigned                   syn_sent:1;
    unsigned                   fin_sent:1;
    unsigned                   fin_received:1;
    unsigned                   acked:1;
    unsigned                   live:1;
    unsigned                   reset:1;
    unsigned                   refused:1;
    unsigned                   want_credit:1;   /* a short write, no credit */
};


/* Events later than one every "interval", save for a burst. */
struct mux_rate {
    uint64_t  next_us;
};


struct inlets_mux {
    struct inlets_mux_conf     conf;

    /* streams */
    struct inlets_mux_stream **buckets;
    uint32_t                   nbuckets;        /* a power of two */
    uint32_t                   hash_shift;      /* 32 - its logarithm */
    uint32_t                   nstreams;
    uint32_t                   nlive;           /* not ended both ways */
    uint32_t                   turn;            /* number of this round */
    uint32_t                   turns;           /* given, not used yet */
    uint32_t                   passes;          /* since the last was given */
    uint32_t                   hash_mul;
    uint32_t                   next_id;         /* of the next opened here */
    uint32_t                   peer_id;         /* largest the peer opened */
    struct mux_link            ready;
    struct mux_link            returned;        /* woken, found no room */
    struct mux_link            writers;

    /* output */
    struct mux_blocks          out;             /* sealed, in final order */
    struct mux_blocks          control;
    struct mux_blocks          queue;
    uint32_t                   out_blocks;
    uint32_t                   base;            /* room for a WS header */
    uint64_t                   queue_bytes;     /* with what is in out */
    uint64_t                   control_bytes;
    uint64_t                   control_max;
    struct mux_block          *reserved;
    struct inlets_mux_stream  *reserved_for;
    uint16_t                   random_left;

    /* input */
    struct inlets_mux_stream  *rx_stream;       /* of the frame under way */
    uint32_t                   rx_left;
    uint64_t                   ws_left;
    struct inlets_ws_frame     ws;
    uint8_t                    head[INLETS_YAMUX_HEADER];
    uint8_t                    ws_head[INLETS_WS_HEADER_MAX];
    uint8_t                    head_len;
    uint8_t                    ws_head_len;
    uint8_t                    ws_control_len;
    uint8_t                    ws_control[INLETS_WS_CONTROL_MAX];

    /* time */
    uint64_t                   now_us;
    uint64_t                   rtt_us;
    uint64_t                   ping_us;
    uint32_t                   ping_id;
    struct mux_rate            rate_ping;
    struct mux_rate            rate_empty;
    struct mux_rate            rate_churn;

    uint64_t                   window_grown;
    uint32_t                   error_stream;
    int                        error;

    unsigned                   aborted:1;
    unsigned                   ping_out:1;
    unsigned                   ping_known:1;    /* ping_us is set */
    unsigned                   rx_fin:1;        /* after rx_left bytes */
    unsigned                   ws_in_frame:1;
    unsigned                   ws_in_message:1;
    unsigned                   pong_due:1;
    unsigned                   go_away_sent:1;
    unsigned                   go_away_seen:1;  /* by the peer */
    unsigned                   go_away_received:1;
    unsigned                   close_sent:1;    /* queued, at the end */
    unsigned                   close_received:1;

    struct inlets_mux_stream  *small_table[MUX_BUCKETS];
    uint8_t                    random[];
};


/* inlets_mux.c */

struct inlets_mux_stream *mux_find(const struct inlets_mux *m, uint32_t id);
struct inlets_mux_stream *mux_stream_create(struct inlets_mux *m, uint32_t id);
void mux_stream_over(struct inlets_mux_stream *s);
void mux_event(struct inlets_mux_stream *s, unsigned event);
void mux_stream_dead(struct inlets_mux_stream *s);
int mux_fail(struct inlets_mux *m, int error, uint32_t stream);
void mux_close_received(struct inlets_mux *m);

struct mux_block *mux_block_new(struct inlets_mux *m, unsigned kind);
void mux_block_free(struct inlets_mux *m, struct mux_block *b);
void mux_blocks_append(struct mux_blocks *list, struct mux_block *b);
struct mux_block *mux_blocks_shift(struct mux_blocks *list);
void mux_blocks_free(struct inlets_mux *m, struct mux_blocks *list);

void mux_link_init(struct mux_link *l);
bool mux_link_empty(const struct mux_link *l);
void mux_link_append(struct mux_link *queue, struct mux_link *l);
void mux_link_remove(struct mux_link *l);


/* inlets_mux_rx.c */

void mux_give_credit(struct inlets_mux_stream *s);


/* inlets_mux_tx.c */

void mux_control(struct inlets_mux *m, uint8_t type, uint16_t flags,
    uint32_t stream, uint32_t length);
void mux_in_order(struct inlets_mux *m, uint8_t type, uint16_t flags,
    uint32_t stream, uint32_t length);
void mux_flags(struct inlets_mux_stream *s, uint16_t flags);
void mux_queue_close(struct inlets_mux *m, uint16_t code, const char *reason);
void mux_drop_output(struct inlets_mux *m);
void mux_leave_turns(struct inlets_mux_stream *s);
void mux_wake(struct inlets_mux *m);
bool mux_wake_late(struct inlets_mux *m);


#endif /* INLETS_MUX_IMPL_H */
