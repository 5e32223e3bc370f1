/*
 * The version of the project, of both modules and of the client.
 */

#ifndef INLETS_VERSION_H
#define INLETS_VERSION_H


#define INLETS_VERSION         "0.1.0"
#define INLETS_VERSION_NUMBER  1000     /* major * 10^6, minor * 10^3, patch */


#endif /* INLETS_VERSION_H */
