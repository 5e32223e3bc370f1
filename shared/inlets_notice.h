/*
 * Notices: what people are told of, as a message for a chat service or as our
 * own JSON.  Wire specification, 10.5.
 */

#ifndef INLETS_NOTICE_H
#define INLETS_NOTICE_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define INLETS_NOTICE_TITLE      150    /* bytes, longer ones are cut */
#define INLETS_NOTICE_CONTENT    2800
#define INLETS_NOTICE_SIZE       32768  /* enough for every payload */

#define INLETS_NOTICE_SECRET     1024   /* longest secret */
#define INLETS_NOTICE_SIGNATURE  44     /* base64 of HMAC-SHA256 */
#define INLETS_NOTICE_HEX        64     /* the same in hex */


enum inlets_notice_provider {
    INLETS_NOTICE_NOWHERE = 0,
    INLETS_NOTICE_DINGTALK,
    INLETS_NOTICE_FEISHU,
    INLETS_NOTICE_WECOM,
    INLETS_NOTICE_SLACK,
    INLETS_NOTICE_WEBHOOK
};


enum inlets_notice_event {
    INLETS_NOTICE_SERVER_STARTED = 0,
    INLETS_NOTICE_CLIENT_ONLINE,
    INLETS_NOTICE_CLIENT_OFFLINE,
    INLETS_NOTICE_SETTINGS_RELOADED,
    INLETS_NOTICE_SETTINGS_REJECTED,
    INLETS_NOTICE_LOGIN_REFUSED,
    INLETS_NOTICE_DROPPED
};


struct inlets_notice_text {
    const char  *data;
    size_t       len;
};


/*
 * Which fields count depends on the event; those that are empty or zero are
 * left out where they may be.  Texts may come from anywhere: what isn't UTF-8
 * or is too long is replaced or cut, and in a chat they make no links and call
 * nobody.
 */
struct inlets_notice {
    enum inlets_notice_event    event;
    int64_t                     time;       /* Unix seconds */
    int                         offset;     /* minutes east of UTC */

    struct inlets_notice_text   address;    /* of the server; login: of the
                                               client */
    struct inlets_notice_text   client;     /* its id */
    struct inlets_notice_text   version;    /* of the server or the client */
    struct inlets_notice_text   type;       /* "http", "tcp" */
    struct inlets_notice_text   auth;       /* "token", ... */
    struct inlets_notice_text   tunnel;     /* its id */
    struct inlets_notice_text   host;       /* HTTP */
    unsigned                    port;       /* TCP */

    uint64_t                    up;         /* bytes */
    uint64_t                    down;
    uint64_t                    requests;
    uint64_t                    streams;
    uint64_t                    seconds;

    struct inlets_notice_text   path;       /* of the settings file */
    struct inlets_notice_text   reason;
    uint64_t                    count;      /* clients in the file, refused
                                               logins, dropped notices */
};


/* "client_online" and so on. */
const char *inlets_notice_name(enum inlets_notice_event event);
const char *inlets_notice_provider_name(enum inlets_notice_provider provider);

/*
 * The payload, a JSON object with a zero byte behind it; its length, or
 * INLETS_E_NO_SPACE, INLETS_E_INVALID.
 */
int inlets_notice_write(const struct inlets_notice *notice,
    enum inlets_notice_provider provider, bool chinese, char *buf,
    size_t size);

/*
 * Signed messages: DingTalk's signature goes into the URL, Feishu's into the
 * object, a webhook's into a header: it is that of "time.payload".  time is in
 * milliseconds for DingTalk, else in seconds.
 */
int inlets_notice_sign_dingtalk(const void *secret, size_t len, int64_t time,
    char ret[INLETS_NOTICE_SIGNATURE + 1]);
int inlets_notice_sign_feishu(const void *secret, size_t len, int64_t time,
    char ret[INLETS_NOTICE_SIGNATURE + 1]);
int inlets_notice_sign_webhook(const void *secret, size_t len, int64_t time,
    const char *payload, char ret[INLETS_NOTICE_HEX + 1]);

/*
 * Both zero-terminated; the length, or an error.  url(): with "timestamp" and
 * "sign" added.  body(): a payload of ours with them in front.
 */
int inlets_notice_sign_url(const char *url, const char *signature,
    int64_t time, char *buf, size_t size);
int inlets_notice_sign_body(const char *payload, const char *signature,
    int64_t time, char *buf, size_t size);

/*
 * A piece of JSON text with its quotes, as Go escapes it; the length without
 * the zero byte at the end, or INLETS_E_NO_SPACE.
 */
int inlets_notice_quote(const char *text, size_t len, char *buf, size_t size);

/* RFC 3339; the length. */
#define INLETS_NOTICE_TIME  40

size_t inlets_notice_time(int64_t time, int offset,
    char ret[INLETS_NOTICE_TIME]);


#endif /* INLETS_NOTICE_H */
