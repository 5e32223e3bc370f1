#include "view_draw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "inlets_version.h"
#include "pen.h"


#define SMALL_WIDTH    20   /* less: one short line */
#define SMALL_HEIGHT   6
#define LINES_MIN      5
#define NARROW         60   /* columns; less: no durations of states */
#define NAME_MAX_SHOWN 24   /* columns */
#define EDGE_MIN       8
#define METHOD_MAX     7
#define REQUESTS_SHOWN 10
#define DURATION       7    /* columns of "999 min" */
#define CLOCK          8    /* of "08:00:00" */
#define STATES         4
#define TEXT_MAX       1024


/* What is common to all lines. */

struct plan {
    const struct inlets_view_model  *model;
    struct inlets_view_drawing      *drawing;

    size_t    count;                    /* tunnels */
    size_t    states[STATES];
    size_t    rows[INLETS_VIEW_LINES];  /* the tunnels shown */
    unsigned  nrows;
    unsigned  nrequests;
    bool      more;                     /* a line for the others */
    bool      folded;                   /* two lines a tunnel */

    unsigned  name;                     /* columns */
    unsigned  state;
};


static const char *const  state_names[STATES] = {
    [INLETS_VIEW_CONNECTING] = "connecting",
    [INLETS_VIEW_ONLINE] = "online",
    [INLETS_VIEW_WAITING] = "waiting",
    [INLETS_VIEW_FAILED] = "failed"
};

static const enum inlets_colour  state_colours[STATES] = {
    [INLETS_VIEW_CONNECTING] = INLETS_COLOUR_YELLOW,
    [INLETS_VIEW_ONLINE] = INLETS_COLOUR_GREEN,
    [INLETS_VIEW_WAITING] = INLETS_COLOUR_YELLOW,
    [INLETS_VIEW_FAILED] = INLETS_COLOUR_RED
};


/* Lines */

static void
line_begin(const struct plan *plan, struct inlets_pen *pen)
{
    const struct inlets_view_model  *model = plan->model;
    struct inlets_view_line         *line;

    line = &plan->drawing->line[plan->drawing->n];

    *pen = (struct inlets_pen) {
        .data = line->data,
        .size = sizeof(line->data),
        .width = model->width - 1,      /* the cursor doesn't wait to wrap */
        .colour = model->colour,
        .utf8 = model->utf8
    };

    if (pen->width > INLETS_VIEW_WIDTH) {
        pen->width = INLETS_VIEW_WIDTH;
    }
}


static void
line_end(const struct plan *plan, const struct inlets_pen *pen)
{
    struct inlets_view_line  *line;

    line = &plan->drawing->line[plan->drawing->n];

    line->len = pen->len;
    line->width = pen->column;

    plan->drawing->n++;
}


static void
get_tunnel(const struct plan *plan, size_t i, struct inlets_view_tunnel *ret)
{
    const struct inlets_view_source  *source = plan->model->source;

    memset(ret, 0, sizeof(*ret));

    source->tunnel(source->data, i, ret);

    if ((unsigned) ret->state >= STATES) {
        ret->state = INLETS_VIEW_FAILED;
    }

    if (ret->url == NULL) {
        ret->url = "";
    }

    if (ret->service == NULL) {
        ret->service = "";
    }
}


/* What there is room for */

static void
count_states(struct plan *plan)
{
    const struct inlets_view_source  *source = plan->model->source;

    plan->count = source->count(source->data);

    for (size_t i = 0; i < plan->count; i++) {
        struct inlets_view_tunnel  tunnel;

        get_tunnel(plan, i, &tunnel);
        plan->states[tunnel.state]++;
    }
}


/* Those in trouble first, if there isn't room for all; in their order. */

static void
choose_rows(struct plan *plan, unsigned room)
{
    size_t  others = plan->count - plan->states[INLETS_VIEW_ONLINE];
    size_t  online;

    if (others > room) {
        others = room;
    }

    online = room - others;

    for (size_t i = 0; i < plan->count && plan->nrows < room; i++) {
        struct inlets_view_tunnel  tunnel;
        size_t                    *left;

        get_tunnel(plan, i, &tunnel);
        left = tunnel.state == INLETS_VIEW_ONLINE ? &online : &others;

        if (*left > 0) {
            (*left)--;
            plan->rows[plan->nrows++] = i;
        }
    }
}


static void
state_text(const struct plan *plan, const struct inlets_view_tunnel *tunnel,
    char *buf, size_t size)
{
    const char  *name = state_names[tunnel->state];
    uint64_t     now = plan->model->now;
    char         age[32];

    /* one that tries again and again is told of by the time of the next */

    if (tunnel->since == 0 || tunnel->since > now
        || tunnel->state == INLETS_VIEW_WAITING
        || tunnel->state == INLETS_VIEW_CONNECTING
        || plan->model->width < NARROW)
    {
        (void) snprintf(buf, size, "%s", name);
        return;
    }

    inlets_pen_age(age, sizeof(age), now - tunnel->since);
    (void) snprintf(buf, size, "%s %s", name, age);
}


