/*
 * The JSON texts on a monitor: what the client sends, and a look into what it
 * gets.
 */

#ifndef INLETS_EVENT_H
#define INLETS_EVENT_H


#include <stdint.h>

#include <cjson/cJSON.h>

#include "conf.h"
#include "monitor.h"


/* To be freed with cJSON_free(); NULL: no memory. */
char *inlets_event_authenticate(const struct inlets_edge_conf *edge,
    const struct inlets_login *login, uint64_t timestamp);
char *inlets_event_ping(void);

/*
 * Reads the answer to a login.  True: *ret is set.  False: *ret_message says
 * why not, as the edge put it; it points into payload or is static.
 */
bool inlets_event_welcome(const cJSON *payload, struct inlets_welcome *ret,
    const char **ret_message);

/* A member of an object, or the preset if it is absent or out of bounds. */
const char *inlets_event_text(const cJSON *object, const char *name,
    const char *preset);
uint64_t inlets_event_number(const cJSON *object, const char *name,
    uint64_t min, uint64_t max, uint64_t preset);


#endif /* INLETS_EVENT_H */
