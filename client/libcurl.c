#include "libcurl.h"

#include <dlfcn.h>
#include <string.h>


#define LIBCURL  "libcurl.so.4"


struct inlets_curl  inlets_curl;


static bool
find(void *lib, const char *name, void *ret_function)
{
    void  *symbol = dlsym(lib, name);

    /* ISO C has no conversion between pointers to objects and functions */

    memcpy(ret_function, &symbol, sizeof(symbol));

    return symbol != NULL;
}


bool
inlets_curl_load(const char **ret_why)
{
    void         *lib;
    static bool   loaded;

    if (loaded) {
        return true;
    }

    lib = dlopen(LIBCURL, RTLD_NOW | RTLD_LOCAL);

    if (lib == NULL) {
        *ret_why = dlerror();
        return false;
    }

#define INLETS_CURL_FIND(name)                                                \
    if (!find(lib, "curl_" #name, &inlets_curl.name)) {                       \
        *ret_why = LIBCURL " has no curl_" #name "()";                        \
        return false;                                                         \
    }

    INLETS_CURL_FUNCTIONS(INLETS_CURL_FIND)

#undef INLETS_CURL_FIND

    loaded = true;

    return true;
}