static void
address_text(const struct inlets_view_tunnel *tunnel, char *buf, size_t size)
{
    (void) snprintf(buf, size, "%s%s%s", tunnel->url,
                    tunnel->url[0] != '\0' && tunnel->service[0] != '\0'
                        ? " -> " : "",
                    tunnel->service);
}


static void
trouble_text(const struct plan *plan, const struct inlets_view_tunnel *tunnel,
    char *buf, size_t size)
{
    uint64_t  now = plan->model->now;
    char      age[32] = "";

    if (tunnel->state == INLETS_VIEW_WAITING && tunnel->retry_at > now) {
        inlets_pen_age(age, sizeof(age), tunnel->retry_at - now + 999);
    }

    (void) snprintf(buf, size, "%s%s%s%s",
                    age[0] != '\0' ? "again in " : "", age,
                    tunnel->why != NULL && age[0] != '\0' ? ": " : "",
                    tunnel->why != NULL ? tunnel->why : "");
}


static void
counters_text(const struct inlets_activity *activity, char *buf, size_t size)
{
    char  in[32], out[32], refused[48] = "";

    if (activity == NULL) {
        buf[0] = '\0';
        return;
    }

    inlets_pen_bytes(in, sizeof(in), activity->received);
    inlets_pen_bytes(out, sizeof(out), activity->sent);

    if (activity->refused > 0) {
        (void) snprintf(refused, sizeof(refused), ", %" PRIu64 " refused",
                        activity->refused);
    }

    (void) snprintf(buf, size, "%" PRIu32 " open, %s in, %s out%s",
                    activity->open, in, out, refused);
}


/* What stands behind the state, and then what is less urgent. */

static void
row_texts(const struct plan *plan, const struct inlets_view_tunnel *tunnel,
    char first[TEXT_MAX], char second[TEXT_MAX])
{
    trouble_text(plan, tunnel, first, TEXT_MAX);

    if (tunnel->state == INLETS_VIEW_ONLINE || first[0] == '\0') {
        address_text(tunnel, first, TEXT_MAX);
        counters_text(tunnel->activity, second, TEXT_MAX);

    } else {
        address_text(tunnel, second, TEXT_MAX);
    }
}


/* The columns of names and states; whether any line would be too long. */

static bool
measure_rows(struct plan *plan)
{
    struct inlets_pen  pen;
    unsigned           widest = 0;

    line_begin(plan, &pen);

    for (unsigned i = 0; i < plan->nrows; i++) {
        struct inlets_view_tunnel  tunnel;
        char                       first[TEXT_MAX], second[TEXT_MAX];
        unsigned                   name, state, rest;

        get_tunnel(plan, plan->rows[i], &tunnel);

        name = tunnel.name != NULL ? inlets_pen_measure(&pen, tunnel.name) : 0;

        state_text(plan, &tunnel, first, sizeof(first));
        state = inlets_pen_measure(&pen, first);

        row_texts(plan, &tunnel, first, second);
        rest = inlets_pen_measure(&pen, first) + 2
               + inlets_pen_measure(&pen, second);

        plan->name = name > plan->name ? name : plan->name;
        plan->state = state > plan->state ? state : plan->state;
        widest = rest > widest ? rest : widest;
    }

    if (plan->name > NAME_MAX_SHOWN) {
        plan->name = NAME_MAX_SHOWN;
    }

    if (plan->name > pen.width / 3) {
        plan->name = pen.width / 3;
    }

    return (plan->name > 0 ? plan->name + 2 : 0) + plan->state + 2 + widest
           > pen.width;
}


static void
make_plan(struct plan *plan)
{
    const struct inlets_requests  *requests = plan->model->source->requests;
    unsigned                       lines, wanted = 0, room;

    lines = plan->model->height / 2;

    if (lines < LINES_MIN) {
        lines = LINES_MIN;
    }

    if (lines > INLETS_VIEW_LINES) {
        lines = INLETS_VIEW_LINES;
    }

    lines--;    /* the first */

    if (requests != NULL) {
        wanted = requests->n < REQUESTS_SHOWN ? (unsigned) requests->n
                                              : REQUESTS_SHOWN;
    }

    room = lines - (wanted < lines / 2 ? wanted : lines / 2);

    if (plan->count > room) {
        plan->more = true;
        room--;
    }

    choose_rows(plan, room < plan->count ? room : (unsigned) plan->count);

    plan->folded = measure_rows(plan) && !plan->more
                   && plan->nrows * 2 <= room;

    lines -= plan->nrows * (plan->folded ? 2 : 1) + plan->more;
    plan->nrequests = wanted < lines ? wanted : lines;
}


