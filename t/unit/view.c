/*
 * The lines of the live view: what they say, in terminals of all sizes, and
 * what a hostile path can't do to them.
 */

#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <time.h>
#include <wchar.h>

#include "inlets_version.h"

#include "../../client/pen.h"
#include "../../client/text.h"
#include "../../client/view_draw.h"

#include "tap.h"


#define TUNNELS  50
#define FIRST    "inlets " INLETS_VERSION "  "


static struct inlets_activity     activities[TUNNELS];
static struct inlets_view_tunnel  tunnels[TUNNELS];
static size_t                     ntunnels;
static const char                *edge_text = "wss://example.com";
static struct inlets_requests     requests;

static struct inlets_view_drawing  drawing;
static char                        text[INLETS_VIEW_BYTES + 1];


static const char *
edge(void *data)
{
    (void) data;

    return edge_text;
}


static size_t
count(void *data)
{
    (void) data;

    return ntunnels;
}


static void
tunnel(void *data, size_t i, struct inlets_view_tunnel *ret)
{
    (void) data;

    *ret = tunnels[i];
}


static const struct inlets_view_source  source = {
    .edge = edge, .count = count, .tunnel = tunnel, .requests = &requests
};


static void
draw(unsigned width, unsigned height, bool colour)
{
    struct inlets_view_model  model = {
        .source = &source, .now = 100000, .width = width, .height = height,
        .colour = colour, .utf8 = true, .utc = true
    };

    inlets_view_draw(&model, &drawing);
}


static const char *
line(unsigned i)
{
    if (i >= drawing.n) {
        return "(no line)";
    }

    memcpy(text, drawing.line[i].data, drawing.line[i].len);
    text[drawing.line[i].len] = '\0';

    return text;
}


static void
reset(size_t n)
{
    memset(tunnels, 0, sizeof(tunnels));
    memset(activities, 0, sizeof(activities));
    memset(&requests, 0, sizeof(requests));

    ntunnels = n;

    for (size_t i = 0; i < n; i++) {
        tunnels[i] = (struct inlets_view_tunnel) {
            .state = INLETS_VIEW_ONLINE,
            .url = "https://web.example.com",
            .service = "http://127.0.0.1:3000",
            .activity = &activities[i]
        };
    }
}


static void
request(const char *method, const char *path, unsigned status, uint64_t ms,
    const char *name)
{
    struct inlets_request  *r;

    r = &requests.last[requests.n++ % INLETS_REQUESTS];

    r->at = 8 * 3600 + requests.n;
    r->time = ms;
    r->status = status;
    r->tunnel = name;

    (void) snprintf(r->method, sizeof(r->method), "%s", method);
    (void) snprintf(r->path, sizeof(r->path), "%s", path);
}


static void
test_one(void)
{
    reset(1);

    activities[0].open = 3;
    activities[0].received = 1234;
    activities[0].sent = 56789012;

    request("GET", "/", 200, 12, NULL);
    request("DELETE", "/items/7", 404, 1500, NULL);
    request("GET", "/slow", 0, 125000, NULL);

    draw(120, 24, false);

    is_int(drawing.n, 5, "one tunnel, three requests: lines");
    is_str(line(0), FIRST "wss://example.com  online", "first line");
    is_str(line(1), "online  https://web.example.com -> http://127.0.0.1:3000"
           "  3 open, 1.2 kB in, 56.7 MB out", "a tunnel without a name");
    is_str(line(2), "08:00:01 GET    /        200   12 ms", "request");
    is_str(line(3), "08:00:02 DELETE /items/7 404   1.5 s", "another one");
    is_str(line(4), "08:00:03 GET    /slow    -     2 min", "no answer");

    activities[0].refused = 2;
    draw(120, 24, false);
    is_str(line(1), "online  https://web.example.com -> http://127.0.0.1:3000"
           "  3 open, 1.2 kB in, 56.7 MB out, 2 refused", "refused");

    draw(70, 24, false);
    is_int(drawing.n, 6, "two lines where one is too short");
    is_str(line(1), "online  https://web.example.com -> http://127.0.0.1:3000",
           "its address");
    is_str(line(2), "  3 open, 1.2 kB in, 56.7 MB out, 2 refused",
           "its counters");

    draw(40, 10, false);
    is_int(drawing.n, 5, "half of a small terminal");
    is_str(line(0), FIRST "wss://example.com  online", "the edge's address");
    is_str(line(4), "08:00:03 GET    /slow    -     2 min", "its last line");

    draw(19, 24, false);
    is_int(drawing.n, 1, "narrower still: one line");
    is_str(line(0), "inlets online", "the short one");
}


