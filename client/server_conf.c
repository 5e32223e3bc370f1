#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inlets_error.h"
#include "inlets_version.h"


#define NOTE_COLUMN   48
#define LINE_MAX_LEN  (PATH_MAX + 256)
#define HTTP2_WORD    1025001   /* since then "http2 on" */

#define SETTINGS      "settings.yml"


struct writer {
    FILE                                *f;
    const struct inlets_server_options  *o;
    const char                          *folder;    /* NULL: to print */
    int                                  indent;
};


static void put(struct writer *w, const char *note, const char *format, ...)
    __attribute__((format(printf, 3, 4)));


/* A line, with a remark behind it. */

static void
put(struct writer *w, const char *note, const char *format, ...)
{
    va_list  args;
    int      n;

    n = fprintf(w->f, "%*s", 4 * w->indent, "");

    va_start(args, format);
    n += vfprintf(w->f, format, args);
    va_end(args);

    if (note != NULL && *note != '\0') {
        fprintf(w->f, "%*s# %s", n < NOTE_COLUMN - 1 ? NOTE_COLUMN - n : 2, "",
                note);
    }

    fputc('\n', w->f);
}


static void
open_block(struct writer *w, const char *name)
{
    put(w, NULL, "%s {", name);
    w->indent++;
}


static void
close_block(struct writer *w)
{
    w->indent--;
    put(w, NULL, "}");
}


/* A word in quotes, in a static buffer, for put(). */

static const char *
quote(const char *text, char ret[LINE_MAX_LEN])
{
    size_t  n = 0;

    ret[n++] = '"';

    for ( ; *text != '\0' && n < LINE_MAX_LEN - 3; text++) {
        if (*text == '"' || *text == '\\') {
            ret[n++] = '\\';
        }

        ret[n++] = *text;
    }

    ret[n++] = '"';
    ret[n] = '\0';

    return ret;
}


/* Where a value comes from. */

static const char *
origin(struct writer *w, enum inlets_server_option option, bool file,
    char ret[LINE_MAX_LEN])
{
    const char  *text;

    text = inlets_server_origin(w->o, option, ret, LINE_MAX_LEN);

    if (text != NULL) {
        return text;
    }

    if (file) {
        snprintf(ret, LINE_MAX_LEN, "%s", w->o->file.path);
        return ret;
    }

    return "default";
}


static bool
given(const struct inlets_server_options *o, enum inlets_server_option option)
{
    return o->source[option] != INLETS_ARG_DEFAULT;
}


static bool
has_notification(const struct inlets_server_options *o)
{
    return o->url != NULL && *o->url != '\0';
}


static bool
has_overrides(const struct inlets_server_options *o)
{
    return o->token != NULL || has_notification(o)
           || given(o, INLETS_SERVER_SECURE)
           || given(o, INLETS_SERVER_PUBLIC);
}


/* In double quotes, as YAML takes them. */

static void
put_yaml(FILE *f, const char *text)
{
    fputc('"', f);

    for ( ; *text != '\0'; text++) {
        unsigned char  c = (unsigned char) *text;

        if (c == '"' || c == '\\') {
            fprintf(f, "\\%c", c);

        } else if (c < 0x20 || c == 0x7f) {
            fprintf(f, "\\x%02x", c);

        } else {
            fputc(c, f);
        }
    }

    fputc('"', f);
}


static void
put_secret(struct writer *w, const char *key, const char *text,
    enum inlets_server_option option)
{
    char  note[LINE_MAX_LEN];

    if (w->folder == NULL) {
        fprintf(w->f, "#   %s: ...", key);

    } else {
        fprintf(w->f, "%s: ", key);
        put_yaml(w->f, text);
    }

    fprintf(w->f, "    # %s\n", origin(w, option, false, note));
}


/* Settings, not directives: they win over the file, and may be secret. */

static void
put_overrides(struct writer *w)
{
    const struct inlets_server_options  *o = w->o;
    const char  *prefix = w->folder == NULL ? "#   " : "";
    char         note[LINE_MAX_LEN];

    if (o->token != NULL) {
        put_secret(w, "token", o->token,
                   o->token_file != NULL ? INLETS_SERVER_TOKEN_FILE
                                         : INLETS_SERVER_TOKEN);
    }

    if (given(o, INLETS_SERVER_SECURE)) {
        fprintf(w->f, "%ssecure: %s    # %s\n", prefix,
                o->secure ? "true" : "false",
                origin(w, INLETS_SERVER_SECURE, false, note));
    }

    if (given(o, INLETS_SERVER_PUBLIC)) {
        fprintf(w->f, "%spublicHTTP: {enabled: %s}    # %s\n", prefix,
                o->public ? "true" : "false",
                origin(w, INLETS_SERVER_PUBLIC, false, note));
    }

    if (has_notification(o)) {
        fprintf(w->f, "%snotification:\n%s  provider: ", prefix, prefix);
        put_yaml(w->f, o->provider);
        fprintf(w->f, "    # %s\n",
                origin(w, INLETS_SERVER_PROVIDER, false, note));
        put_secret(w, "  url", o->url, INLETS_SERVER_URL);
    }
}