/* The first line, and that of a small terminal */

static void
put_states(const struct plan *plan, struct inlets_pen *pen)
{
    static const enum inlets_view_state  order[STATES] = {
        INLETS_VIEW_FAILED, INLETS_VIEW_WAITING, INLETS_VIEW_CONNECTING,
        INLETS_VIEW_ONLINE
    };

    bool  any = false;

    if (plan->count == 0) {
        inlets_pen_put(pen, INLETS_COLOUR_NONE, "no tunnels");
        return;
    }

    for (unsigned i = 0; i < STATES; i++) {
        enum inlets_view_state  state = order[i];
        char                    text[64];

        if (plan->states[state] == 0) {
            continue;
        }

        if (plan->count == 1) {
            (void) snprintf(text, sizeof(text), "%s", state_names[state]);

        } else {
            (void) snprintf(text, sizeof(text), "%zu %s", plan->states[state],
                            state_names[state]);
        }

        inlets_pen_put(pen, INLETS_COLOUR_NONE, any ? ", " : "");
        inlets_pen_put(pen, state_colours[state], text);
        any = true;
    }
}


/* The line is begun anew then. */

static unsigned
measure_states(const struct plan *plan)
{
    struct inlets_pen  pen;

    line_begin(plan, &pen);
    put_states(plan, &pen);

    return pen.column;
}


static void
draw_first(const struct plan *plan)
{
    const struct inlets_view_source  *source = plan->model->source;
    const char                       *edge = source->edge(source->data);
    struct inlets_pen                 pen;
    unsigned                          room, states;

    states = measure_states(plan) + 2;

    line_begin(plan, &pen);

    inlets_pen_put(&pen, INLETS_COLOUR_BOLD, "inlets " INLETS_VERSION);
    inlets_pen_put(&pen, INLETS_COLOUR_NONE, "  ");

    /* the states are worth more than the end of a long address, or all */

    room = inlets_pen_room(&pen);

    if (edge != NULL && room >= states + EDGE_MIN) {
        inlets_pen_cut(&pen, INLETS_COLOUR_NONE, edge, room - states);
        inlets_pen_put(&pen, INLETS_COLOUR_NONE, "  ");
    }

    put_states(plan, &pen);

    line_end(plan, &pen);
}


static void
draw_small(const struct plan *plan)
{
    struct inlets_pen  pen;

    line_begin(plan, &pen);

    inlets_pen_put(&pen, INLETS_COLOUR_NONE, "inlets ");
    put_states(plan, &pen);

    line_end(plan, &pen);
}


/* Tunnels */

static void
draw_tunnel(const struct plan *plan, size_t i)
{
    struct inlets_view_tunnel  tunnel;
    struct inlets_pen          pen;
    unsigned                   indent = plan->name > 0 ? plan->name + 2 : 0;
    char                       first[TEXT_MAX], second[TEXT_MAX];

    get_tunnel(plan, i, &tunnel);

    line_begin(plan, &pen);

    if (tunnel.name != NULL) {
        inlets_pen_cut(&pen, INLETS_COLOUR_BOLD, tunnel.name, plan->name);
    }

    inlets_pen_move(&pen, indent);
    state_text(plan, &tunnel, first, sizeof(first));
    inlets_pen_put(&pen, state_colours[tunnel.state], first);
    inlets_pen_move(&pen, indent + plan->state + 2);

    row_texts(plan, &tunnel, first, second);
    inlets_pen_put(&pen, INLETS_COLOUR_NONE, first);

    if (plan->folded) {
        line_end(plan, &pen);
        line_begin(plan, &pen);
    }

    inlets_pen_put(&pen, INLETS_COLOUR_NONE, "  ");
    inlets_pen_put(&pen, INLETS_COLOUR_DIM, second);

    line_end(plan, &pen);
}


static void
draw_more(const struct plan *plan)
{
    struct inlets_pen  pen;
    char               text[64];

    line_begin(plan, &pen);

    (void) snprintf(text, sizeof(text), "and %zu more",
                    plan->count - plan->nrows);
    inlets_pen_put(&pen, INLETS_COLOUR_DIM, text);

    line_end(plan, &pen);
}


/* Requests, the newest last */

static const struct inlets_request *
get_request(const struct plan *plan, unsigned i)
{
    const struct inlets_requests  *requests = plan->model->source->requests;

    return &requests->last[(requests->n - plan->nrequests + i)
                           % INLETS_REQUESTS];
}


static enum inlets_colour
status_colour(unsigned status)
{
    switch (status / 100) {

    case 1:
    case 2:
        return INLETS_COLOUR_GREEN;

    case 3:
        return INLETS_COLOUR_CYAN;

    case 4:
        return INLETS_COLOUR_YELLOW;

    default:
        return INLETS_COLOUR_RED;
    }
}


