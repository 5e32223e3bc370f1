/*
 * The log: one line an event, to standard output, as
 * "[inlets] YYYY/MM/DD hh:mm:ss text", or as a JSON object.  What a terminal
 * would act upon is replaced, so that a peer can't forge lines, and on one
 * without UTF-8 all that isn't ASCII; texts are cut at about 1 KiB.
 *
 * Nothing here ever waits: lines that nobody reads are kept up to 64 KiB, then
 * left out, and a line says how many.
 */

#ifndef INLETS_LOG_H
#define INLETS_LOG_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


enum inlets_log_level {
    INLETS_LOG_ERROR = 0,
    INLETS_LOG_WARN,
    INLETS_LOG_INFO,
    INLETS_LOG_DEBUG
};


enum inlets_log_format {
    INLETS_LOG_TEXT = 0,
    INLETS_LOG_JSON
};


struct uv_loop_s;


void inlets_log_init(enum inlets_log_level level, bool utc);
void inlets_log_set_format(enum inlets_log_format format);
bool inlets_log_enabled(enum inlets_log_level level);
bool inlets_log_is_utc(void);

/*
 * With a loop, lines that could not be written yet are, as soon as they can
 * be.  detach() waits for the last of them, for a moment.
 */
void inlets_log_attach(struct uv_loop_s *loop);
void inlets_log_detach(void);

void inlets_log(enum inlets_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A bare line, printed at every level: what users and scripts wait for. */
void inlets_log_notice(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * A visitor's request, at INLETS_LOG_INFO.  tunnel may be NULL; status 0: the
 * local service gave none.
 */
void inlets_log_request(const char *tunnel, const char *method,
    const char *path, unsigned status, uint64_t ms);

/* Before there is a log: "Error: text" to standard error. */
void inlets_log_fatal(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* The part of an address that may be shown: a password may precede "@". */
const char *inlets_log_address(const char *address);


/*
 * Takes the lines, each with its line end, instead of standard output; false:
 * there is no room.  It must not log.
 */
typedef bool (*inlets_log_sink)(void *data, const char *line, size_t len);

/* NULL: standard output again. */
void inlets_log_set_sink(inlets_log_sink sink, void *data);


#endif /* INLETS_LOG_H */