static const char *
overrides_path(struct writer *w, char ret[LINE_MAX_LEN])
{
    snprintf(ret, LINE_MAX_LEN, "%s/" INLETS_SERVER_OVERRIDES,
             w->folder != NULL ? w->folder : "/etc/inlets");

    return ret;
}


static void
put_head(struct writer *w)
{
    char  path[LINE_MAX_LEN];

    fprintf(w->f, "# Written by inlets server " INLETS_VERSION ".\n");

    if (w->folder == NULL && has_overrides(w->o)) {
        fprintf(w->f, "#\n# To be put into %s, %swith the\n# secrets, which "
                "are not shown here, and mode 0600:\n#\n",
                overrides_path(w, path),
                w->o->file.path[0] == '\0' ? "owned by \"user\", " : "");
        put_overrides(w);
    }

    fputc('\n', w->f);
}


const char *
inlets_server_user(const struct inlets_server_options *o)
{
    static const char *const  names[] = { "www-data", "nginx", "nobody" };

    if (geteuid() != 0) {
        return NULL;
    }

    if (o->user != NULL && *o->user != '\0') {
        return o->user;
    }

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (getpwnam(names[i]) != NULL) {
            return names[i];
        }
    }

    return "root";
}


/* nginx takes a group of the same name, which "nobody" may not have. */

static void
put_user(struct writer *w, const char *user)
{
    const struct passwd  *pw = getpwnam(user);
    const struct group   *gr = pw != NULL ? getgrgid(pw->pw_gid) : NULL;
    char                  note[LINE_MAX_LEN], quoted[LINE_MAX_LEN];
    char                  group[LINE_MAX_LEN];
    const char           *from = origin(w, INLETS_SERVER_USER, false, note);

    if (gr == NULL || strcmp(gr->gr_name, user) == 0) {
        put(w, from, "user %s;", quote(user, quoted));
        return;
    }

    put(w, from, "user %s %s;", quote(user, quoted),
        quote(gr->gr_name, group));
}


static void
put_main(struct writer *w, const struct inlets_server_nginx *nginx,
    const struct inlets_server_ports *ports)
{
    static const char *const  levels[] = { "error", "warn", "notice",
                                           "debug" };

    const struct inlets_server_options  *o = w->o;
    const char  *user = inlets_server_user(o);
    char         text[LINE_MAX_LEN], note[LINE_MAX_LEN];
    char         quoted[LINE_MAX_LEN];

    if (!nginx->built_in) {
        if (nginx->stream && nginx->stream_module[0] != '\0') {
            put(w, NULL, "load_module %s;",
                quote(nginx->stream_module, quoted));
        }

        snprintf(text, sizeof(text), "%s/ngx_http_inlets_module.so",
                 nginx->modules);
        put(w, NULL, "load_module %s;", quote(text, quoted));

        if (nginx->stream) {
            snprintf(text, sizeof(text), "%s/ngx_stream_inlets_module.so",
                     nginx->modules);
            put(w, NULL, "load_module %s;", quote(text, quoted));
        }

        fputc('\n', w->f);
    }

    if (user != NULL) {
        put_user(w, user);
    }

    if (o->workers == 0) {
        snprintf(text, sizeof(text), "auto");

    } else {
        snprintf(text, sizeof(text), "%u", o->workers);
    }

    put(w, origin(w, INLETS_SERVER_WORKERS, false, note),
        "worker_processes %s;", text);
    put(w, NULL, "worker_rlimit_nofile %zu;", ports->descriptors);
    put(w, "of old workers, after a reload", "worker_shutdown_timeout 1h;");
    put(w, origin(w, INLETS_SERVER_LOG_LEVEL, false, note),
        "error_log stderr %s;", levels[o->log_level]);

    if (w->folder != NULL) {
        snprintf(text, sizeof(text), "%s/nginx.pid", w->folder);
        put(w, NULL, "pid %s;", quote(text, quoted));
        put(w, NULL, "daemon off;");
        put(w, NULL, "master_process on;");
    }

    fputc('\n', w->f);
    open_block(w, "events");
    put(w, "visitors, clients, and streams", "worker_connections %zu;",
        ports->descriptors - 64);
    close_block(w);
}


/* What nginx would write to folders that may be root's. */

