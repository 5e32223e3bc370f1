#include "conf_file_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "inlets_error.h"
#include "log.h"


#define FAULTS_MAX  50


static void
tell(const struct inlets_conf_file *file, const char *text)
{
    if (file->first) {
        inlets_log_fatal("%s", text);

    } else {
        inlets_log(INLETS_LOG_ERROR, "%s", text);
    }
}


static void
fault(void *data, const struct inlets_config_fault *f)
{
    struct inlets_conf_reader  *r = data;
    char                        text[2 * INLETS_WHY_MAX], place[48] = "";

    if (f->column != 0) {
        snprintf(place, sizeof(place), ":%u:%u", f->line, f->column);
        r->cut = true;

    } else if (f->line != 0) {
        snprintf(place, sizeof(place), ":%u", f->line);
    }

    if (strncmp(f->path, "token", 5) == 0
        || strncmp(f->path, "credentials", 11) == 0
        || strncmp(f->path, "client", 6) == 0)
    {
        r->identity_fault = true;
    }

    snprintf(text, sizeof(text), "%s%s: %s%s%s", r->file->path, place, f->path,
             *f->path != '\0' ? ": " : "", f->message);
    tell(r->file, text);
}


int
inlets_conf_told(struct inlets_conf_reader *r,
    const struct inlets_config_value *v, int rc, const char *why)
{
    if (rc == INLETS_E_NO_MEMORY) {
        return -1;
    }

    if (rc != INLETS_OK) {
        inlets_config_error(r->config, v->line, NULL, "%s", why);
    }

    return 0;
}


char *
inlets_conf_path(struct inlets_conf_reader *r,
    const struct inlets_config_value *v)
{
    const char  *slash = strrchr(r->file->path, '/');
    size_t       folder = 0;
    char        *path;

    if (slash != NULL && *v->text != '/') {
        folder = (size_t) (slash - r->file->path) + 1;
    }

    path = malloc(folder + v->len + 1);

    if (path != NULL) {
        memcpy(path, r->file->path, folder);
        memcpy(path + folder, v->text, v->len + 1);
    }

    return path;
}


bool
inlets_conf_secret(struct inlets_conf_reader *r,
    const struct inlets_config_value *v, const char *what, bool lines,
    char *ret, size_t size)
{
    const struct inlets_secret_how  how = { .what = what, .lines = lines };

    char   why[INLETS_WHY_MAX] = "no memory";
    char  *path = inlets_conf_path(r, v);
    int    rc = INLETS_E_NO_MEMORY;

    if (path != NULL) {
        rc = inlets_secret_load(path, &how, ret, size, why);
        free(path);
    }

    if (rc != INLETS_OK) {
        inlets_config_error(r->config, v->line, NULL, "%s", why);
    }

    return rc == INLETS_OK;
}


int
inlets_conf_ca(struct inlets_conf_reader *r, char **field,
    const struct inlets_config_value *v)
{
    char   why[INLETS_WHY_MAX];
    char  *path = inlets_conf_path(r, v);
    int    rc;

    if (path == NULL) {
        return -1;
    }

    rc = inlets_value_ca_file(field, path, why);
    free(path);

    return inlets_conf_told(r, v, rc, why);
}


static int
set_identity_file(struct inlets_conf_reader *r,
    const struct inlets_config_value *v)
{
    struct inlets_edge_conf  *edge = &r->conf->edge;
    char                      secret[INLETS_SECRET_MAX + 1];
    char                      why[INLETS_WHY_MAX];
    int                       rc;

    static const char *const  names[] = {
        [INLETS_KEY_TOKEN_FILE] = "token file",
        [INLETS_KEY_CREDENTIALS_FILE] = "credentials file",
        [INLETS_KEY_CLIENT_SECRET_FILE] = "client secret file"
    };

    if (!inlets_conf_secret(r, v, names[v->key->id], false, secret,
                            sizeof(secret)))
    {
        return 0;
    }

    switch (v->key->id) {

    case INLETS_KEY_TOKEN_FILE:
        rc = inlets_conf_set(&edge->token, secret);
        break;

    case INLETS_KEY_CREDENTIALS_FILE:
        rc = inlets_value_credentials(&r->id, &r->secret, secret, why);
        break;

    default:
        rc = inlets_conf_set(&edge->client_secret, secret);
        break;
    }

    OPENSSL_cleanse(secret, sizeof(secret));

    return inlets_conf_told(r, v, rc, why);
}


