#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


#define FLOW_BULK        16384      /* a read of so much calls for splice() */
#define FLOW_SMALL       4096       /* and one of less ends that */
#define FLOW_SPLICE      (1 << 20)  /* the pipe is full long before */
#define FLOW_BUDGET      (1 << 20)  /* bytes in one turn of the loop */
#define FLOW_IDLE_PIPES  32

#define SPLICE_FLAGS  (SPLICE_F_MOVE|SPLICE_F_NONBLOCK)


/* Of one step: a number of bytes, at least 1, or one of these. */
#define STEP_AGAIN  0
#define STEP_END    (-1)
#define STEP_ERROR  (-2)


struct inlets_pipe {
    struct inlets_pipe  *next;
    int                  fds[2];    /* to read from, to write to */
};


int
inlets_flows_init(struct inlets_flows *flows, bool splice, size_t max_pipes)
{
    *flows = (struct inlets_flows) { .splice = splice && max_pipes > 0,
                                     .max_pipes = max_pipes };

    flows->input = malloc(INLETS_FLOW_CHUNK);

    return flows->input == NULL ? -1 : 0;
}


static void
destroy_pipe(struct inlets_flows *flows, struct inlets_pipe *pipe)
{
    close(pipe->fds[0]);
    close(pipe->fds[1]);
    free(pipe);

    flows->n_open--;
}


void
inlets_flows_finish(struct inlets_flows *flows)
{
    while (flows->idle != NULL) {
        struct inlets_pipe  *pipe = flows->idle;

        flows->idle = pipe->next;
        destroy_pipe(flows, pipe);
    }

    flows->n_idle = 0;

    free(flows->input);
    flows->input = NULL;
}


/* NULL: there are enough, or there is none to be had; copying will do. */

static struct inlets_pipe *
take_pipe(struct inlets_flows *flows)
{
    struct inlets_pipe  *pipe = flows->idle;

    if (pipe != NULL) {
        flows->idle = pipe->next;
        flows->n_idle--;
        return pipe;
    }

    if (flows->n_open >= flows->max_pipes) {
        return NULL;
    }

    pipe = malloc(sizeof(*pipe));

    if (pipe == NULL) {
        return NULL;
    }

    if (pipe2(pipe->fds, O_NONBLOCK|O_CLOEXEC) != 0) {
        free(pipe);
        return NULL;
    }

    flows->n_open++;

    return pipe;
}


static void
give_pipe(struct inlets_flows *flows, struct inlets_pipe *pipe)
{
    if (flows->n_idle >= FLOW_IDLE_PIPES) {
        destroy_pipe(flows, pipe);
        return;
    }

    pipe->next = flows->idle;
    flows->idle = pipe;
    flows->n_idle++;
}


static void
drop_kept(struct inlets_flow *flow)
{
    free(flow->kept);

    flow->kept = NULL;
    flow->kept_start = 0;
    flow->kept_end = 0;
}


void
inlets_flow_finish(struct inlets_flows *flows, struct inlets_flow *flow)
{
    drop_kept(flow);

    if (flow->pipe != NULL) {
        /* with bytes in it, it is of no use to another flow */
        destroy_pipe(flows, flow->pipe);
        flow->pipe = NULL;
        flow->piped = 0;
    }
}


static bool
splice_refused(int err)
{
    return err == EINVAL || err == ENOSYS || err == EPERM || err == EOPNOTSUPP;
}


static ssize_t
step_failed(struct inlets_flow *flow, int err)
{
    if (err == EAGAIN || err == EWOULDBLOCK) {
        return STEP_AGAIN;
    }

    flow->error = err;

    return STEP_ERROR;
}


static ssize_t
write_bytes(struct inlets_flow *flow, int to, const uint8_t *buf, size_t len)
{
    ssize_t  n;

    do {
        n = send(to, buf, len, MSG_NOSIGNAL);
    } while (n == -1 && errno == EINTR);

    if (n <= 0) {
        return n == 0 ? STEP_AGAIN : step_failed(flow, errno);
    }

    flow->bytes += (uint64_t) n;

    return n;
}


static int
keep(struct inlets_flow *flow, const uint8_t *buf, size_t len)
{
    flow->kept = malloc(len);

    if (flow->kept == NULL) {
        flow->error = ENOMEM;
        return -1;
    }

    memcpy(flow->kept, buf, len);
    flow->kept_start = 0;
    flow->kept_end = len;

    return 0;
}


/* From the shared buffer; its rest is kept. */

static ssize_t
write_input(struct inlets_flows *flows, struct inlets_flow *flow, int to,
    size_t len)
{
    ssize_t  n = write_bytes(flow, to, flows->input, len);
    size_t   done = n > 0 ? (size_t) n : 0;

    if (n == STEP_ERROR) {
        return n;
    }

    if (done < len && keep(flow, flows->input + done, len - done) != 0) {
        return STEP_ERROR;
    }

    return done < len ? STEP_AGAIN : n;
}