static void
test_states(void)
{
    reset(3);

    tunnels[0].name = "web";
    tunnels[0].since = 10000;
    tunnels[1].name = "database";
    tunnels[1].state = INLETS_VIEW_WAITING;
    tunnels[1].why = "connection refused";
    tunnels[1].retry_at = 102500;
    tunnels[1].url = "";
    tunnels[2].name = "ssh";
    tunnels[2].state = INLETS_VIEW_FAILED;
    tunnels[2].why = "authentication failed";
    tunnels[2].activity = NULL;

    draw(100, 24, false);

    is_int(drawing.n, 4, "three tunnels");
    is_str(line(0), FIRST "wss://example.com  1 failed, 1 waiting, 1 online",
           "states");
    is_str(line(1), "web       online 1 min  https://web.example.com -> "
           "http://127.0.0.1:3000  0 open, 0 B in, 0 B out", "online");
    is_str(line(2), "database  waiting       again in 3 s: connection refused"
           "  http://127.0.0.1:3000", "waiting");
    is_str(line(3), "ssh       failed        authentication failed"
           "  https://web.example.com -> http://127.0.0.1:3000", "failed");

    draw(60, 24, false);
    is_str(line(0), FIRST "wss://example\xe2\x80\xa6  1 failed, 1 waiting, "
           "1 online", "less room: less of the address");
    draw(48, 24, false);
    is_str(line(0), FIRST "1 failed, 1 waiting, 1 online", "no address");

    tunnels[1].retry_at = 99000;
    tunnels[1].why = NULL;
    tunnels[1].state = INLETS_VIEW_CONNECTING;
    draw(100, 24, false);
    is_str(line(2), "database  connecting    http://127.0.0.1:3000"
           "  0 open, 0 B in, 0 B out", "connecting");

    draw(100, 24, true);
    is_str(line(0), "\033[1minlets " INLETS_VERSION "\033[0m  "
           "wss://example.com  "
           "\033[31m1 failed\033[0m, \033[33m1 connecting\033[0m, "
           "\033[32m1 online\033[0m", "with colours");

    reset(0);
    draw(100, 24, false);
    is_int(drawing.n, 1, "no tunnels: a line");
    is_str(line(0), FIRST "wss://example.com  no tunnels", "it says so");

    reset(1);

    tunnels[0].state = INLETS_VIEW_WAITING;
    tunnels[0].url = "";
    tunnels[0].why = "a reason that takes all the room there is, or nearly so";
    tunnels[0].retry_at = 102500;

    draw(80, 24, false);
    is_int(drawing.n, 3, "trouble that leaves no room for the address");
    is_str(line(1), "waiting  again in 3 s: a reason that takes all the room "
           "there is, or nearly so", "it comes first");
    is_str(line(2), "  http://127.0.0.1:3000", "then the address");
}


static void
test_many(void)
{
    static char  names[TUNNELS][16];

    reset(TUNNELS);

    for (unsigned i = 0; i < TUNNELS; i++) {
        (void) snprintf(names[i], sizeof(names[i]), "t%02u", i);
        tunnels[i].name = names[i];
    }

    tunnels[40].state = INLETS_VIEW_FAILED;
    tunnels[40].why = "refused";
    tunnels[45].state = INLETS_VIEW_WAITING;

    draw(150, 20, false);

    is_int(drawing.n, 10, "half of the screen");
    ok(strncmp(line(1), "t00 ", 4) == 0, "the first ones");
    ok(strncmp(line(6), "t05 ", 4) == 0, "in their order");
    ok(strncmp(line(7), "t40 ", 4) == 0, "one in trouble is shown");
    ok(strncmp(line(8), "t45 ", 4) == 0, "the other one");
    is_str(line(9), "and 42 more", "the rest is counted");

    for (unsigned i = 0; i < 3 * INLETS_REQUESTS; i++) {
        char  path[16];

        (void) snprintf(path, sizeof(path), "/%u", i);
        request("GET", path, 200, i, names[i % TUNNELS]);
    }

    draw(150, 20, false);

    is_int(drawing.n, 10, "with requests as well");
    is_str(line(5), "and 46 more", "room was made for them");
    is_str(line(9), "08:01:36 t45 GET /95 200   95 ms", "the last is last");
    is_str(line(6), "08:01:33 t42 GET /92 200   92 ms", "four of them");

    draw(150, 200, false);
    ok(drawing.n <= INLETS_VIEW_LINES, "a very high terminal");
}