static void
put_folders(struct writer *w)
{
    static const char *const  names[] = { "client_body", "proxy", "fastcgi",
                                          "uwsgi", "scgi" };

    char  text[LINE_MAX_LEN], quoted[LINE_MAX_LEN];

    if (w->folder == NULL) {
        return;
    }

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text), "%s/%s", w->folder, names[i]);
        put(w, NULL, "%s_temp_path %s;", names[i], quote(text, quoted));
    }

    fputc('\n', w->f);
}


static void
put_settings(struct writer *w)
{
    const struct inlets_server_options  *o = w->o;
    char  over[LINE_MAX_LEN], note[LINE_MAX_LEN], text[LINE_MAX_LEN];
    char  quoted[LINE_MAX_LEN];

    put(w, "the registry: about 1 KiB a tunnel", "inlets_zone edge 8m;");

    if (o->domain != NULL) {
        put(w, origin(w, INLETS_SERVER_DOMAIN, false, note),
            "inlets_domain %s;", quote(o->domain, quoted));

    } else {
        put(w, NULL, "# domain %s: from the settings file", o->file.domain);
    }

    overrides_path(w, over);

    if (o->file.path[0] != '\0') {
        put(w, o->config != NULL ? origin(w, INLETS_SERVER_CONFIG, false, note)
                                 : "default: found there",
            "inlets_config %s%s", quote(o->file.path, quoted),
            has_overrides(o) ? "" : ";");

    } else if (w->folder != NULL) {
        /* workers would see what flags.yml says before a reload is tried */
        snprintf(text, sizeof(text), "%.*s/" SETTINGS, PATH_MAX, w->folder);
        put(w, NULL, "inlets_config %s", quote(text, quoted));

    } else {
        put(w, "settings given by flags", "inlets_config %s;",
            quote(over, quoted));
        return;
    }

    if (has_overrides(o)) {
        snprintf(text, sizeof(text), "overrides=%.*s", PATH_MAX + 16, over);
        put(w, NULL, "              %s;", quote(text, quoted));
    }
}


static void
put_listen(struct writer *w, const struct inlets_server_ports *ports,
    const char *what, const char *rest, const char *note)
{
    const char  *address = w->o->listen;
    bool         any = address == NULL || *address == '\0';
    bool         open = ports->ip6 && !any && *address != '[';

    if (ports->ip4) {
        put(w, note, "listen %s%s%s%s;", any ? "" : address, any ? "" : ":",
            what, rest);
    }

    if (ports->ip6) {
        put(w, note, "listen %s%s%s:%s%s;", open ? "[" : "",
            any ? "[::]" : address, open ? "]" : "", what, rest);
    }
}


static void
put_tls(struct writer *w)
{
    char  note[LINE_MAX_LEN], quoted[LINE_MAX_LEN];

    put(w, origin(w, INLETS_SERVER_TLS_CERT, false, note),
        "ssl_certificate %s;", quote(w->o->tls_cert, quoted));
    put(w, origin(w, INLETS_SERVER_TLS_KEY, false, note),
        "ssl_certificate_key %s;", quote(w->o->tls_key, quoted));
    put(w, NULL, "ssl_protocols TLSv1.2 TLSv1.3;");
    put(w, NULL, "ssl_session_cache shared:tls:8m;");
    fputc('\n', w->f);
}


static void
put_locations(struct writer *w)
{
    char  note[LINE_MAX_LEN];

    put(w, "clients log in here", "location /_/ { inlets_connect edge; }");
    put(w, NULL, "location /_client { inlets_connect edge; }");

    if (w->o->status) {
        fputc('\n', w->f);
        put(w, origin(w, INLETS_SERVER_STATUS, false, note),
            "location = /_/status {");
        w->indent++;
        put(w, NULL, "inlets_status edge;");
        put(w, NULL, "allow 127.0.0.1;");
        put(w, NULL, "allow ::1;");
        put(w, NULL, "deny all;");
        close_block(w);
    }

    fputc('\n', w->f);
    open_block(w, "location /");
    put(w, "visitors go into the tunnels", "inlets_tunnel edge;");
    put(w, "nginx's default is 1m", "client_max_body_size 0;");
    close_block(w);
}


/* /dev/stdout is for an nginx that somebody starts by hand. */

static void
put_access_log(struct writer *w)
{
    const char  *log = w->o->access_log;
    char         note[LINE_MAX_LEN], quoted[LINE_MAX_LEN];
    char         path[LINE_MAX_LEN];

    if (log == NULL) {
        put(w, origin(w, INLETS_SERVER_ACCESS_LOG, false, note),
            "access_log off;");
        return;
    }

    if (strcmp(log, "-") != 0) {
        snprintf(path, sizeof(path), "%s", log);

    } else if (w->folder != NULL) {
        snprintf(path, sizeof(path), "%s/" INLETS_SERVER_ACCESS, w->folder);

    } else {
        snprintf(path, sizeof(path), "/dev/stdout");
    }

    put(w, NULL, "log_format tunnels '$remote_addr [$time_local] $host "
        "\"$request\" '");
    put(w, NULL, "                   '$status $body_bytes_sent "
        "$request_time '");
    put(w, NULL, "                   'tunnel=$inlets_tunnel_id "
        "client=$inlets_client_id';");
    put(w, origin(w, INLETS_SERVER_ACCESS_LOG, false, note),
        "access_log %s tunnels;", quote(path, quoted));
}


