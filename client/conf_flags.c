#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "access.h"
#include "conf_file.h"
#include "conf_value.h"
#include "inlets_error.h"


#define LIST_MAX   8192     /* of --basic-auth-file */
#define NAMES_MAX  600      /* shown */


struct maker {
    const struct inlets_options  *o;
    struct inlets_conf           *conf;
    bool                          first;
    char                          why[INLETS_WHY_MAX];
};


/* That may be given as a text or in a file. */

struct secret {
    enum inlets_option            text;
    enum inlets_option            file;
    const char                   *article;
    const char                   *name;
};


static const struct secret  token = {
    INLETS_OPT_TOKEN, INLETS_OPT_TOKEN_FILE, "a ", "token"
};

static const struct secret  credentials = {
    INLETS_OPT_CREDENTIALS, INLETS_OPT_CREDENTIALS_FILE, "", "credentials"
};

static const struct secret  client_secret = {
    INLETS_OPT_CLIENT_SECRET, INLETS_OPT_CLIENT_SECRET_FILE, "a ",
    "client secret"
};

static const struct secret  upstream_auth = {
    INLETS_OPT_UPSTREAM_AUTH, INLETS_OPT_UPSTREAM_AUTH_FILE, "an ",
    "upstream auth"
};


static void say(const struct maker *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


static void
say(const struct maker *m, const char *format, ...)
{
    char     text[2 * INLETS_WHY_MAX];
    va_list  ap;

    va_start(ap, format);
    (void) vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);

    if (m->first) {
        inlets_log_fatal("%s", text);

    } else {
        inlets_log(INLETS_LOG_ERROR, "%s", text);
    }
}


/* Of a result of conf_value.h, whose fault is told after the name. */

static int
told(const struct maker *m, int rc, const char *name)
{
    if (rc != INLETS_OK) {
        say(m, "%s%s%s", name, *name != '\0' ? " " : "", m->why);
    }

    return rc;
}


bool
inlets_options_given(const struct inlets_options *options,
    enum inlets_option option)
{
    return options->source[option] != INLETS_ARG_DEFAULT;
}


static bool
flag_given(const struct maker *m, enum inlets_option option)
{
    return m->o->source[option] == INLETS_ARG_ARGUMENT;
}


static int
set_text(const struct maker *m, char **field, const char *text)
{
    int  rc = inlets_conf_set(field, text);

    if (rc != INLETS_OK) {
        say(m, "no memory");
    }

    return rc;
}


static int
read_secret(struct maker *m, const char *path, const char *what, bool lines,
    char *ret, size_t size)
{
    const struct inlets_secret_how  how = {
        .what = what, .lines = lines, .wait = m->first
    };

    return told(m, inlets_secret_load(path, &how, ret, size, m->why), "");
}


/*
 * The secret that was given as a text or in a file: that text, or buf; a flag
 * wins over the environment.  *ret NULL: none was.
 */

static int
pick_secret(struct maker *m, const struct secret *secret,
    char buf[INLETS_SECRET_MAX + 2], const char **ret)
{
    const struct inlets_arg       *rows = inlets_client_args.table;
    const enum inlets_arg_source  *source = m->o->source;
    const char                    *fields = (const char *) m->o;
    const char                    *path;
    char                           what[64];
    int                            rc;

    memcpy(ret, fields + rows[secret->text].offset, sizeof(*ret));
    memcpy(&path, fields + rows[secret->file].offset, sizeof(path));

    if (path == NULL || source[secret->file] < source[secret->text]) {
        return INLETS_OK;
    }

    if (source[secret->file] == source[secret->text]) {
        say(m, "give either %s%s or a %s file", secret->article, secret->name,
            secret->name);
        return INLETS_E_INVALID;
    }

    snprintf(what, sizeof(what), "%s file", secret->name);
    rc = read_secret(m, path, what, false, buf, INLETS_SECRET_MAX + 2);

    if (rc == INLETS_OK) {
        *ret = buf;
    }

    return rc;
}


