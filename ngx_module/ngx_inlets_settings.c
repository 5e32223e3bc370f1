
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_settings_file.h"


static ngx_inlets_settings_file_t *ngx_inlets_settings_create(ngx_conf_t *cf,
    ngx_shm_zone_t *shm_zone, ngx_str_t *path, ngx_str_t *overrides);
static ngx_int_t ngx_inlets_settings_override(ngx_conf_t *cf,
    ngx_inlets_settings_overrides_t *overrides);
static void ngx_inlets_settings_destroy(void *data);
static ngx_int_t ngx_inlets_settings_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_uint_t ngx_inlets_settings_match(ngx_str_t *pattern,
    ngx_str_t *label);


static ngx_str_t  ngx_inlets_settings_zone = ngx_string("inlets_config:");


ngx_inlets_settings_file_t *
ngx_inlets_settings_add(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *overrides)
{
    u_char                      *p;
    ngx_str_t                    name, full, other;
    ngx_shm_zone_t              *shm_zone;
    ngx_inlets_settings_file_t  *file;

    full = *path;
    ngx_str_null(&other);

    if (overrides) {
        other = *overrides;
    }

    if (ngx_conf_full_name(cf->cycle, &full, 1) != NGX_OK
        || (overrides && ngx_conf_full_name(cf->cycle, &other, 1) != NGX_OK))
    {
        return NULL;
    }

    name.len = ngx_inlets_settings_zone.len + full.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(name.data, ngx_inlets_settings_zone.data,
                   ngx_inlets_settings_zone.len);
    ngx_memcpy(p, full.data, full.len);

    shm_zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                     (void *) &ngx_inlets_settings_keys);
    if (shm_zone == NULL) {
        return NULL;
    }

    file = shm_zone->data;

    if (file == NULL) {
        return ngx_inlets_settings_create(cf, shm_zone, &full, &other);
    }

    if (file->overrides.path.len != other.len
        || (other.len && ngx_strncmp(file->overrides.path.data, other.data,
                                     other.len)
                         != 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "settings file \"%V\" can't have other "
                           "\"overrides\" here than elsewhere", &full);
        return NULL;
    }

    return file;
}


static ngx_inlets_settings_file_t *
ngx_inlets_settings_create(ngx_conf_t *cf, ngx_shm_zone_t *shm_zone,
    ngx_str_t *path, ngx_str_t *overrides)
{
    ngx_str_t                   *text;
    ngx_uint_t                   i;
    ngx_pool_cleanup_t          *cln;
    ngx_inlets_settings_file_t  *file;
    ngx_inlets_settings_load_t   load;

    file = ngx_pcalloc(cf->pool, sizeof(ngx_inlets_settings_file_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (file == NULL || cln == NULL) {
        return NULL;
    }

    file->path = *path;
    file->shm_zone = shm_zone;
    file->configured = ngx_current_msec;
    ngx_queue_init(&file->subscribers);

    file->overrides.path = *overrides;

    if (overrides->len
        && ngx_inlets_settings_override(cf, &file->overrides) != NGX_OK)
    {
        return NULL;
    }

    /* the cycle's log: it is there for as long as the settings */

    if (ngx_inlets_settings_load(path, &file->overrides, &cf->cycle->new_log,
                                 &load)
        != NGX_OK)
    {
        return NULL;
    }

    text = load.faults.elts;

    for (i = 0; i < load.faults.nelts; i++) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%V", &text[i]);
    }

    text = load.warnings.elts;

    for (i = 0; i < load.warnings.nelts; i++) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0, "%V", &text[i]);
    }

    if (load.settings == NULL) {
        ngx_destroy_pool(load.pool);
        return NULL;
    }

    file->settings = load.settings;
    file->sources = load.sources;
    file->hash = load.hash;
    file->state = load.unstable ? 0 : load.state;

    cln->handler = ngx_inlets_settings_destroy;
    cln->data = file;

    shm_zone->init = ngx_inlets_settings_init_zone;
    shm_zone->data = file;

    return file;
}


/*
 * The text stays in memory: workers may not be allowed to read the file, and
 * its owner may have changed it for a configuration that is still to come.
 */

static ngx_int_t
ngx_inlets_settings_override(ngx_conf_t *cf,
    ngx_inlets_settings_overrides_t *overrides)
{
    u_char     *buf;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_err_t   err;

    fd = ngx_open_file(overrides->path.data,
                       NGX_FILE_RDONLY|NGX_FILE_NONBLOCK, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed",
                           &overrides->path);
        return NGX_ERROR;
    }

    n = -1;
    err = NGX_ENOMEM;

    buf = ngx_pnalloc(cf->pool, NGX_INLETS_SETTINGS_OVERRIDE + 1);

    if (buf) {
        n = ngx_read_fd(fd, buf, NGX_INLETS_SETTINGS_OVERRIDE + 1);
        err = ngx_errno;
    }

    ngx_close_file(fd);

    if (n == -1 || n > NGX_INLETS_SETTINGS_OVERRIDE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, (n == -1) ? err : 0,
                           "overrides \"%V\" can't be read, or are longer "
                           "than %d bytes", &overrides->path,
                           NGX_INLETS_SETTINGS_OVERRIDE);
        return NGX_ERROR;
    }

    overrides->text.data = buf;
    overrides->text.len = n;

    return NGX_OK;
}


