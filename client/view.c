#include "view.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "output.h"
#include "term.h"
#include "view_draw.h"


#define VIEW_PAUSE    100       /* ms, between two drawings at least */
#define VIEW_BUSY     250       /* ms, to the next look if things change */
#define VIEW_IDLE     1000
#define VIEW_PENDING  16384     /* bytes of the log */
#define VIEW_HANDLES  3

#define ERASE_LINE    "\033[K"
#define ERASE_BELOW   "\033[J"


struct inlets_view {
    uv_loop_t                   *loop;
    struct inlets_view_source    source;

    uv_timer_t                   timer;
    uv_signal_t                  resized;
    uv_signal_t                  resumed;
    unsigned                     handles;

    bool                         colour;
    bool                         utf8;
    bool                         wraps;

    bool                         shown;         /* .drawing is on the screen */
    unsigned                     width;         /* of the terminal, then */
    unsigned                     height;
    uint64_t                     time;          /* ms, of the last drawing */
    uint64_t                     due;           /* ms, of the timer; 0: none */
    size_t                       count;         /* tunnels, at the last look */

    struct inlets_view_drawing  *drawing;       /* one of the two */
    struct inlets_view_drawing   drawings[2];

    size_t                       pending;       /* lines of the log */
    char                         lines[VIEW_PENDING];

    size_t                       len;
    char                         frame[INLETS_OUTPUT_MAX];
};


static_assert(VIEW_PENDING + 64
              + INLETS_VIEW_LINES * (INLETS_VIEW_BYTES + 8)
              <= INLETS_OUTPUT_MAX, "a frame is one write");


/* Frames */

static void
frame_add(struct inlets_view *view, const char *text, size_t len)
{
    if (len <= sizeof(view->frame) - view->len) {
        memcpy(view->frame + view->len, text, len);
        view->len += len;
    }
}


static void
frame_put(struct inlets_view *view, const char *text)
{
    frame_add(view, text, strlen(text));
}


/* Rows that the last drawing takes, now that the terminal is this wide. */

static unsigned
rows_shown(const struct inlets_view *view, unsigned width)
{
    unsigned  rows = 0;

    if (!view->shown) {
        return 0;
    }

    for (unsigned i = 0; i < view->drawing->n; i++) {
        unsigned  columns = view->drawing->line[i].width;

        rows++;

        if (view->wraps && columns > width) {
            rows += (columns - 1) / width;
        }
    }

    return rows;
}


/*
 * Back to the first line of what is shown; then the lines of the log, which
 * stay, and the drawing.  The cursor ends below it.
 */

static void
view_write(struct inlets_view *view, struct inlets_view_drawing *drawing,
    unsigned width, unsigned height)
{
    unsigned  rows = rows_shown(view, width);
    bool      clear = view->pending > 0 || width != view->width
                      || height != view->height;
    char      move[32];

    view->len = 0;

    if (rows > 0) {
        (void) snprintf(move, sizeof(move), "\r\033[%uA", rows);
        frame_put(view, move);

        if (clear) {
            frame_put(view, ERASE_BELOW);
        }
    }

    frame_add(view, view->lines, view->pending);
    view->pending = 0;

    for (unsigned i = 0; i < drawing->n; i++) {
        frame_add(view, drawing->line[i].data, drawing->line[i].len);
        frame_put(view, clear ? "\r\n" : ERASE_LINE "\r\n");
    }

    frame_put(view, ERASE_BELOW);       /* and what was typed there */

    (void) inlets_output_write(view->frame, view->len);

    view->drawing = drawing;
    view->shown = true;
    view->width = width;
    view->height = height;
    view->time = uv_now(view->loop);
}


/* In the background the log goes on, as that of any program. */

static void
write_pending(struct inlets_view *view)
{
    (void) inlets_output_write(view->lines, view->pending);

    view->pending = 0;
    view->shown = false;
}


static bool
is_same(const struct inlets_view_drawing *a,
    const struct inlets_view_drawing *b)
{
    if (a->n != b->n) {
        return false;
    }

    for (unsigned i = 0; i < a->n; i++) {
        if (a->line[i].len != b->line[i].len
            || memcmp(a->line[i].data, b->line[i].data, a->line[i].len) != 0)
        {
            return false;
        }
    }

    return true;
}


/* Whether anything had changed. */

static bool
view_update(struct inlets_view *view)
{
    struct inlets_view_model     model;
    struct inlets_view_drawing  *next;

    if (!inlets_term_is_ours(STDOUT_FILENO)) {
        write_pending(view);
        return false;
    }

    model = (struct inlets_view_model) {
        .source = &view->source,
        .now = uv_now(view->loop),
        .colour = view->colour,
        .utf8 = view->utf8,
        .utc = inlets_log_is_utc()
    };

    inlets_term_size(STDOUT_FILENO, &model.width, &model.height);

    next = &view->drawings[view->drawing == &view->drawings[0] ? 1 : 0];
    inlets_view_draw(&model, next);

    if (view->shown && view->pending == 0 && model.width == view->width
        && model.height == view->height && is_same(next, view->drawing))
    {
        return false;
    }

    view_write(view, next, model.width, model.height);

    return true;
}


