/*
 * Rules for visitors, which the edge enforces: --basic-auth, --allow-ip and
 * so on.
 */

#ifndef INLETS_ACCESS_H
#define INLETS_ACCESS_H


#include <stdbool.h>

#include <cjson/cJSON.h>

#include "options.h"


/*
 * Reads the file of --basic-auth-file and checks all rules; 0, or
 * INLETS_E_INVALID after a message.
 */
int inlets_access_check(struct inlets_options *options);

bool inlets_access_given(const struct inlets_options *options);

/* Adds "access" to what a login says, if there are rules; false: no memory. */
bool inlets_access_add(cJSON *object, const struct inlets_options *options);


#endif /* INLETS_ACCESS_H */
