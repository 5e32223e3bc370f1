/* The client's settings: as values, from its file, from the edge's list. */

#include "tap.h"

#include <stdlib.h>

#include "../../client/conf_file.h"
#include "../../client/conf_listed.h"
#include "conf_parts.h"
#include "inlets_error.h"


static struct inlets_conf *
read_text(const char *text, struct inlets_conf_file *file)
{
    struct inlets_conf  *conf = inlets_conf_create();

    conf_saids = 0;

    if (inlets_conf_file_parse(file, conf, text, strlen(text)) != INLETS_OK) {
        inlets_conf_unref(conf);
        return NULL;
    }

    return conf;
}


static void
test_values(void)
{
    struct inlets_conf         *conf = inlets_conf_create();
    struct inlets_conf         *other;
    struct inlets_local_conf    a = { .connect_timeout = 1 }, b = a;
    struct inlets_access_conf   c = { .basic = "a:b" }, d = c;
    size_t                      n = 0;
    char                        name[16];

    while (inlets_conf_add(conf) != NULL) {
        snprintf(name, sizeof(name), "t%zu", n);
        inlets_conf_set(&conf->tunnels[n++].name, name);
    }

    is_int(n, INLETS_TUNNELS_MAX, "so many tunnels");
    is_int(conf->tunnels[999].local.connect_timeout, 10000, "with defaults");
    ok(conf->tunnels[999].local.host_header == NULL, "and no texts");

    inlets_conf_remove(conf, 0);
    inlets_conf_remove(conf, 997);
    is_str(conf->tunnels[0].name, "t1", "one was removed");
    is_str(conf->tunnels[997].name, "t999", "the last is still there");
    is_int(conf->ntunnels, 998, "of two less");

    other = inlets_conf_ref(conf);
    inlets_conf_unref(conf);
    is_str(other->tunnels[0].name, "t1", "a reference");
    inlets_conf_unref(other);
    inlets_conf_unref(NULL);

    ok(inlets_local_conf_same(&a, &b), "the same local service");
    b.url.port = 1;
    ok(!inlets_local_conf_same(&a, &b), "another port");
    b = a;
    b.auth = "x:y";
    ok(!inlets_local_conf_same(&a, &b), "another text");
    ok(inlets_access_conf_same(&c, &d), "the same rules");
    d.deny = "::1";
    ok(!inlets_access_conf_same(&c, &d), "one more rule");
}


static void
test_file(void)
{
    struct inlets_conf_file    file = { .path = "dir/f.yml", .first = true };
    struct inlets_conf        *conf;
    struct inlets_local_conf  *local;

    conf = read_text("server: edge.example.com\n"
                     "credentials: me:x\n"
                     "token: y\n"
                     "logLevel: DEBUG\n"
                     "tunnels:\n"
                     "  - name: web\n"
                     "    type: http\n"
                     "    upstream: '3000'\n"
                     "    subDomain: WEB\n"
                     "    hostHeader: a.b\n"
                     "    upstreamAuth: 'u:p:q'\n"
                     "    proxyProtocol: v2\n"
                     "    connectTimeout: 1m1s\n"
                     "    idleTimeout: 7\n"
                     "    basicAuth: [a:b, c:d]\n"
                     "    allowIp: ::1\n", &file);

    if (!ok(conf != NULL, "a file")) {
        printf("# %s\n", conf_said);
        return;
    }

    local = &conf->tunnels[0].local;

    is_str(conf->edge.remote.host, "edge.example.com", "server");
    is_int(conf->edge.remote.port, 443, "and its port");
    ok(conf->edge.remote.tls, "with TLS");
    is_str(conf->edge.client_id, "me", "credentials");
    is_str(conf->edge.client_secret, "x", "their second half");
    ok(conf->edge.token == NULL, "no token beside them");
    is_int(file.log.level, INLETS_LOG_DEBUG, "logLevel");
    is_int(file.log.json, -1, "no logFormat");
    ok(file.exposed, "secrets");
    is_str(conf->tunnels[0].sub_domain, "web", "subDomain");
    is_int(local->url.port, 3000, "upstream");
    is_str(local->host_header, "a.b", "hostHeader");
    is_str(local->auth, "u:p:q", "upstreamAuth");
    is_int(local->proxy_protocol, INLETS_PROXY_V2, "proxyProtocol");
    is_int(local->connect_timeout, 61000, "connectTimeout");
    is_int(local->idle_timeout, 7, "idleTimeout");
    is_str(conf->tunnels[0].access.basic, "a:b\nc:d", "basicAuth");
    is_str(conf->tunnels[0].access.allow, "::1", "allowIp");
    inlets_conf_unref(conf);

    ok(read_text("tokenFile: none\n", &file) == NULL, "a file that is missing");
    ok(strstr(conf_said, "\"dir/none\"") != NULL, "from the file's folder");
    is_int(conf_saids, 1, "and nothing else");
}


/* why NULL: it is taken. */