static int
set_client_id(struct maker *m)
{
    const struct inlets_options  *o = m->o;
    struct inlets_edge_conf      *edge = &m->conf->edge;
    const char                   *secret;
    char                          buf[INLETS_SECRET_MAX + 2];
    int                           rc;

    rc = pick_secret(m, &client_secret, buf, &secret);

    if (rc != INLETS_OK) {
        return rc;
    }

    if (o->client_id == NULL && secret == NULL) {
        return INLETS_OK;
    }

    if (o->client_id == NULL || *o->client_id == '\0' || secret == NULL) {
        say(m, "--client-id and --client-secret belong together: the %s is "
            "missing", secret == NULL ? "secret" : "id");
        rc = INLETS_E_INVALID;

    } else {
        rc = set_text(m, &edge->client_id, o->client_id);
    }

    if (rc == INLETS_OK) {
        rc = told(m, inlets_value_secret(&edge->client_secret, "client secret",
                                         secret, m->why), "");
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


static int
set_credentials(struct maker *m)
{
    struct inlets_edge_conf  *edge = &m->conf->edge;
    const char               *text;
    char                      buf[INLETS_SECRET_MAX + 2];
    int                       rc;

    rc = pick_secret(m, &credentials, buf, &text);

    if (rc == INLETS_OK && text != NULL) {
        rc = told(m, inlets_value_credentials(&edge->client_id,
                                              &edge->client_secret, text,
                                              m->why), "");
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


static int
set_token(struct maker *m)
{
    const char  *text;
    char         buf[INLETS_SECRET_MAX + 2];
    int          rc;

    rc = pick_secret(m, &token, buf, &text);

    if (rc == INLETS_OK && text != NULL) {
        rc = told(m, inlets_value_secret(&m->conf->edge.token, "token", text,
                                         m->why), "");
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


static bool
identity_given(const struct inlets_options *o)
{
    for (int i = INLETS_OPT_TOKEN; i <= INLETS_OPT_CLIENT_SECRET_FILE; i++) {
        if (inlets_options_given(o, i)) {
            return true;
        }
    }

    return false;
}


/* Replaces the one of the file.  A client id wins, then credentials. */

static int
set_identity(struct maker *m)
{
    struct inlets_edge_conf  *edge = &m->conf->edge;
    int                       rc;

    if (!identity_given(m->o)) {
        return INLETS_OK;
    }

    (void) inlets_conf_set(&edge->token, NULL);
    (void) inlets_conf_set(&edge->client_id, NULL);
    (void) inlets_conf_set(&edge->client_secret, NULL);

    rc = set_client_id(m);

    if (rc == INLETS_OK && edge->client_id == NULL) {
        rc = set_credentials(m);
    }

    if (rc == INLETS_OK && edge->client_id == NULL) {
        rc = set_token(m);
    }

    return rc;
}


/* server and remote are one thing by two names. */

static int
set_remote(struct maker *m)
{
    const struct inlets_options   *o = m->o;
    const enum inlets_arg_source  *source = o->source;
    struct inlets_url             *url = &m->conf->edge.remote;

    if (o->server != NULL && *o->server != '\0'
        && source[INLETS_OPT_SERVER] >= source[INLETS_OPT_REMOTE])
    {
        return told(m, inlets_value_remote(url, o->server, true, m->why),
                    "server");
    }

    if (o->config_file != NULL && !inlets_options_given(o, INLETS_OPT_REMOTE)) {
        return INLETS_OK;
    }

    return told(m, inlets_value_remote(url, o->remote, false, m->why),
                "remote");
}


static void
set_number(const struct maker *m, enum inlets_option option, uint32_t *field,
    uint32_t value)
{
    if (m->o->config_file == NULL || inlets_options_given(m->o, option)) {
        *field = value;
    }
}


static int
set_edge(struct maker *m)
{
    const struct inlets_options  *o = m->o;
    struct inlets_edge_conf      *edge = &m->conf->edge;
    int                           rc = set_remote(m);

    set_number(m, INLETS_OPT_LINKS, &edge->links, o->links);
    set_number(m, INLETS_OPT_MAX_STREAMS, &edge->max_streams, o->max_streams);
    set_number(m, INLETS_OPT_GRACE, &m->conf->grace, o->grace);
    set_number(m, INLETS_OPT_HEALTHCHECK, &edge->login_timeout,
               o->healthcheck_interval);

    if (inlets_options_given(o, INLETS_OPT_INSECURE)) {
        edge->insecure = o->insecure;
    }

    if (rc == INLETS_OK && o->ca_file != NULL) {
        rc = told(m, inlets_value_ca_file(&edge->ca_file, o->ca_file, m->why),
                  "");
    }

    if (rc == INLETS_OK && o->report_url != NULL) {
        rc = *o->report_url == '\0'
             ? inlets_conf_set(&m->conf->report_url, NULL)
             : told(m, inlets_value_report_url(&m->conf->report_url,
                                               o->report_url, m->why),
                    "report-url");
    }

    return rc;
}


static int
set_basic_auth(struct maker *m, struct inlets_access_conf *access)
{
    const struct inlets_options  *o = m->o;
    char                          list[LIST_MAX];
    int                           rc = INLETS_OK;

    if (o->basic_auth.len != 0) {
        rc = set_text(m, &access->basic, o->basic_auth.text);
    }

    if (rc != INLETS_OK || o->basic_auth_file == NULL) {
        return rc;
    }

    rc = read_secret(m, o->basic_auth_file, "basic auth file", true, list,
                     sizeof(list));

    if (rc != INLETS_OK) {
        return rc;
    }

    rc = inlets_value_append(&access->basic, list);
    OPENSSL_cleanse(list, sizeof(list));

    if (rc != INLETS_OK) {
        say(m, "no memory");
    }

    return rc;
}


static int
set_access(struct maker *m, struct inlets_tunnel_conf *tunnel)
{
    const struct inlets_options  *o = m->o;
    struct inlets_access_conf    *access = &tunnel->access;
    int                           rc;

    access->pass_auth = o->pass_auth;
    rc = set_basic_auth(m, access);

    if (rc == INLETS_OK && o->allow_ip.len != 0) {
        rc = set_text(m, &access->allow, o->allow_ip.text);
    }

    if (rc == INLETS_OK && o->deny_ip.len != 0) {
        rc = set_text(m, &access->deny, o->deny_ip.text);
    }

    if (rc != INLETS_OK) {
        return rc;
    }

    return told(m, inlets_access_check(access, tunnel->tcp, m->why), "");
}


/*
 * Whether an option that was given counts for this tunnel; a flag that doesn't
 * is an error, a variable may be for others.
 */

static int
counts(struct maker *m, enum inlets_option option, bool good, const char *for_,
    bool *ret)
{
    *ret = good && inlets_options_given(m->o, option);

    if (!good && flag_given(m, option)) {
        say(m, "--%s is only for %s", inlets_client_args.table[option].name,
            for_);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
set_local_tls(struct maker *m, struct inlets_local_conf *local)
{
    static const char  what[] = "an upstream that starts with https://";

    bool  given;
    int   rc;

    rc = counts(m, INLETS_OPT_UPSTREAM_INSECURE,
                local->url.tls || !m->o->upstream_insecure, what, &given);

    if (rc != INLETS_OK) {
        return rc;
    }

    local->insecure = given && m->o->upstream_insecure;

    rc = counts(m, INLETS_OPT_UPSTREAM_CA_FILE, local->url.tls, what, &given);

    if (rc != INLETS_OK || !given) {
        return rc;
    }

    return told(m, inlets_value_ca_file(&local->ca_file,
                                        m->o->upstream_ca_file, m->why),
                "upstream:");
}


static int
set_pair(struct maker *m, struct inlets_local_conf *local, const char *text,
    const char *name)
{
    return told(m, inlets_value_pair(&local->auth, text, m->why), name);
}


static int
set_username(struct maker *m, struct inlets_local_conf *local)
{
    const struct inlets_options  *o = m->o;
    char                          pair[2 * INLETS_SECRET_MAX];
    int                           n, rc;

    if (o->username == NULL || o->password == NULL) {
        say(m, "--username and --password belong together: the %s is missing",
            o->username == NULL ? "user name" : "password");
        return INLETS_E_INVALID;
    }

    if (strchr(o->username, ':') != NULL) {
        say(m, "--username can't have a colon");
        return INLETS_E_INVALID;
    }

    n = snprintf(pair, sizeof(pair), "%s:%s", o->username, o->password);

    if (n < 0 || (size_t) n >= sizeof(pair)) {
        say(m, "--username and --password are too long");
        rc = INLETS_E_INVALID;

    } else {
        rc = set_pair(m, local, pair, "--username and --password");
    }

    OPENSSL_cleanse(pair, sizeof(pair));

    return rc;
}


/* --upstream-auth, its file, --username: who is the nearest wins. */

static int
set_upstream_auth(struct maker *m, struct inlets_local_conf *local, bool tcp)
{
    const enum inlets_arg_source  *source = m->o->source;
    enum inlets_arg_source         user, text;
    const char                    *pair;
    char                           buf[INLETS_SECRET_MAX + 2];
    bool                           given[4];
    int                            rc = INLETS_OK;

    for (int i = 0; i < 4 && rc == INLETS_OK; i++) {
        rc = counts(m, INLETS_OPT_UPSTREAM_AUTH + i, !tcp, "http tunnels",
                    &given[i]);
    }

    if (rc != INLETS_OK || tcp) {
        return rc;
    }

    user = source[INLETS_OPT_USERNAME] > source[INLETS_OPT_PASSWORD]
           ? source[INLETS_OPT_USERNAME] : source[INLETS_OPT_PASSWORD];

    text = given[0] ? source[INLETS_OPT_UPSTREAM_AUTH] : INLETS_ARG_DEFAULT;

    if (given[1] && source[INLETS_OPT_UPSTREAM_AUTH_FILE] > text) {
        text = source[INLETS_OPT_UPSTREAM_AUTH_FILE];
    }

    if (user != INLETS_ARG_DEFAULT && user == text) {
        say(m, "give either --upstream-auth or --username and --password");
        return INLETS_E_INVALID;
    }

    if (user > text) {
        return set_username(m, local);
    }

    rc = pick_secret(m, &upstream_auth, buf, &pair);

    if (rc == INLETS_OK && pair != NULL) {
        rc = set_pair(m, local, pair, "upstream auth");
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


static int
set_local(struct maker *m, struct inlets_tunnel_conf *tunnel)
{
    const struct inlets_options  *o = m->o;
    struct inlets_local_conf     *local = &tunnel->local;
    bool                          given;
    int                           rc;

    local->connect_timeout = o->connect_timeout;
    local->idle_timeout = o->idle_timeout;

    if (strcmp(o->proxy_protocol, "off") != 0) {
        local->proxy_protocol = strcmp(o->proxy_protocol, "v1") == 0
                                ? INLETS_PROXY_V1 : INLETS_PROXY_V2;
    }

    rc = set_local_tls(m, local);

    if (rc == INLETS_OK) {
        rc = counts(m, INLETS_OPT_HOST_HEADER, !tunnel->tcp, "http tunnels",
                    &given);
    }

    if (rc == INLETS_OK && given) {
        rc = told(m, inlets_value_host(&local->host_header, o->host_header,
                                       m->why), "--host-header");
    }

    return rc == INLETS_OK ? set_upstream_auth(m, local, tunnel->tcp) : rc;
}


/* The tunnel of the command line. */

static int
set_tunnel(struct maker *m)
{
    const struct inlets_options  *o = m->o;
    struct inlets_tunnel_conf    *tunnel = inlets_conf_add(m->conf);
    int                           rc;

    if (tunnel == NULL) {
        say(m, "no memory");
        return INLETS_E_NO_MEMORY;
    }

    tunnel->tcp = o->tcp;
    tunnel->port = o->port;

    rc = told(m, inlets_value_upstream(&tunnel->local.url, o->upstream,
                                       m->why), "upstream");

    if (rc == INLETS_OK) {
        rc = set_edge(m);
    }

    if (rc == INLETS_OK && o->sub_domain != NULL && *o->sub_domain != '\0') {
        rc = told(m, inlets_value_label(&tunnel->sub_domain, o->sub_domain,
                                        m->why), "sub-domain");
    }

    if (rc == INLETS_OK) {
        rc = set_identity(m);
    }

    if (rc == INLETS_OK && tunnel->tcp && m->conf->edge.token == NULL
        && m->conf->edge.client_id == NULL)
    {
        say(m, "token or credentials is required for tcp tunnel");
        rc = INLETS_E_INVALID;
    }

    if (rc == INLETS_OK) {
        rc = set_access(m, tunnel);
    }

    return rc == INLETS_OK ? set_local(m, tunnel) : rc;
}


/* None is named: those that the edge lists. */

static int
set_listed(struct maker *m)
{
    int  rc = set_edge(m);

    if (rc == INLETS_OK) {
        rc = set_identity(m);
    }

    if (rc == INLETS_OK && m->conf->edge.client_id == NULL) {
        say(m, "no tunnel is named, and without credentials the edge lists "
            "none");
        rc = INLETS_E_INVALID;
    }

    m->conf->listed = true;

    return rc;
}


static void
say_names(const struct maker *m, const char *name)
{
    const struct inlets_conf  *conf = m->conf;
    char                       names[NAMES_MAX] = "";
    size_t                     len = 0, i;

    for (i = 0; i < conf->ntunnels; i++) {
        const char  *text = conf->tunnels[i].name;

        if (text == NULL || len + strlen(text) + 8 > sizeof(names)) {
            break;
        }

        len += (size_t) snprintf(names + len, sizeof(names) - len, "%s%s",
                                 i > 0 ? ", " : "", text);
    }

    if (i == 0) {
        say(m, "%s has no tunnel \"%s\", nor any other with a name",
            m->o->config_file, name);
        return;
    }

    say(m, "%s has no tunnel \"%s\", but %s%s", m->o->config_file, name, names,
        i < conf->ntunnels ? ", .." : "");
}


static bool
is_wanted(const struct inlets_options *o, const char *name)
{
    for (size_t i = 0; i < o->nnames; i++) {
        if (name != NULL && strcmp(o->names[i], name) == 0) {
            return true;
        }
    }

    return false;
}


static int
select_tunnels(struct maker *m)
{
    const struct inlets_options  *o = m->o;
    struct inlets_conf           *conf = m->conf;
    bool                          found;
    int                           rc = INLETS_OK;

    for (size_t i = 0; i < o->nnames; i++) {
        found = false;

        for (size_t n = 0; n < conf->ntunnels && !found; n++) {
            found = conf->tunnels[n].name != NULL
                    && strcmp(conf->tunnels[n].name, o->names[i]) == 0;
        }

        if (!found) {
            say_names(m, o->names[i]);
            rc = INLETS_E_INVALID;
        }
    }

    if (rc != INLETS_OK || o->nnames == 0) {
        return rc;
    }

    for (size_t n = conf->ntunnels; n > 0; n--) {
        if (!is_wanted(o, conf->tunnels[n - 1].name)) {
            inlets_conf_remove(conf, n - 1);
        }
    }

    return INLETS_OK;
}


static int
set_file(struct maker *m, struct inlets_conf_file *file)
{
    const struct inlets_options  *o = m->o;
    struct inlets_conf           *conf = m->conf;
    int                           rc;

    conf->grace = o->grace;
    conf->edge.max_streams = o->max_streams;
    conf->edge.login_timeout = o->healthcheck_interval;

    rc = told(m, inlets_value_remote(&conf->edge.remote, o->remote, false,
                                     m->why), "remote");

    if (rc == INLETS_OK) {
        rc = inlets_conf_file_read(file, conf);
    }

    if (rc == INLETS_OK) {
        rc = set_edge(m);
    }

    if (rc == INLETS_OK) {
        rc = set_identity(m);
    }

    if (rc != INLETS_OK || conf->ntunnels > 0) {
        return rc == INLETS_OK ? select_tunnels(m) : rc;
    }

    if (conf->edge.client_id == NULL) {
        say(m, "%s: names no tunnels; those that the edge lists need "
            "credentials", o->config_file);
        return INLETS_E_INVALID;
    }

    if (o->nnames > 0) {
        say(m, "%s: names no tunnels: all that the edge lists can be started, "
            "not \"%s\" alone", o->config_file, o->names[0]);
        return INLETS_E_INVALID;
    }

    conf->listed = true;

    return INLETS_OK;
}


struct inlets_conf *
inlets_options_make(const struct inlets_options *options, bool first,
    struct inlets_conf_log *ret_log, bool *ret_exposed)
{
    struct inlets_conf_file  file = {
        .path = options->config_file, .first = first,
        .identity = identity_given(options), .log = { -1, -1, -1, -1, -1 }
    };

    struct maker  m = { .o = options, .first = first };
    int           rc;

    m.conf = inlets_conf_create();

    if (m.conf == NULL) {
        say(&m, "no memory");
        return NULL;
    }

    if (options->config_file != NULL) {
        rc = set_file(&m, &file);

    } else if (options->upstream != NULL) {
        rc = set_tunnel(&m);

    } else {
        rc = set_listed(&m);
    }

    if (rc != INLETS_OK) {
        inlets_conf_unref(m.conf);
        return NULL;
    }

    *ret_log = file.log;
    *ret_exposed = file.exposed;

    return m.conf;
}


struct inlets_conf *
inlets_options_conf(const struct inlets_options *options, bool first)
{
    struct inlets_conf_log  log;
    struct inlets_conf     *conf;
    bool                    exposed = options->exposed;

    if (first && options->conf != NULL) {
        conf = inlets_conf_ref(options->conf);

    } else {
        conf = inlets_options_make(options, first, &log, &exposed);
    }

    if (conf != NULL && exposed) {
        inlets_log(INLETS_LOG_WARN, "%s holds secrets, and everyone on this "
                   "machine can read it", options->config_file);
    }

    return conf;
}
