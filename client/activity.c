#include "activity.h"

#include <stdio.h>

#include "log.h"


bool
inlets_activity_wanted(const struct inlets_activity *activity)
{
    const struct inlets_requests  *requests = activity->requests;

    return requests != NULL
           && (requests->wanted
               || (requests->logged && inlets_log_enabled(INLETS_LOG_INFO)));
}


void
inlets_activity_request(struct inlets_activity *activity,
    const struct inlets_request *request)
{
    size_t                   i;
    struct inlets_requests  *requests = activity->requests;

    if (requests == NULL) {
        return;
    }

    if (requests->wanted) {
        i = requests->n % INLETS_REQUESTS;

        requests->last[i] = *request;
        requests->last[i].tunnel = NULL;

        if (activity->tunnel != NULL) {
            snprintf(requests->names[i], sizeof(requests->names[i]), "%s",
                     activity->tunnel);
            requests->last[i].tunnel = requests->names[i];
        }

        requests->n++;
    }

    if (requests->logged) {
        inlets_log_request(activity->tunnel, request->method, request->path,
                           request->status, request->time);
    }
}
