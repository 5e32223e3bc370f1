
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_settings_file.h"


static ngx_int_t ngx_inlets_settings_read_fd(ngx_fd_t fd, u_char *buf,
    size_t *len);
static void ngx_inlets_settings_state(ngx_file_info_t *fi, uint64_t *state);
static ngx_int_t ngx_inlets_settings_unread(ngx_inlets_settings_load_t *load,
    const char *what, ngx_err_t err, char *reason);


ngx_int_t
ngx_inlets_settings_read(ngx_inlets_settings_load_t *load, ngx_str_t *path,
    size_t max, u_char **buf, size_t *len, char *reason)
{
    u_char           *p;
    ngx_fd_t          fd;
    ngx_int_t         rc;
    ngx_err_t         err;
    const char       *what;
    ngx_file_info_t   before, after;

    p = NULL;
    err = 0;

    /* not to wait for a writer, if it is a pipe */

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        err = ngx_errno;
        what = (err == NGX_EACCES) ? "can't be read by the user that this "
                                     "process runs as"
                                   : "can't be opened";
        goto declined;
    }

    if (ngx_fd_info(fd, &before) == NGX_FILE_ERROR) {
        err = ngx_errno;
        what = "can't be read";
        goto declined;
    }

    if (!ngx_is_file(&before)) {
        what = "is not a regular file";
        goto declined;
    }

    if (ngx_file_size(&before) > (off_t) max) {
        what = "is too long";
        goto declined;
    }

    *len = ngx_file_size(&before);

    p = ngx_alloc(*len + 1, load->pool->log);
    if (p == NULL) {
        ngx_close_file(fd);
        return NGX_ERROR;
    }

    rc = ngx_inlets_settings_read_fd(fd, p, len);

    if (rc != NGX_OK || ngx_fd_info(fd, &after) == NGX_FILE_ERROR) {
        err = ngx_errno;
        what = "can't be read";
        goto declined;
    }

    if (ngx_file_size(&after) != (off_t) *len
        || after.st_mtim.tv_sec != before.st_mtim.tv_sec
        || after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
    {
        load->unstable = 1;
    }

    ngx_close_file(fd);

    if (EVP_DigestUpdate(load->digest, p, *len) != 1) {
        ngx_free(p);
        return NGX_ERROR;
    }

    *buf = p;

    return NGX_OK;

declined:

    if (fd != NGX_INVALID_FILE) {
        ngx_close_file(fd);
    }

    if (p) {
        ngx_free(p);
    }

    return ngx_inlets_settings_unread(load, what, err, reason);
}


/* A file that gets shorter meanwhile ends where it then does. */

static ngx_int_t
ngx_inlets_settings_read_fd(ngx_fd_t fd, u_char *buf, size_t *len)
{
    size_t   size;
    ssize_t  n;

    for (size = 0; size < *len; size += n) {

        n = ngx_read_fd(fd, buf + size, *len - size);

        if (n == 0) {
            break;
        }

        if (n == -1) {

            if (ngx_errno == NGX_EINTR) {
                n = 0;
                continue;
            }

            return NGX_ERROR;
        }
    }

    *len = size;

    return NGX_OK;
}


void
ngx_inlets_settings_look(ngx_str_t *path, uint64_t *state)
{
    ngx_err_t        err;
    ngx_file_info_t  fi;

    if (ngx_file_info(path->data, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;
        ngx_inlets_settings_hash(state, &err, sizeof(ngx_err_t));
        return;
    }

    ngx_inlets_settings_state(&fi, state);
}


void
ngx_inlets_settings_hash(uint64_t *hash, const void *data, size_t len)
{
    const u_char *p = data;

    uint64_t  h;

    h = *hash ? *hash : 0xcbf29ce484222325;

    while (len--) {
        h = (h ^ *p++) * 0x100000001b3;
    }

    *hash = h;
}


/* A rename changes no more than the time of the inode's change. */

static void
ngx_inlets_settings_state(ngx_file_info_t *fi, uint64_t *state)
{
    uint64_t  v[7];

    v[0] = fi->st_dev;
    v[1] = fi->st_ino;
    v[2] = fi->st_size;
    v[3] = fi->st_mtim.tv_sec;
    v[4] = fi->st_mtim.tv_nsec;
    v[5] = fi->st_ctim.tv_sec;
    v[6] = fi->st_ctim.tv_nsec;

    ngx_inlets_settings_hash(state, v, sizeof(v));
}


static ngx_int_t
ngx_inlets_settings_unread(ngx_inlets_settings_load_t *load, const char *what,
    ngx_err_t err, char *reason)
{
    if (EVP_DigestUpdate(load->digest, what, ngx_strlen(what)) != 1
        || EVP_DigestUpdate(load->digest, &err, sizeof(ngx_err_t)) != 1)
    {
        return NGX_ERROR;
    }

    if (err) {
        (void) snprintf(reason, NGX_INLETS_SETTINGS_REASON, "%s (%d: %s)",
                        what, (int) err, strerror(err));

    } else {
        (void) snprintf(reason, NGX_INLETS_SETTINGS_REASON, "%s", what);
    }

    return NGX_DECLINED;
}
