/*
 * What "--version" and "-V" print.
 */

#ifndef INLETS_VERSION_TEXT_H
#define INLETS_VERSION_TEXT_H


#include <stdbool.h>


/* The release's number alone, or all: protocols, nginx, libraries. */
void inlets_version_print(bool all);


#endif /* INLETS_VERSION_TEXT_H */