static ssize_t
write_kept(struct inlets_flow *flow, int to)
{
    ssize_t  n = 0;

    while (flow->kept_start < flow->kept_end) {
        n = write_bytes(flow, to, flow->kept + flow->kept_start,
                        flow->kept_end - flow->kept_start);

        if (n <= 0) {
            return n;
        }

        flow->kept_start += (size_t) n;
    }

    drop_kept(flow);

    return n;
}


static ssize_t
splice_out(struct inlets_flows *flows, struct inlets_flow *flow, int to)
{
    ssize_t  n;

    do {
        n = splice(flow->pipe->fds[0], NULL, to, NULL, flow->piped,
                   SPLICE_FLAGS);
    } while (n == -1 && errno == EINTR);

    if (n > 0) {
        flow->piped -= (size_t) n;
        flow->bytes += (uint64_t) n;
        return n;
    }

    if (n == -1 && splice_refused(errno)) {
        flows->splice = false;
        return 1;
    }

    /* the pipe is not empty: 0 can't be, and would come again and again */

    return n == 0 ? step_failed(flow, EIO) : step_failed(flow, errno);
}


/* The kernel reads sockets into pipes, but doesn't write them. */

static ssize_t
unpipe(struct inlets_flows *flows, struct inlets_flow *flow, int to)
{
    ssize_t  n;

    do {
        n = read(flow->pipe->fds[0], flows->input, INLETS_FLOW_CHUNK);
    } while (n == -1 && errno == EINTR);

    if (n <= 0) {
        flow->error = n == 0 ? EIO : errno;
        return STEP_ERROR;
    }

    flow->piped -= (size_t) n;

    return write_input(flows, flow, to, (size_t) n);
}


static ssize_t
write_piped(struct inlets_flows *flows, struct inlets_flow *flow, int to)
{
    while (flow->piped > 0) {
        ssize_t  n = flows->splice ? splice_out(flows, flow, to)
                                   : unpipe(flows, flow, to);

        if (n <= 0) {
            return n;
        }
    }

    give_pipe(flows, flow->pipe);
    flow->pipe = NULL;

    return 1;
}


/* 1 when nothing is left. */

static ssize_t
deliver(struct inlets_flows *flows, struct inlets_flow *flow, int to)
{
    ssize_t  n = 1;

    if (flow->kept != NULL) {
        n = write_kept(flow, to);
    }

    if (n > 0 && flow->pipe != NULL) {
        n = write_piped(flows, flow, to);
    }

    return n;
}


/*
 * AGAIN may be wrong here: at a byte of urgent data splice() stops for good,
 * and recv() goes on.
 */

static ssize_t
splice_in(struct inlets_flows *flows, struct inlets_flow *flow, int from)
{
    struct inlets_pipe  *pipe = take_pipe(flows);
    ssize_t              n;

    if (pipe == NULL) {
        return STEP_AGAIN;
    }

    do {
        n = splice(from, NULL, pipe->fds[1], NULL, FLOW_SPLICE, SPLICE_FLAGS);
    } while (n == -1 && errno == EINTR);

    if (n > 0) {
        flow->pipe = pipe;
        flow->piped = (size_t) n;
        flow->bulk = n >= FLOW_SMALL;
        return n;
    }

    give_pipe(flows, pipe);

    if (n == 0) {
        return STEP_END;
    }

    if (splice_refused(errno)) {
        flows->splice = false;
        return STEP_AGAIN;
    }

    return step_failed(flow, errno);
}


static ssize_t
read_input(struct inlets_flows *flows, struct inlets_flow *flow, int from)
{
    ssize_t  n;

    do {
        n = recv(from, flows->input, INLETS_FLOW_CHUNK, 0);
    } while (n == -1 && errno == EINTR);

    if (n > 0) {
        flow->bulk = n >= FLOW_BULK;
        return n;
    }

    return n == 0 ? STEP_END : step_failed(flow, errno);
}


static enum inlets_flow_status
read_status(ssize_t n)
{
    switch (n) {

    case STEP_AGAIN:
        return INLETS_FLOW_READ;

    case STEP_END:
        return INLETS_FLOW_END;

    default:
        return INLETS_FLOW_READ_ERROR;
    }
}


enum inlets_flow_status
inlets_flow_move(struct inlets_flows *flows, struct inlets_flow *flow, int from,
    int to)
{
    size_t   moved = 0;
    ssize_t  in = 0, out;
    bool     copied = false;

    out = deliver(flows, flow, to);

    while (out > 0) {

        if (copied && in < INLETS_FLOW_CHUNK) {
            /* that was all, or the next event says what is left */
            return INLETS_FLOW_READ;
        }

        if (moved >= FLOW_BUDGET) {
            return INLETS_FLOW_MORE;
        }

        copied = true;
        in = STEP_AGAIN;

        if (flow->bulk && flows->splice) {
            in = splice_in(flows, flow, from);
            copied = in <= 0;
        }

        if (in == STEP_AGAIN) {
            in = read_input(flows, flow, from);
        }

        if (in <= 0) {
            return read_status(in);
        }

        moved += (size_t) in;
        out = copied ? write_input(flows, flow, to, (size_t) in)
                     : write_piped(flows, flow, to);
    }

    return out == STEP_AGAIN ? INLETS_FLOW_WRITE : INLETS_FLOW_WRITE_ERROR;
}
