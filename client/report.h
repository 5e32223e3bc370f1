/*
 * Error reports (--report-url): a POST of JSON, by libcurl on the loop.
 */

#ifndef INLETS_REPORT_H
#define INLETS_REPORT_H


#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

#include <uv.h>


struct inlets_report;


/*
 * Whether it is an http or https URL with a host.  libcurl has to be loaded, by
 * inlets_curl_load(), before this and all below.
 */
bool inlets_report_url_valid(const char *url);

/* NULL: no memory.  conf has a report_url. */
struct inlets_report *inlets_report_create(uv_loop_t *loop,
    struct inlets_conf *conf);

/* NULL is accepted; its handles close with the next turns of the loop. */
void inlets_report_destroy(struct inlets_report *report);

/*
 * Posts it, or keeps it until a minute after the one before, if no later one
 * comes; so too when it can't be delivered.  tunnel: which one, in words;
 * attempts: to bring it up, since it was up.  report NULL: nothing.
 */
void inlets_report_send(struct inlets_report *report, const char *tunnel,
    const char *error, uint32_t attempts);

/* At the end: runs the loop while a report is under way, at most 2 s. */
void inlets_report_wait(struct inlets_report *report);


#endif /* INLETS_REPORT_H */