static int
set_identity(struct inlets_conf_reader *r, const struct inlets_config_value *v)
{
    struct inlets_edge_conf  *edge = &r->conf->edge;
    char                      why[INLETS_WHY_MAX];

    switch (v->key->id) {

    case INLETS_KEY_TOKEN:
        return inlets_conf_set(&edge->token, v->text);

    case INLETS_KEY_CREDENTIALS:
        return inlets_conf_told(r, v,
                                inlets_value_credentials(&r->id, &r->secret,
                                                         v->text, why),
                                why);

    case INLETS_KEY_CLIENT_ID:
        return inlets_conf_set(&edge->client_id, v->text);

    case INLETS_KEY_CLIENT_SECRET:
        return inlets_conf_set(&edge->client_secret, v->text);

    default:
        return set_identity_file(r, v);
    }
}


static int
set_log(struct inlets_conf_reader *r, const struct inlets_config_value *v)
{
    struct inlets_conf_log  *log = &r->file->log;

    switch (v->key->id) {

    case INLETS_KEY_LOG_LEVEL:
        log->level = (int) v->number;
        break;

    case INLETS_KEY_LOG_FORMAT:
        log->json = (int) v->number;
        break;

    case INLETS_KEY_LOG_UTC:
        log->utc = (int) v->number;
        break;

    case INLETS_KEY_LOG_REQUESTS:
        log->requests = (int) v->number;
        break;

    case INLETS_KEY_PLAIN:
        log->plain = (int) v->number;
        break;
    }

    return 0;
}


static int
set_remote(struct inlets_conf_reader *r, const struct inlets_config_value *v)
{
    struct inlets_url  url;
    char               why[INLETS_WHY_MAX];
    int                rc;

    rc = inlets_value_remote(&url, v->text, true, why);

    if (rc == INLETS_OK
        && (v->key->id == INLETS_KEY_SERVER
            || r->line[INLETS_KEY_SERVER] == 0))
    {
        r->conf->edge.remote = url;
    }

    return inlets_conf_told(r, v, rc, why);
}


static int
set_edge(struct inlets_conf_reader *r, const struct inlets_config_value *v)
{
    struct inlets_edge_conf  *edge = &r->conf->edge;
    char                      why[INLETS_WHY_MAX];
    int                       rc = INLETS_OK;

    switch (v->key->id) {

    case INLETS_KEY_SERVER:
    case INLETS_KEY_REMOTE:
        return set_remote(r, v);

    case INLETS_KEY_CA_FILE:
        return inlets_conf_ca(r, &edge->ca_file, v);

    case INLETS_KEY_INSECURE:
        edge->insecure = v->number != 0;
        break;

    case INLETS_KEY_LINKS:
        edge->links = (uint32_t) v->number;
        break;

    case INLETS_KEY_MAX_STREAMS:
        edge->max_streams = (uint32_t) v->number;
        break;

    case INLETS_KEY_GRACE:
        rc = inlets_value_time(&r->conf->grace, v->text, 0, why);
        break;

    case INLETS_KEY_HEALTHCHECK:
        rc = inlets_value_time(&edge->login_timeout, v->text, 1, why);
        break;

    case INLETS_KEY_REPORT_URL:
        rc = inlets_value_report_url(&r->conf->report_url, v->text, why);
        break;

    case INLETS_KEY_LEGACY:
        if (v->number != 0) {
            inlets_config_error(r->config, v->line, NULL, "protocol version 1 "
                                "is not in this release, it comes later");
        }

        break;
    }

    return inlets_conf_told(r, v, rc, why);
}


static int
set(void *data, struct inlets_config *config,
    const struct inlets_config_value *v)
{
    struct inlets_conf_reader  *r = data;
    int                         id = v->key->id;

    (void) config;

    if (v->event != INLETS_CONFIG_LEAVE && !v->item) {
        r->line[id] = v->line;
    }

    if (id >= INLETS_KEY_TUNNELS) {
        return id < INLETS_KEY_ONE_TYPE ? inlets_conf_tunnel_set(r, v)
                                        : inlets_conf_one_set(r, v);
    }

    if (id >= INLETS_KEY_TOKEN && id <= INLETS_KEY_CLIENT_SECRET_FILE) {
        return set_identity(r, v);
    }

    return id < INLETS_KEY_LOG_LEVEL ? set_edge(r, v) : set_log(r, v);
}


