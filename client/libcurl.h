/*
 * libcurl, loaded when it is first needed: with the two dozen libraries that
 * it brings it takes more memory than all the rest of the client.
 */

#ifndef INLETS_LIBCURL_H
#define INLETS_LIBCURL_H


#define CURL_DISABLE_TYPECHECK

#include <curl/curl.h>
#include <stdbool.h>


#define INLETS_CURL_FUNCTIONS(X)                                              \
    X(easy_cleanup)                                                           \
    X(easy_getinfo)                                                           \
    X(easy_init)                                                              \
    X(easy_setopt)                                                            \
    X(easy_strerror)                                                          \
    X(free)                                                                   \
    X(global_cleanup)                                                         \
    X(global_init)                                                            \
    X(multi_add_handle)                                                       \
    X(multi_assign)                                                           \
    X(multi_cleanup)                                                          \
    X(multi_info_read)                                                        \
    X(multi_init)                                                             \
    X(multi_remove_handle)                                                    \
    X(multi_setopt)                                                           \
    X(multi_socket_action)                                                    \
    X(slist_append)                                                           \
    X(slist_free_all)                                                         \
    X(url)                                                                    \
    X(url_cleanup)                                                            \
    X(url_get)                                                                \
    X(url_set)                                                                \
    X(version_info)


struct inlets_curl {
#define INLETS_CURL_MEMBER(name)  __typeof__(curl_##name) *name;
    INLETS_CURL_FUNCTIONS(INLETS_CURL_MEMBER)
#undef INLETS_CURL_MEMBER
};


/* All members are set once load() was true, and stay so. */
extern struct inlets_curl  inlets_curl;

/* False: why is static text, or the loader's. */
bool inlets_curl_load(const char **ret_why);


#endif /* INLETS_LIBCURL_H */