static void
ngx_inlets_settings_destroy(void *data)
{
    ngx_inlets_settings_file_t *file = data;

    ngx_explicit_memzero(file->overrides.text.data, file->overrides.text.len);

    if (file->rejected) {
        ngx_destroy_pool(file->rejected);
    }

    ngx_destroy_pool(file->settings->pool);
}


static ngx_int_t
ngx_inlets_settings_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_inlets_settings_file_t *previous = data;

    ngx_inlets_settings_file_t  *file;

    file = shm_zone->data;

    if (previous) {
        file->sh = previous->sh;
        file->shpool = previous->shpool;

        ngx_shmtx_lock(&file->shpool->mutex);

        if (file->sh->hash != file->hash) {

            /* no worker of the old cycle has seen it: a new one tells of it */

            file->sh->hash = file->hash;
            file->sh->notify.reloaded = 1;
        }

        file->sh->good = file->hash;

        ngx_shmtx_unlock(&file->shpool->mutex);

        return NGX_OK;
    }

    file->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        file->sh = file->shpool->data;
        return NGX_OK;
    }

    file->sh = ngx_slab_calloc(file->shpool,
                               sizeof(ngx_inlets_settings_shctx_t));
    if (file->sh == NULL) {
        return NGX_ERROR;
    }

    file->sh->hash = file->hash;
    file->sh->good = file->hash;
    file->shpool->data = file->sh;

    return NGX_OK;
}


ngx_str_t *
ngx_inlets_settings_path(ngx_inlets_settings_file_t *file)
{
    return &file->path;
}


ngx_inlets_settings_t *
ngx_inlets_settings_get(ngx_inlets_settings_file_t *file)
{
    return file->settings;
}


ngx_inlets_identity_t *
ngx_inlets_settings_identity(ngx_inlets_settings_t *s, ngx_str_t *id)
{
    ngx_inlets_identity_t  *identity;

    identity = ngx_inlets_settings_find(s, id);

    return identity && identity->listed ? identity : NULL;
}


ngx_inlets_limit_t
ngx_inlets_settings_limit(ngx_inlets_settings_t *s, ngx_str_t *id)
{
    ngx_inlets_limit_t      none;
    ngx_inlets_identity_t  *identity;

    identity = ngx_inlets_settings_find(s, id);

    if (identity) {
        return identity->limit;
    }

    none.upload = 0;
    none.download = 0;

    return none;
}


ngx_inlets_identity_t *
ngx_inlets_settings_find(ngx_inlets_settings_t *s, ngx_str_t *id)
{
    uint32_t                hash;
    ngx_inlets_identity_t  *identity;

    hash = ngx_murmur_hash2(id->data, id->len);

    for (identity = s->table[hash & s->mask];
         identity;
         identity = identity->next)
    {
        if (identity->hash == hash
            && identity->id.len == id->len
            && ngx_memcmp(identity->id.data, id->data, id->len) == 0)
        {
            return identity;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_inlets_settings_name(ngx_inlets_identity_t *identity, ngx_str_t *label)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (!identity->restricted_names) {
        return 1;
    }

    name = identity->names->elts;

    for (i = 0; i < identity->names->nelts; i++) {
        if (ngx_inlets_settings_match(&name[i], label)) {
            return 1;
        }
    }

    return 0;
}


/* '*' takes as little as it can; only the last one is ever tried again. */

static ngx_uint_t
ngx_inlets_settings_match(ngx_str_t *pattern, ngx_str_t *label)
{
    size_t  p, n, star, from;

    p = 0;
    n = 0;
    from = 0;
    star = pattern->len;

    while (n < label->len) {

        if (p < pattern->len && pattern->data[p] == '*') {
            star = p++;
            from = n;

        } else if (p < pattern->len && pattern->data[p] == label->data[n]) {
            p++;
            n++;

        } else if (star < pattern->len) {
            p = star + 1;
            n = ++from;

        } else {
            return 0;
        }
    }

    while (p < pattern->len && pattern->data[p] == '*') {
        p++;
    }

    return p == pattern->len;
}


ngx_uint_t
ngx_inlets_settings_port(ngx_inlets_identity_t *identity, ngx_uint_t port)
{
    ngx_uint_t           i;
    ngx_inlets_ports_t  *ports;

    if (!identity->restricted_ports) {
        return 1;
    }

    ports = identity->ports->elts;

    for (i = 0; i < identity->ports->nelts; i++) {
        if (port >= ports[i].first && port <= ports[i].last) {
            return 1;
        }
    }

    return 0;
}


/* One of them alone may not fit the directives' other one. */

void
ngx_inlets_settings_heartbeat(ngx_inlets_settings_t *s, ngx_msec_t *interval,
    ngx_msec_t *timeout)
{
    if (s->heartbeat_interval != NGX_CONF_UNSET_MSEC) {
        *interval = s->heartbeat_interval;

        if (*timeout <= *interval) {
            *timeout = 4 * *interval;
        }
    }

    if (s->heartbeat_timeout != NGX_CONF_UNSET_MSEC) {
        *timeout = s->heartbeat_timeout;

        if (*timeout <= *interval) {
            *interval = *timeout / 4;
        }
    }
}