/* When */

static void view_timer(uv_timer_t *timer);


static void
view_schedule(struct inlets_view *view, uint64_t due)
{
    uint64_t  now = uv_now(view->loop);

    if (view->due != 0 && view->due <= due) {
        return;
    }

    view->due = due;

    (void) uv_timer_start(&view->timer, view_timer, due > now ? due - now : 0,
                          0);
}


static void
view_timer(uv_timer_t *timer)
{
    struct inlets_view  *view = timer->data;
    uint64_t             now = uv_now(view->loop);
    size_t               before = view->count;

    view->due = 0;
    view->count = view->source.count(view->source.data);

    /*
     * A slow terminal gets fewer drawings, not older ones.  If the last tunnel
     * has ended, so does the process, as a rule: this is known next time.
     */

    if (!inlets_output_is_clear() || (view->count == 0 && before > 0)) {
        view_schedule(view, now + VIEW_PAUSE);
        return;
    }

    view_schedule(view, now + (view_update(view) ? VIEW_BUSY : VIEW_IDLE));
}


void
inlets_view_touch(struct inlets_view *view)
{
    if (view != NULL) {
        view_schedule(view, view->time + VIEW_PAUSE);
    }
}


/* What is on the screen, again, without asking for anything. */

static void
view_repeat(struct inlets_view *view)
{
    unsigned  width, height;

    if (!inlets_term_is_ours(STDOUT_FILENO)) {
        write_pending(view);
        return;
    }

    inlets_term_size(STDOUT_FILENO, &width, &height);
    view_write(view, view->drawing, width, height);
}


static bool
view_log(void *data, const char *line, size_t len)
{
    struct inlets_view  *view = data;

    /* whoever logs may be in the middle of a change */

    if (len > sizeof(view->lines) - view->pending
        && inlets_output_is_clear())
    {
        view_repeat(view);
    }

    if (len > sizeof(view->lines) - view->pending) {
        return false;
    }

    memcpy(view->lines + view->pending, line, len);
    view->pending += len;

    inlets_view_touch(view);

    return true;
}


static void
terminal_resized(uv_signal_t *handle, int signum)
{
    (void) signum;

    inlets_view_touch(handle->data);
}


/* What was drawn is now above what the shell has said. */

static void
process_resumed(uv_signal_t *handle, int signum)
{
    struct inlets_view  *view = handle->data;

    (void) signum;

    view->shown = false;
    inlets_view_touch(view);
}


bool
inlets_view_possible(void)
{
    return inlets_term_is_capable(STDOUT_FILENO);
}


struct inlets_view *
inlets_view_create(uv_loop_t *loop, const struct inlets_view_source *source)
{
    struct inlets_view  *view = calloc(1, sizeof(*view));

    if (view == NULL) {
        return NULL;
    }

    view->loop = loop;
    view->source = *source;
    view->colour = inlets_term_has_colour(STDOUT_FILENO);
    view->utf8 = inlets_term_has_utf8();
    view->wraps = inlets_term_wraps();
    view->drawing = &view->drawings[0];

    (void) uv_timer_init(loop, &view->timer);
    (void) uv_signal_init(loop, &view->resized);
    (void) uv_signal_init(loop, &view->resumed);

    view->handles = VIEW_HANDLES;
    view->timer.data = view;
    view->resized.data = view;
    view->resumed.data = view;

    (void) uv_signal_start(&view->resized, terminal_resized, SIGWINCH);
    (void) uv_signal_start(&view->resumed, process_resumed, SIGCONT);

    uv_unref((uv_handle_t *) &view->timer);
    uv_unref((uv_handle_t *) &view->resized);
    uv_unref((uv_handle_t *) &view->resumed);

    inlets_log_set_sink(view_log, view);
    inlets_view_touch(view);

    return view;
}


static void
view_closed(uv_handle_t *handle)
{
    struct inlets_view  *view = handle->data;

    if (--view->handles == 0) {
        free(view);
    }
}


void
inlets_view_destroy(struct inlets_view *view)
{
    if (view == NULL) {
        return;
    }

    /* when all tunnels have ended, what they were is worth more */

    if (!inlets_output_is_clear()) {
        write_pending(view);

    } else if (view->source.count(view->source.data) > 0 || !view->shown) {
        (void) view_update(view);

    } else if (view->pending > 0) {
        view_repeat(view);
    }

    inlets_log_set_sink(NULL, NULL);

    uv_close((uv_handle_t *) &view->timer, view_closed);
    uv_close((uv_handle_t *) &view->resized, view_closed);
    uv_close((uv_handle_t *) &view->resumed, view_closed);
}