static const struct {
    const char  *json;
    const char  *why;
} lists[] = {
    { "null", NULL },
    { "[]", NULL },
    { "{}", "is no list" },
    { "\"x\"", "is no list" },
    { "[1]", "[0].name: is missing" },
    { "[{}]", "[0].name: must be a name" },
    { "[{\"name\":\"\"}]", "[0].name: must be a name" },
    { "[{\"name\":7}]", "[0].name: must be text" },
    { "[{\"name\":\"-a\"}]", "[0].type: must be http or tcp" },
    { "[{\"name\":\"a\\nb\"}]", "[0].name: has a control character" },
    { "[{\"name\":\"a\"}]", "[0].type: must be http or tcp" },
    { "[{\"name\":\"a\",\"type\":\"TCP\"}]", "[0].type: must be http or tcp" },
    { "[{\"name\":\"a\",\"type\":\"tcp\"}]", "[0].upstream: must be port" },
    { "[{\"name\":\"a\",\"type\":\"tcp\",\"upstream\":{}}]",
      "[0].upstream: must be text" },
    { "[{\"name\":\"a\",\"type\":\"tcp\",\"upstream\":70000}]",
      "[0].upstream: must be a number from 0 to 65535" },
    { "[{\"name\":\"a\",\"type\":\"tcp\",\"upstream\":22.5}]",
      "[0].upstream: must be a number" },
    { "[{\"name\":\"a\",\"type\":\"tcp\",\"upstream\":22,"
      "\"remotePort\":-1}]", "[0].remotePort: must be a number" },
    { "[{\"name\":\"a\",\"type\":\"tcp\",\"upstream\":22,"
      "\"remotePort\":1e300}]", "[0].remotePort: must be a number" },
    { "[{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\","
      "\"subDomain\":\"a.b\"}]", "[0].subDomain: \"a.b\"" },
    { "[{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\","
      "\"hostHeader\":\"a b\"}]", "[0].hostHeader: must be a host" },
    { "[{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\","
      "\"proxyProtocol\":\"v3\"}]", "[0].proxyProtocol: must be off" },
    { "[{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\","
      "\"connectTimeout\":0}]", "[0].connectTimeout: must not be 0" },
    { "[{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\","
      "\"idleTimeout\":3600001}]", "[0].idleTimeout: must be a number" },
    { "[{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\","
      "\"upstreamInsecure\":\"yes\"}]",
      "[0].upstreamInsecure: must be true or false" },
    { "[{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\"},"
      "{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\"}]",
      "[1].name: is given twice" },
    { "[{\"name\":\"a\",\"type\":\"http\",\"upstream\":\"22\","
      "\"subDomain\":null,\"other\":[1,{}]}]", NULL }
};


static void
test_lists(void)
{
    struct inlets_conf  *base = inlets_conf_create(), *conf;
    char                 why[512];

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        cJSON  *json = cJSON_Parse(lists[i].json);

        why[0] = '\0';
        conf = inlets_conf_with_listed(base, json, why, sizeof(why));

        if (!ok(lists[i].why == NULL ? conf != NULL
                                     : conf == NULL
                                       && strstr(why, lists[i].why) != NULL,
                lists[i].json))
        {
            printf("# %s\n", why);
        }

        inlets_conf_unref(conf);
        cJSON_Delete(json);
    }

    inlets_conf_unref(base);
}


static void
test_listed(void)
{
    struct inlets_conf  *base = inlets_conf_create(), *conf;
    char                 why[512] = "", text[64];
    cJSON               *json, *list = cJSON_CreateArray();

    base->grace = 5;
    base->edge.remote.port = 443;
    inlets_conf_set(&base->edge.client_id, "me");
    inlets_conf_set(&base->edge.client_secret, "x");

    json = cJSON_Parse("[{\"name\":\"web\",\"type\":\"http\",\"upstream\":"
                       "\"[::1]:80\",\"subDomain\":\"Web\",\"remotePort\":5,"
                       "\"hostHeader\":\"h\",\"proxyProtocol\":\"v1\","
                       "\"connectTimeout\":50,\"idleTimeout\":60,"
                       "\"upstreamInsecure\":true},{\"name\":\"ssh\",\"type\":"
                       "\"tcp\",\"upstream\":22,\"subDomain\":\"x\","
                       "\"remotePort\":20022}]");
    conf = inlets_conf_with_listed(base, json, why, sizeof(why));
    cJSON_Delete(json);

    if (!ok(conf != NULL, "a list")) {
        printf("# %s\n", why);
        return;
    }

    ok(conf->listed, "it is listed");
    is_int(conf->ntunnels, 2, "two of them");
    is_int(conf->grace, 5, "grace of the base");
    ok(inlets_edge_conf_same(&conf->edge, &base->edge), "its edge");
    is_str(conf->tunnels[0].sub_domain, "web", "subDomain");
    is_int(conf->tunnels[0].port, 0, "no port of http");
    is_str(conf->tunnels[0].local.url.host, "::1", "upstream");
    is_str(conf->tunnels[0].local.host_header, "h", "hostHeader");
    is_int(conf->tunnels[0].local.proxy_protocol, INLETS_PROXY_V1,
           "proxyProtocol");
    is_int(conf->tunnels[0].local.connect_timeout, 50, "connectTimeout");
    is_int(conf->tunnels[0].local.idle_timeout, 60, "idleTimeout");
    ok(conf->tunnels[0].local.insecure, "upstreamInsecure");
    ok(conf->tunnels[1].tcp, "type");
    is_int(conf->tunnels[1].port, 20022, "remotePort");
    is_int(conf->tunnels[1].local.url.port, 22, "upstream as a number");
    ok(conf->tunnels[1].sub_domain == NULL, "no name of tcp");

    inlets_conf_unref(conf);

    for (int i = 0; i <= INLETS_TUNNELS_MAX; i++) {
        snprintf(text, sizeof(text), "{\"name\":\"t%d\",\"type\":\"http\","
                 "\"upstream\":\"1\"}", i);
        cJSON_AddItemToArray(list, cJSON_Parse(text));
    }

    ok(inlets_conf_with_listed(base, list, why, sizeof(why)) == NULL,
       "too many");
    ok(strstr(why, "more than 1000") != NULL, "and why");

    cJSON_Delete(list);
    inlets_conf_unref(base);
}


int
main(void)
{
    test_values();
    test_file();
    test_lists();
    test_listed();

    return tap_done();
}
