/*
 * The log: one line an event, to standard output, as
 * "[inlets] YYYY/MM/DD hh:mm:ss text".  Control bytes in the text are replaced,
 * so that a peer can't forge lines; lines are cut at about 1 KiB.
 */

#ifndef INLETS_LOG_H
#define INLETS_LOG_H


#include <stdbool.h>


enum inlets_log_level {
    INLETS_LOG_ERROR = 0,
    INLETS_LOG_WARN,
    INLETS_LOG_INFO,
    INLETS_LOG_DEBUG
};


void inlets_log_init(enum inlets_log_level level, bool utc);
bool inlets_log_enabled(enum inlets_log_level level);

void inlets_log(enum inlets_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A bare line, printed at every level: what users and scripts wait for. */
void inlets_log_notice(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Before there is a log: "Error: text" to standard error. */
void inlets_log_fatal(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* The part of an address that may be shown: a password may precede "@". */
const char *inlets_log_address(const char *address);


#endif /* INLETS_LOG_H */
