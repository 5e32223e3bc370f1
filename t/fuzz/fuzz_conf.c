/*
 * The client's file, or with another first byte the edge's list of tunnels: any
 * bytes.  What is taken keeps within its bounds.
 */

#include <stdint.h>
#include <stdlib.h>

#include "../../client/conf_file.h"
#include "../../client/conf_listed.h"
#include "../unit/conf_parts.h"
#include "inlets_error.h"
#include "inlets_name.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


static void
check_text(const char *text, size_t max)
{
    require(text == NULL || strlen(text) <= max);
}


static void
check_conf(const struct inlets_conf *conf)
{
    require(conf->ntunnels <= INLETS_TUNNELS_MAX);
    check_text(conf->edge.token, INLETS_SECRET_MAX);
    check_text(conf->edge.client_id, INLETS_SECRET_MAX);
    check_text(conf->edge.client_secret, INLETS_SECRET_MAX);
    require(conf->edge.links <= INLETS_LINKS_MAX);

    for (size_t i = 0; i < conf->ntunnels; i++) {
        const struct inlets_tunnel_conf  *t = &conf->tunnels[i];

        check_text(t->name, INLETS_NAME_MAX);
        check_text(t->sub_domain, INLETS_LABEL_MAX);
        require(t->sub_domain == NULL
                || inlets_label_check(t->sub_domain, strlen(t->sub_domain))
                   == 0);
        require(t->port <= 65535 && (t->tcp || t->port == 0));
        check_text(t->local.host_header, 255);
        check_text(t->local.auth, 512);
        require(t->local.connect_timeout > 0
                && t->local.connect_timeout <= 3600000);
        require(t->local.idle_timeout <= 3600000);
        require(!t->tcp || (t->sub_domain == NULL && t->access.basic == NULL
                            && t->local.host_header == NULL
                            && t->local.auth == NULL));
    }
}


static void
try_file(const char *text, size_t size)
{
    struct inlets_conf_file  file = { .path = "/nonexistent/f", .first = true };
    struct inlets_conf      *conf = inlets_conf_create();
    int                      rc;

    require(conf != NULL);
    conf_saids = 0;

    rc = inlets_conf_file_parse(&file, conf, text, size);

    require(rc == INLETS_OK || rc == INLETS_E_INVALID);
    require((rc == INLETS_OK) == (conf_saids == 0));

    if (rc == INLETS_OK) {
        check_conf(conf);
    }

    inlets_conf_unref(conf);
}


static void
try_list(const char *text, size_t size)
{
    struct inlets_conf  *base = inlets_conf_create(), *conf;
    cJSON               *json = cJSON_ParseWithLength(text, size);
    char                 why[512] = "";

    require(base != NULL);

    conf = inlets_conf_with_listed(base, json, why, sizeof(why));
    require((conf == NULL) == (why[0] != '\0'));

    if (conf != NULL) {
        check_conf(conf);
    }

    inlets_conf_unref(conf);
    inlets_conf_unref(base);
    cJSON_Delete(json);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char  *text = (const char *) data;

    if (size > 0 && data[0] == '[') {
        try_list(text, size);

    } else {
        try_file(text, size);
    }

    return 0;
}