static void
clock_text(int64_t at, bool utc, char *buf, size_t size)
{
    time_t     t = (time_t) at;
    struct tm  tm;

    if ((utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)) == NULL
        || strftime(buf, size, "%H:%M:%S", &tm) == 0)
    {
        buf[0] = '\0';
    }
}


struct request_columns {
    unsigned  clock;
    unsigned  tunnel;
    unsigned  method;
    unsigned  path;
};


static unsigned
larger(unsigned a, unsigned b)
{
    return a > b ? a : b;
}


static void
measure_requests(const struct plan *plan, struct request_columns *ret)
{
    struct inlets_pen  pen;
    unsigned           room, taken;

    memset(ret, 0, sizeof(*ret));
    line_begin(plan, &pen);

    for (unsigned i = 0; i < plan->nrequests; i++) {
        const struct inlets_request  *r = get_request(plan, i);

        ret->method = larger(ret->method, inlets_pen_measure(&pen, r->method));
        ret->path = larger(ret->path, inlets_pen_measure(&pen, r->path));

        if (r->tunnel != NULL && plan->count > 1) {
            ret->tunnel = larger(ret->tunnel,
                                 inlets_pen_measure(&pen, r->tunnel));
        }
    }

    if (ret->method > METHOD_MAX) {
        ret->method = METHOD_MAX;
    }

    if (ret->tunnel > pen.width / 6) {
        ret->tunnel = pen.width / 6;
    }

    if (pen.width < NARROW) {
        ret->tunnel = 0;
    }

    ret->clock = pen.width >= 36 ? CLOCK : 0;

    taken = (ret->clock > 0 ? ret->clock + 1 : 0)
            + (ret->tunnel > 0 ? ret->tunnel + 1 : 0)
            + ret->method + 1 + 1 + 3 + 1 + DURATION;
    room = pen.width > taken ? pen.width - taken : 0;

    if (ret->path > room) {
        ret->path = room;
    }
}


static void
draw_answer(struct inlets_pen *pen, unsigned column,
    const struct inlets_request *r)
{
    char      text[32] = "-";
    unsigned  len;

    if (r->status != 0) {
        (void) snprintf(text, sizeof(text), "%u", r->status);
    }

    inlets_pen_cut(pen, status_colour(r->status), text, 3);

    inlets_pen_time(text, sizeof(text), r->time);
    len = (unsigned) strlen(text);

    inlets_pen_move(pen, column + 3 + 1 + larger(DURATION, len) - len);
    inlets_pen_put(pen, INLETS_COLOUR_NONE, text);
}


static void
draw_request(const struct plan *plan, const struct request_columns *columns,
    const struct inlets_request *r)
{
    struct inlets_pen  pen;
    char               text[32];
    unsigned           column = 0;

    line_begin(plan, &pen);

    if (columns->clock > 0) {
        clock_text(r->at, plan->model->utc, text, sizeof(text));
        inlets_pen_put(&pen, INLETS_COLOUR_DIM, text);
        column += columns->clock + 1;
        inlets_pen_move(&pen, column);
    }

    if (columns->tunnel > 0) {
        inlets_pen_cut(&pen, INLETS_COLOUR_NONE,
                       r->tunnel != NULL ? r->tunnel : "", columns->tunnel);
        column += columns->tunnel + 1;
        inlets_pen_move(&pen, column);
    }

    inlets_pen_cut(&pen, INLETS_COLOUR_NONE, r->method, columns->method);
    column += columns->method + 1;
    inlets_pen_move(&pen, column);

    inlets_pen_cut(&pen, INLETS_COLOUR_NONE, r->path, columns->path);
    column += columns->path + 1;
    inlets_pen_move(&pen, column);

    draw_answer(&pen, column, r);

    line_end(plan, &pen);
}


void
inlets_view_draw(const struct inlets_view_model *model,
    struct inlets_view_drawing *ret)
{
    struct plan             plan = { .model = model, .drawing = ret };
    struct request_columns  columns;

    ret->n = 0;

    if (model->width < 2 || model->height < 2) {
        return;
    }

    count_states(&plan);

    if (model->width < SMALL_WIDTH || model->height < SMALL_HEIGHT) {
        draw_small(&plan);
        return;
    }

    make_plan(&plan);

    draw_first(&plan);

    for (unsigned i = 0; i < plan.nrows; i++) {
        draw_tunnel(&plan, plan.rows[i]);
    }

    if (plan.more) {
        draw_more(&plan);
    }

    measure_requests(&plan, &columns);

    for (unsigned i = 0; i < plan.nrequests; i++) {
        draw_request(&plan, &columns, get_request(&plan, i));
    }
}