static void
put_http(struct writer *w, const struct inlets_server_nginx *nginx,
    const struct inlets_server_ports *ports)
{
    const struct inlets_server_options  *o = w->o;
    bool         tls = o->tls_cert != NULL;
    bool         http2 = tls && nginx->http2;
    bool         word = http2 && nginx->number < HTTP2_WORD;
    char         note[LINE_MAX_LEN], port[16];

    open_block(w, "http");
    put_access_log(w);
    put(w, NULL, "server_tokens off;");
    fputc('\n', w->f);

    put_folders(w);
    put_settings(w);

    fputc('\n', w->f);
    open_block(w, "server");

    snprintf(port, sizeof(port), "%u", o->port);
    put_listen(w, ports, port, word ? " ssl http2" : tls ? " ssl" : "",
               origin(w, INLETS_SERVER_PORT, o->file.port != 0, note));

    if (http2 && !word) {
        put(w, NULL, "http2 on;");
    }

    fputc('\n', w->f);

    if (tls) {
        put_tls(w);
    }

    put_locations(w);
    close_block(w);
    close_block(w);
}


static void
put_stream(struct writer *w, const struct inlets_server_ports *ports)
{
    char  note[LINE_MAX_LEN], range[32];

    if (w->o->first == 0) {
        return;
    }

    snprintf(range, sizeof(range),
             w->o->first == w->o->last ? "%u" : "%u-%u", w->o->first,
             w->o->last);

    fputc('\n', w->f);
    open_block(w, "stream");
    open_block(w, "server");
    put_listen(w, ports, range, "",
               origin(w, INLETS_SERVER_TCP_RANGE, false, note));
    put(w, NULL, "inlets_tunnel edge;");
    close_block(w);
    close_block(w);
}


void
inlets_server_conf_print(FILE *f, const struct inlets_server_options *o,
    const struct inlets_server_nginx *nginx,
    const struct inlets_server_ports *ports, const char *folder)
{
    struct writer  w = { f, o, folder, 0 };

    put_head(&w);
    put_main(&w, nginx, ports);
    fputc('\n', f);
    put_http(&w, nginx, ports);
    put_stream(&w, ports);
}


/* Beside the old one, which is there until the new one is complete. */

static FILE *
create(const char *folder, const char *name, char path[PATH_MAX],
    char draft[PATH_MAX])
{
    FILE  *f = NULL;
    int    fd, n;

    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    n = snprintf(draft, PATH_MAX, "%s/%s.new", folder, name);

    if (n < 0 || n >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }

    fd = open(draft, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (fd >= 0) {
        f = fdopen(fd, "w");
    }

    if (f == NULL && fd >= 0) {
        close(fd);
    }

    return f;
}


static int
finish(FILE *f, const char *draft, const char *path)
{
    int  bad = f == NULL || ferror(f);

    if (f != NULL && fclose(f) != 0) {
        bad = 1;
    }

    if (bad || rename(draft, path) != 0) {
        inlets_log_fatal("cannot write \"%s\": %s", path, strerror(errno));
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


/* In place of a file: nginx needs one, which its workers watch. */

static int
write_settings(struct writer *w)
{
    char  path[PATH_MAX], draft[PATH_MAX];

    w->f = create(w->folder, SETTINGS, path, draft);

    if (w->f != NULL) {
        (void) fchmod(fileno(w->f), 0644);
        fputs("domain: ", w->f);
        put_yaml(w->f, w->o->domain);
        fputc('\n', w->f);
    }

    return finish(w->f, draft, path);
}


int
inlets_server_conf_write(const struct inlets_server_options *o,
    const struct inlets_server_nginx *nginx,
    const struct inlets_server_ports *ports, const char *folder)
{
    struct writer  w = { NULL, o, folder, 0 };
    char           path[PATH_MAX], draft[PATH_MAX];

    if (o->file.path[0] == '\0' && write_settings(&w) != INLETS_OK) {
        return INLETS_E_INVALID;
    }

    w.f = create(folder, INLETS_SERVER_OVERRIDES, path, draft);

    if (w.f != NULL) {
        put_overrides(&w);
    }

    if (finish(w.f, draft, path) != INLETS_OK) {
        return INLETS_E_INVALID;
    }

    w.f = create(folder, "nginx.conf", path, draft);

    if (w.f != NULL) {
        inlets_server_conf_print(w.f, o, nginx, ports, folder);
    }

    return finish(w.f, draft, path);
}