static bool
is_clean(void)
{
    for (unsigned i = 0; i < drawing.n; i++) {
        const char  *p = drawing.line[i].data;
        size_t       len = drawing.line[i].len;
        unsigned     columns = 0;

        while (len > 0) {
            uint32_t  c;
            size_t    n;

            /* of what is escaped, colours */

            if (*p == '\033') {
                n = 2;

                while (n < len && p[n] >= '0' && p[n] <= '9') {
                    n++;
                }

                if (n >= len || p[1] != '[' || p[n++] != 'm') {
                    return false;
                }

            } else {
                n = inlets_text_next(p, len, &c);

                if (c == INLETS_TEXT_INVALID || inlets_text_is_control(c)) {
                    return false;
                }

                columns += (unsigned) wcwidth((wchar_t) c);
            }

            p += n;
            len -= n;
        }

        if (columns != drawing.line[i].width) {
            return false;
        }
    }

    return true;
}


static void
test_sizes(void)
{
    bool  small = true, narrow = true, clean = true;

    reset(7);

    tunnels[0].name = "日本語日本語日本語";
    tunnels[1].name = "a-name-that-is-as-long-as-names-may-be-in-the-file";
    tunnels[2].state = INLETS_VIEW_WAITING;
    tunnels[2].why = "cannot connect \033]0;title\007 (\x9b" "2J)";
    tunnels[3].url = "https://\xe2\x80\xaemoc.elpmaxe";
    tunnels[4].service = "\xff\xfe\xc0\xaf\xed\xa0\x80 \xc2\x9b" "31m";

    request("GET", "/\033[2J\r\n\x7f\t\x01", 200, 1, "e\xcc\x81\xcc\x81");
    request("VERSION-CONTROL", "/日本語/日本語/日本語", 101, 1, NULL);
    request("\033c", "", 999, UINT64_MAX, tunnels[1].name);
    request("GET", "/\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98", 500, 7,
            NULL);

    for (unsigned width = 0; width < 230; width++) {
        for (unsigned height = 0; height < 70; height++) {
            draw(width, height, (width + height) % 2 == 0);

            small = small && (drawing.n == 0 || drawing.n < height);
            clean = clean && is_clean();

            for (unsigned i = 0; i < drawing.n; i++) {
                narrow = narrow && drawing.line[i].width < width;
            }

            if (height >= 10 && drawing.n > height / 2) {
                small = false;
            }
        }
    }

    ok(small, "never higher than it may be");
    ok(narrow, "never as wide as the terminal");
    ok(clean, "nothing but text and colours");

    edge_text = "wss://\033[31mexample.com";
    draw(100, 24, false);
    is_str(line(0), FIRST "wss://?[31mexample.com  1 waiting, 6 online",
           "nothing is escaped by others");
    edge_text = "wss://example.com";
}


static void
test_pen(void)
{
    struct inlets_pen  pen;
    char               data[64], buf[32];

    pen = (struct inlets_pen) { .data = data, .size = sizeof(data),
                                .width = 20 };

    is_int(inlets_pen_measure(&pen, "na\xc3\xafve"), 5, "ASCII only");
    inlets_pen_put(&pen, INLETS_COLOUR_RED, "na\xc3\xafve");
    inlets_pen_cut(&pen, INLETS_COLOUR_RED, " and longer", 6);
    inlets_pen_move(&pen, 12);
    inlets_pen_put(&pen, INLETS_COLOUR_NONE, "|");
    is_int(pen.len, 13, "ASCII: bytes");
    is_mem(data, "na?ve and ~ |", 13, "ASCII: text");

    pen = (struct inlets_pen) { .data = data, .size = sizeof(data),
                                .width = 20, .utf8 = true };

    inlets_pen_cut(&pen, INLETS_COLOUR_NONE, "日本語", 5);
    is_int(pen.column, 5, "wide characters are cut between two");
    is_mem(data, "日本…", 9, "and marked");

    inlets_pen_bytes(buf, sizeof(buf), 999);
    is_str(buf, "999 B", "bytes");
    inlets_pen_bytes(buf, sizeof(buf), 1000);
    is_str(buf, "1.0 kB", "a thousand");
    inlets_pen_bytes(buf, sizeof(buf), 999999);
    is_str(buf, "999 kB", "never rounded up to the next unit");
    inlets_pen_bytes(buf, sizeof(buf), UINT64_MAX);
    is_str(buf, "18.4 EB", "the most");

    inlets_pen_age(buf, sizeof(buf), 59999);
    is_str(buf, "59 s", "seconds");
    inlets_pen_age(buf, sizeof(buf), 3599999);
    is_str(buf, "59 min", "minutes");
    inlets_pen_age(buf, sizeof(buf), 47 * 3600000);
    is_str(buf, "47 h", "hours");
    inlets_pen_age(buf, sizeof(buf), 49 * 3600000);
    is_str(buf, "2 d", "days");
    inlets_pen_time(buf, sizeof(buf), 999);
    is_str(buf, "999 ms", "milliseconds");
}


int
main(void)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        printf("1..0 # SKIP no C.UTF-8\n");
        return 0;
    }

    test_pen();
    test_one();
    test_states();
    test_many();
    test_sizes();

    return tap_done();
}