static void
check_either(struct inlets_conf_reader *r, enum inlets_conf_key text,
    enum inlets_conf_key file, const char *name)
{
    if (r->line[text] != 0 && r->line[file] != 0) {
        inlets_config_error(r->config, r->line[file], name,
                            "is given in two ways");
    }
}


/* Who wins: clientId, credentials, token. */

static int
check_identity(struct inlets_conf_reader *r)
{
    struct inlets_edge_conf  *edge = &r->conf->edge;
    const unsigned           *line = r->line;
    unsigned                  secret;

    check_either(r, INLETS_KEY_TOKEN, INLETS_KEY_TOKEN_FILE, "tokenFile");
    check_either(r, INLETS_KEY_CREDENTIALS, INLETS_KEY_CREDENTIALS_FILE,
                 "credentialsFile");
    check_either(r, INLETS_KEY_CLIENT_SECRET, INLETS_KEY_CLIENT_SECRET_FILE,
                 "clientSecretFile");

    secret = line[INLETS_KEY_CLIENT_SECRET] != 0
             ? line[INLETS_KEY_CLIENT_SECRET]
             : line[INLETS_KEY_CLIENT_SECRET_FILE];

    if (!r->identity_fault && (line[INLETS_KEY_CLIENT_ID] == 0)
                              != (secret == 0))
    {
        inlets_config_error(r->config, secret + line[INLETS_KEY_CLIENT_ID],
                            secret == 0 ? "clientSecret" : "clientId",
                            "is missing: both belong together");
        r->identity_fault = true;
    }

    if (edge->client_id == NULL && r->id != NULL) {
        if (inlets_conf_set(&edge->client_id, r->id) != INLETS_OK
            || inlets_conf_set(&edge->client_secret, r->secret) != INLETS_OK)
        {
            return -1;
        }
    }

    if (edge->client_id != NULL) {
        (void) inlets_conf_set(&edge->token, NULL);
    }

    return 0;
}


static void
check_tcp(struct inlets_conf_reader *r)
{
    const struct inlets_conf  *conf = r->conf;
    char                       name[32];

    if (conf->edge.token != NULL || conf->edge.client_id != NULL
        || r->file->identity || r->identity_fault
        || (r->one && r->in_list))
    {
        return;
    }

    for (size_t i = 0; i < conf->ntunnels; i++) {
        if (!conf->tunnels[i].tcp) {
            continue;
        }

        snprintf(name, sizeof(name), "tunnels[%zu]", i);
        inlets_config_error(r->config, r->places[i].line,
                            r->one ? NULL : name, "token or credentials is "
                            "required for tcp tunnel");
    }
}


static int
check_all(struct inlets_conf_reader *r)
{
    if (check_identity(r) != 0 || inlets_conf_one_check(r) != 0) {
        return INLETS_E_NO_MEMORY;
    }

    if (r->in_list && !r->one && r->conf->ntunnels == 0) {
        inlets_config_error(r->config, r->line[INLETS_KEY_TUNNELS], "tunnels",
                            "names no tunnel");
    }

    check_tcp(r);

    return INLETS_OK;
}


static int
open_file(const struct inlets_conf_file *file, struct stat *st, char *why,
    size_t size)
{
    int  fd = open(file->path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd < 0 || fstat(fd, st) != 0) {
        snprintf(why, size, "cannot read \"%s\": %s", file->path,
                 strerror(errno));

    } else if (S_ISDIR(st->st_mode)) {
        snprintf(why, size, "cannot read \"%s\": it is a folder", file->path);

    } else if (!S_ISREG(st->st_mode)) {
        snprintf(why, size, "cannot read \"%s\": it is no regular file",
                 file->path);

    } else if (st->st_size > INLETS_CONF_FILE_MAX) {
        snprintf(why, size, "cannot read \"%s\": it is longer than 1 MiB",
                 file->path);

    } else {
        return fd;
    }

    if (fd >= 0) {
        close(fd);
    }

    return -1;
}


