#include "rlimit.h"

#include <stdint.h>
#include <sys/resource.h>


#define DESCRIPTORS_UNKNOWN  1024


size_t
inlets_raise_descriptors(void)
{
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return DESCRIPTORS_UNKNOWN;
    }

    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t  before = limit.rlim_cur;

        limit.rlim_cur = limit.rlim_max;

        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            limit.rlim_cur = before;
        }
    }

    return limit.rlim_cur > SIZE_MAX ? SIZE_MAX : (size_t) limit.rlim_cur;
}
