/*
 * HTTP requests by libcurl, on the event loop of a worker.
 *
 * TLS is verified, names are resolved in libcurl's thread or by c-ares, there
 * are no redirects, no proxies from the environment, and no schemes but http
 * and https.
 */

#ifndef _NGX_INLETS_CURL_H_INCLUDED_
#define _NGX_INLETS_CURL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_INLETS_CURL_TIMEOUT   10000     /* ms, of a request */
#define NGX_INLETS_CURL_RESPONSE  2048      /* bytes that are kept */


typedef struct ngx_inlets_curl_s  ngx_inlets_curl_t;


/*
 * A POST of a JSON body.  url, ca_file, headers and body stay the caller's, and
 * have to last until the handler was called or the request cancelled.
 */

struct ngx_inlets_curl_s {
    const char                  *url;
    const char                  *ca_file;     /* NULL: the system's */
    const char                  *headers[4];  /* up to the first NULL */
    const char                  *body;
    size_t                       len;

    /* once, from the event loop: status is set, or 0 and error is */

    void                       (*handler)(ngx_inlets_curl_t *request);
    void                        *data;

    ngx_uint_t                   status;
    const char                  *error;       /* without the URL */
    size_t                       response_len;
    u_char                       response[NGX_INLETS_CURL_RESPONSE];

    /* private */

    void                        *easy;
    void                        *list;
};


/* NGX_ERROR: no memory, or a URL that libcurl can't use; nothing is called. */
ngx_int_t ngx_inlets_curl_post(ngx_inlets_curl_t *request, ngx_log_t *log);
void ngx_inlets_curl_cancel(ngx_inlets_curl_t *request);

/* With no request left: closes what is open. */
void ngx_inlets_curl_finish(void);


#endif /* _NGX_INLETS_CURL_H_INCLUDED_ */
