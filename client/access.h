/*
 * Rules for visitors, which the edge enforces: --basic-auth, --allow-ip and
 * so on.
 */

#ifndef INLETS_ACCESS_H
#define INLETS_ACCESS_H


#include <stdbool.h>

#include <cjson/cJSON.h>

#include "conf.h"
#include "conf_value.h"


/* Checks all rules; 0, or negative with the fault in why. */
int inlets_access_check(const struct inlets_access_conf *access, bool tcp,
    char why[INLETS_WHY_MAX]);

bool inlets_access_given(const struct inlets_access_conf *access);

/* Adds "access" to what a login says, if there are rules; false: no memory. */
bool inlets_access_add(cJSON *object, const struct inlets_access_conf *access);


#endif /* INLETS_ACCESS_H */
