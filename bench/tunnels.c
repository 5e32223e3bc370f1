/*
 * Idle tunnels.
 *
 *   tunnels PORT HOST TOKEN-FILE N
 *
 * Registers N tunnels at an edge, each a monitor and one link, says "ready"
 * and holds them until standard input ends.  No heartbeat: the edge's limits
 * have to be longer than the measurement.
 */

#include "net.h"

#include "inlets_protocol.h"
#include "inlets_sign.h"
#include "inlets_ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define BUF_SIZE  16384
#define ID_SIZE   128


struct edge {
    uint16_t     port;
    const char  *host;
    char         secret[256];
};


static const uint8_t  zero_mask[4];


static void
read_secret(const char *name, char *ret, size_t size)
{
    FILE  *f;

    f = fopen(name, "r");
    if (f == NULL || fgets(ret, (int) size, f) == NULL) {
        bench_fail("cannot read", name);
    }

    ret[strcspn(ret, "\r\n")] = '\0';
    fclose(f);
}


/* Returns the bytes in buf that came after the head, moved to its start. */

static size_t
upgrade(int fd, const struct edge *edge, const char *path, char *buf)
{
    int                   n;
    size_t                head, len;
    static const uint8_t  random[16] = "any key will do";
    char                  key[INLETS_WS_KEY_LEN + 1];

    inlets_ws_key(random, key);

    n = snprintf(buf, BUF_SIZE, "GET %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: %s\r\n"
                 "\r\n", path, edge->host, key);
    if (n < 0 || n >= BUF_SIZE) {
        bench_fail("the request is too long", NULL);
    }

    bench_send(fd, buf, (size_t) n);
    len = bench_recv_head(fd, buf, BUF_SIZE, &head);

    if (strncmp(buf, "HTTP/1.1 101 ", 13) != 0) {
        buf[strcspn(buf, "\r\n")] = '\0';
        bench_fail(path, buf);
    }

    len -= head;
    memmove(buf, buf + head, len);

    return len;
}


static void
authenticate(int fd, const struct edge *edge)
{
    int              n;
    char             time_text[24], text[1024];
    char             signature[INLETS_SIGN_LEN + 1];
    uint8_t          frame[sizeof(text) + INLETS_WS_HEADER_MAX];
    struct timespec  now;

    clock_gettime(CLOCK_REALTIME, &now);
    n = snprintf(time_text, sizeof(time_text), "%lld",
                 (long long) now.tv_sec * 1000 + now.tv_nsec / 1000000);

    if (inlets_sign(edge->secret, strlen(edge->secret), time_text, (size_t) n,
                    signature)
        < 0)
    {
        bench_fail("cannot sign", NULL);
    }

    n = snprintf(text, sizeof(text),
                 "[\"authenticate\",{\"version\":\"" INLETS_PROTOCOL_V2 "\","
                 "\"type\":\"http\",\"port\":80,\"timestamp\":%s,"
                 "\"authType\":\"token\",\"signature\":\"%s\","
                 "\"capabilities\":{\"flags\":%d,"
                 "\"version\":\"" INLETS_PROTOCOL_V2 "\","
                 "\"features\":{\"mux\":{\"version\":%d,\"links\":1,"
                 "\"window\":262144}}}}]",
                 time_text, signature, INLETS_CAP_MUX, INLETS_MUX_VERSION);
    if (n < 0 || (size_t) n >= sizeof(text)) {
        bench_fail("the login is too long", NULL);
    }

    n = inlets_ws_message_write(frame, sizeof(frame), INLETS_WS_TEXT, text,
                                (size_t) n, zero_mask);
    if (n < 0) {
        bench_fail("cannot frame the login", NULL);
    }

    bench_send(fd, frame, (size_t) n);
}


static void
take_field(const char *text, const char *name, char *ret)
{
    int          n;
    char         key[64];
    size_t       len;
    const char  *p;

    n = snprintf(key, sizeof(key), "\"%s\":\"", name);
    p = strstr(text, key);
    if (p == NULL) {
        bench_fail("the edge refused", text);
    }

    p += n;
    len = strcspn(p, "\"");
    if (len >= ID_SIZE) {
        bench_fail("an id is too long", NULL);
    }

    memcpy(ret, p, len);
    ret[len] = '\0';
}


/* Reads messages up to the answer to the login. */

static void
await_login(int fd, char *buf, size_t len, char *client, char *container)
{
    ptrdiff_t                n;
    size_t                   used;
    static uint8_t           message[BUF_SIZE + 1];
    struct inlets_ws_item    item;
    struct inlets_ws_reader  reader;

    inlets_ws_reader_init(&reader, message, BUF_SIZE, false);

    for ( ;; ) {
        for (used = 0; used < len; used += (size_t) n) {
            n = inlets_ws_read(&reader, (uint8_t *) buf + used, len - used,
                               &item);
            if (n < 0 || item.opcode == INLETS_WS_CLOSE) {
                bench_fail("the edge closed a monitor", NULL);
            }

            if (item.opcode == INLETS_WS_TEXT && item.len < sizeof(message)) {
                memmove(message, item.data, item.len);
                message[item.len] = '\0';

                if (strncmp((char *) message, "[\"authenticate\"", 15) == 0) {
                    take_field((char *) message, "clientId", client);
                    take_field((char *) message, "containerId", container);
                    return;
                }
            }
        }

        len = bench_recv(fd, buf, BUF_SIZE);
        if (len == 0) {
            bench_fail("the edge closed a monitor", NULL);
        }
    }
}


static void
open_tunnel(const struct edge *edge)
{
    int          fd, n;
    size_t       len;
    char         client[ID_SIZE], container[ID_SIZE], path[512];
    static char  buf[BUF_SIZE];

    fd = bench_connect(edge->port);
    len = upgrade(fd, edge, INLETS_PATH_MONITOR, buf);
    authenticate(fd, edge);
    await_login(fd, buf, len, client, container);

    n = snprintf(path, sizeof(path), INLETS_PATH_DATA "?"
                 INLETS_ARG_CLIENT_ID "=%s&" INLETS_ARG_CONTAINER_ID "=%s&"
                 INLETS_ARG_MUX "=1", client, container);
    if (n < 0 || (size_t) n >= sizeof(path)) {
        bench_fail("the path is too long", NULL);
    }

    fd = bench_connect(edge->port);
    (void) upgrade(fd, edge, path, buf);
}


int
main(int argc, char **argv)
{
    long         i, count;
    struct edge  edge;

    if (argc != 5) {
        bench_fail("usage: tunnels PORT HOST TOKEN-FILE N", NULL);
    }

    edge.port = (uint16_t) bench_number(argv[1], 1, 65535);
    edge.host = argv[2];
    read_secret(argv[3], edge.secret, sizeof(edge.secret));
    count = bench_number(argv[4], 1, 100000);

    for (i = 0; i < count; i++) {
        open_tunnel(&edge);
    }

    puts("ready");
    fflush(stdout);

    bench_hold();

    return 0;
}
