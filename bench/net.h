/*
 * What the programs of the bench share: blocking sockets on 127.0.0.1 with a
 * time limit.  They run in a bench, so an error ends the program.
 */

#ifndef BENCH_NET_H
#define BENCH_NET_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


/* Seconds without progress after which a connection counts as dead. */
#define BENCH_TIMEOUT  20


_Noreturn void bench_fail(const char *what, const char *detail);

/* Connected, TCP_NODELAY, with the time limit on reads and writes. */
int bench_connect(uint16_t port);
int bench_listen(uint16_t port);
void bench_nonblocking(int fd);

void bench_send(int fd, const void *data, size_t len);

/* At least one byte; 0 is the end. */
size_t bench_recv(int fd, void *data, size_t size);

/*
 * The head of an HTTP answer and what came after it: returns the bytes in buf,
 * *ret_head are the head's.  buf is ended by a zero byte.
 */
size_t bench_recv_head(int fd, char *buf, size_t size, size_t *ret_head);

double bench_now(void);     /* seconds, monotonic */

/* A number from min to max, or the program ends. */
long bench_number(const char *text, long min, long max);

/* Sleeps until standard input ends. */
void bench_hold(void);


#endif /* BENCH_NET_H */
