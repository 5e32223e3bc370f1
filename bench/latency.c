/*
 * Latency of one request at rest.
 *
 *   latency PORT HOST PATH COUNT
 *
 * COUNT GET requests, one after the other on one kept-alive connection, after
 * a tenth as many that are not counted.  Prints the median and the 99th
 * percentile in microseconds.
 */

#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>


#define BUF_SIZE   65536
#define MAX_COUNT  10000000


static size_t
body_length(const char *head)
{
    char               *end;
    const char         *p;
    unsigned long       n;
    static const char   name[] = "\r\nContent-Length:";

    p = strcasestr(head, name);
    if (p == NULL) {
        bench_fail("no Content-Length in the answer", NULL);
    }

    p += sizeof(name) - 1;
    n = strtoul(p, &end, 10);

    if (end == p || *end != '\r' || n > BUF_SIZE) {
        bench_fail("bad Content-Length", NULL);
    }

    return n;
}


static double
request(int fd, const char *text, size_t text_len)
{
    size_t       n, head, len, whole;
    double       start;
    static char  buf[BUF_SIZE];

    start = bench_now();

    bench_send(fd, text, text_len);
    len = bench_recv_head(fd, buf, sizeof(buf), &head);

    if (strncmp(buf, "HTTP/1.1 200 ", 13) != 0) {
        buf[strcspn(buf, "\r\n")] = '\0';
        bench_fail("no 200", buf);
    }

    whole = head + body_length(buf);

    while (len < whole) {
        n = bench_recv(fd, buf, sizeof(buf));
        if (n == 0) {
            bench_fail("the answer ended in its body", NULL);
        }

        len += n;
    }

    if (len != whole) {
        bench_fail("more than one answer", NULL);
    }

    return bench_now() - start;
}


static int
compare(const void *a, const void *b)
{
    const double  *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}


int
main(int argc, char **argv)
{
    int      fd, len;
    char     text[1024];
    long     i, count;
    double  *times;

    if (argc != 5) {
        bench_fail("usage: latency PORT HOST PATH COUNT", NULL);
    }

    count = bench_number(argv[4], 1, MAX_COUNT);

    len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                   argv[3], argv[2]);
    if (len < 0 || (size_t) len >= sizeof(text)) {
        bench_fail("the request is too long", NULL);
    }

    times = calloc((size_t) count, sizeof(*times));
    if (times == NULL) {
        bench_fail("no memory", NULL);
    }

    fd = bench_connect((uint16_t) bench_number(argv[1], 1, 65535));

    for (i = 0; i < count / 10 + 1; i++) {
        (void) request(fd, text, (size_t) len);
    }

    for (i = 0; i < count; i++) {
        times[i] = request(fd, text, (size_t) len);
    }

    qsort(times, (size_t) count, sizeof(*times), compare);

    printf("%.1f %.1f\n", times[count / 2] * 1e6,
           times[count * 99 / 100] * 1e6);
    free(times);

    return 0;
}
