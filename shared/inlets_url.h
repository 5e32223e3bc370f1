/*
 * Addresses on the command line: the edge (--remote) and the local service
 * (UPSTREAM).
 */

#ifndef INLETS_URL_H
#define INLETS_URL_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define INLETS_URL_HOST  253
#define INLETS_URL_PATH  255

#define INLETS_URL_SOCKET  107      /* longest path of a Unix socket */

/* "[" host "]:65535" and a zero byte; "https://" in front of it */
#define INLETS_URL_AUTHORITY  (INLETS_URL_HOST + 9)
#define INLETS_URL_SERVICE    (INLETS_URL_AUTHORITY + 8)


struct inlets_url {
    bool      tls;
    bool      ip6;                          /* host is an IPv6 address */
    bool      local_socket;                 /* path is a Unix socket's; no
                                               host, no port */
    uint16_t  port;
    char      host[INLETS_URL_HOST + 1];    /* lower case, no brackets */
    char      path[INLETS_URL_PATH + 1];    /* "" or "/base", no final '/' */
};


/*
 * remote: "host:port" and "[v6]:port", with TLS exactly when the port is 443;
 * a ws, wss, http or https URL, its port being 80 or 443 if not given.
 *
 * upstream: "port" (of 127.0.0.1), "host:port", "[v6]:port";
 * "http://host[:port]" and "https://host[:port]", with nothing but a '/' after
 * it; "unix:/path" and "unix:///path".
 *
 * 0 or INLETS_E_URL_*; ret is set only with 0.
 */
int inlets_url_remote(const char *text, struct inlets_url *ret);
int inlets_url_upstream(const char *text, struct inlets_url *ret);

/*
 * "host:port", with brackets where needed, or without the port where it is
 * the default of the scheme and with_port is false; "unix:/path".  Returns the
 * length.
 *
 * service(): as a user may write an upstream: "https://host:port",
 * "unix:/path", else "host:port", which with http has "http://" in front.
 */
int inlets_url_authority(const struct inlets_url *url, bool with_port,
    char ret[INLETS_URL_AUTHORITY]);
int inlets_url_service(const struct inlets_url *url, bool http,
    char ret[INLETS_URL_SERVICE]);


#endif /* INLETS_URL_H */