/* One more byte shows that it is growing. */

static int
read_file(const struct inlets_conf_file *file, char **ret, size_t *ret_len,
    bool *ret_open)
{
    struct stat  st;
    char         why[INLETS_WHY_MAX];
    char        *buf = NULL;
    size_t       len = 0, size;
    ssize_t      n = 1;
    int          fd;

    fd = open_file(file, &st, why, sizeof(why));

    if (fd < 0) {
        tell(file, why);
        return INLETS_E_INVALID;
    }

    size = (size_t) st.st_size + 1;
    buf = malloc(size);

    while (buf != NULL && len < size && n != 0) {
        n = read(fd, buf + len, size - len);

        if (n < 0 && errno != EINTR) {
            break;
        }

        len += n > 0 ? (size_t) n : 0;
    }

    if (buf == NULL || n < 0 || len == size) {
        snprintf(why, sizeof(why), "cannot read \"%s\": %s", file->path,
                 buf == NULL ? "no memory" : n < 0 ? strerror(errno)
                                                   : "it is being written");
        tell(file, why);
        close(fd);

        if (buf != NULL) {
            OPENSSL_cleanse(buf, len);
            free(buf);
        }

        return INLETS_E_INVALID;
    }

    close(fd);

    *ret = buf;
    *ret_len = len;
    *ret_open = (st.st_mode & S_IROTH) != 0;

    return INLETS_OK;
}


static bool
has_secrets(const struct inlets_conf_reader *r)
{
    static const enum inlets_conf_key  secrets[] = {
        INLETS_KEY_TOKEN, INLETS_KEY_CREDENTIALS, INLETS_KEY_CLIENT_SECRET,
        INLETS_KEY_ONE_PASSWORD
    };

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (r->line[secrets[i]] != 0) {
            return true;
        }
    }

    return r->secrets;
}


static int
parse(struct inlets_conf_reader *r, const char *buf, size_t len)
{
    int  rc, checked = INLETS_OK;

    rc = inlets_config_parse(r->config, buf, len);

    if (rc != INLETS_E_NO_MEMORY && !r->cut && r->config->faults < FAULTS_MAX) {
        checked = check_all(r);
    }

    if (rc == INLETS_E_NO_MEMORY || checked != INLETS_OK) {
        tell(r->file, "no memory");
        return INLETS_E_NO_MEMORY;
    }

    return r->config->faults != 0 ? INLETS_E_INVALID : INLETS_OK;
}


int
inlets_conf_file_parse(struct inlets_conf_file *file, struct inlets_conf *conf,
    const char *buf, size_t len)
{
    struct inlets_conf_reader  r = { .file = file, .conf = conf };
    struct inlets_config       config = {
        .keys = inlets_conf_keys, .nkeys = inlets_conf_nkeys,
        .set = set, .fault = fault, .data = &r, .max_faults = FAULTS_MAX
    };

    int  rc;

    r.config = &config;

    file->log = (struct inlets_conf_log) { -1, -1, -1, -1, -1 };
    file->exposed = false;

    r.places = calloc(INLETS_TUNNELS_MAX, sizeof(*r.places));

    if (r.places == NULL) {
        tell(file, "no memory");
        return INLETS_E_NO_MEMORY;
    }

    rc = parse(&r, buf, len);

    free(r.places);

    (void) inlets_conf_set(&r.id, NULL);
    (void) inlets_conf_set(&r.secret, NULL);
    (void) inlets_conf_set(&r.username, NULL);
    (void) inlets_conf_set(&r.password, NULL);

    file->exposed = has_secrets(&r);

    return rc;
}


int
inlets_conf_file_read(struct inlets_conf_file *file, struct inlets_conf *conf)
{
    char   *buf;
    size_t  len;
    bool    is_open;
    int     rc;

    rc = read_file(file, &buf, &len, &is_open);

    if (rc != INLETS_OK) {
        return rc;
    }

    rc = inlets_conf_file_parse(file, conf, buf, len);
    file->exposed = file->exposed && is_open;

    OPENSSL_cleanse(buf, len);
    free(buf);

    return rc;
}
