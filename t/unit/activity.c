/* The last requests of all tunnels, and their lines in the log. */

#include <stdlib.h>

#include "../../client/activity.h"
#include "../../client/log.h"
#include "tap.h"


static unsigned  lines;
static char      line[1024];


static bool
take(void *data, const char *text, size_t len)
{
    (void) data;

    lines++;
    snprintf(line, sizeof(line), "%.*s", (int) len, text);

    return true;
}


static void
add(struct inlets_activity *activity, unsigned status)
{
    struct inlets_request  request = {
        .started = 1000, .time = 12, .status = status, .method = "GET",
        .path = "/a"
    };

    inlets_activity_request(activity, &request);
}


static void
test_ring(struct inlets_activity *activity, struct inlets_requests *requests)
{
    bool        good = true;
    char       *name;
    unsigned    last;
    const char *expected;

    name = malloc(5);
    memcpy(name, "shop", 5);

    for (unsigned i = 0; i < 3 * INLETS_REQUESTS + 5; i++) {
        activity->tunnel = i % 2 == 0 ? name : NULL;
        add(activity, 100 + i);

        last = (unsigned) ((requests->n - 1) % INLETS_REQUESTS);
        good &= requests->n == i + 1
                && requests->last[last].status == 100 + i;
    }

    ok(good, "the last ones are kept");

    /* the tunnel is removed */

    memset(name, 'x', 4);
    free(name);
    activity->tunnel = NULL;
    good = true;

    for (uint64_t i = requests->n - INLETS_REQUESTS; i < requests->n; i++) {
        struct inlets_request  *r = &requests->last[i % INLETS_REQUESTS];

        expected = i % 2 == 0 ? "shop" : NULL;
        good &= r->status == 100 + i
                && (r->tunnel == NULL) == (expected == NULL)
                && (expected == NULL || strcmp(r->tunnel, expected) == 0);
    }

    ok(good, "with names that outlive their tunnels");
}


static void
test_log(struct inlets_activity *activity, struct inlets_requests *requests)
{
    lines = 0;
    add(activity, 200);
    is_int(lines, 0, "no line unless wanted");

    requests->logged = true;
    ok(inlets_activity_wanted(activity), "wanted for the log");

    add(activity, 200);
    ok(strstr(line, " [http] GET /a 200 12 ms\n") != NULL, "a line");

    activity->tunnel = "web";
    add(activity, 0);
    ok(strstr(line, " [http] web: GET /a - 12 ms\n") != NULL,
       "of a tunnel with a name, without an answer");
    is_int(lines, 2, "one each");

    inlets_log_init(INLETS_LOG_WARN, true);
    add(activity, 200);
    is_int(lines, 2, "none at a level below");
    ok(!inlets_activity_wanted(activity), "nor is it wanted then");
}


int
main(void)
{
    struct inlets_requests  *requests = calloc(1, sizeof(*requests));
    struct inlets_activity   activity = { 0 };

    inlets_log_init(INLETS_LOG_INFO, true);
    inlets_log_set_sink(take, NULL);

    ok(!inlets_activity_wanted(&activity), "nobody to tell");
    add(&activity, 200);

    activity.requests = requests;
    ok(!inlets_activity_wanted(&activity), "nobody looks");
    add(&activity, 200);
    is_int(requests->n, 0, "nothing is kept");

    requests->wanted = true;
    ok(inlets_activity_wanted(&activity), "somebody looks");
    test_ring(&activity, requests);

    requests->wanted = false;
    test_log(&activity, requests);

    free(requests);

    return tap_done();
}
