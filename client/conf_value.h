/*
 * Single values of the settings, from text that a flag, the environment, the
 * file or the edge's list gave.
 *
 * Each sets its field and returns 0, or leaves it as it was and returns a
 * negative enum inlets_error with a clause in why, which says what is wrong
 * but never what a secret is: "must be host:port or a URL, not \"x\": ..".
 */

#ifndef INLETS_CONF_VALUE_H
#define INLETS_CONF_VALUE_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "secret.h"


#define INLETS_WHY_MAX   INLETS_SECRET_WHY
#define INLETS_PAIR_MAX  512            /* "user:password" */
#define INLETS_HOST_HEADER_MAX  255
#define INLETS_TIME_MAX  3600000        /* ms */


/* bare: a host name alone stands for wss://name */
int inlets_value_remote(struct inlets_url *url, const char *text, bool bare,
    char why[INLETS_WHY_MAX]);
int inlets_value_upstream(struct inlets_url *url, const char *text,
    char why[INLETS_WHY_MAX]);

int inlets_value_label(char **field, const char *text,
    char why[INLETS_WHY_MAX]);
int inlets_value_name(char **field, const char *text,
    char why[INLETS_WHY_MAX]);

/* "clientId:clientSecret" */
int inlets_value_credentials(char **id, char **secret, const char *text,
    char why[INLETS_WHY_MAX]);
int inlets_value_secret(char **field, const char *what, const char *text,
    char why[INLETS_WHY_MAX]);

/* "user:password" */
int inlets_value_pair(char **field, const char *text,
    char why[INLETS_WHY_MAX]);
int inlets_value_host(char **field, const char *text,
    char why[INLETS_WHY_MAX]);

/* The certificates in it are tried, too. */
int inlets_value_ca_file(char **field, const char *path,
    char why[INLETS_WHY_MAX]);
int inlets_value_report_url(char **field, const char *text,
    char why[INLETS_WHY_MAX]);

/* Milliseconds, or "1m30s". */
int inlets_value_time(uint32_t *field, const char *text, uint32_t min,
    char why[INLETS_WHY_MAX]);

/* One more line of a list; INLETS_E_NO_MEMORY leaves it as it was. */
int inlets_value_append(char **field, const char *text);

/* What is wrong with a "user:password", or NULL. */
const char *inlets_value_pair_fault(const char *text, size_t len);


#endif /* INLETS_CONF_VALUE_H */
