/*
 * Standard output of a process that must not stand still: it may be a pipe
 * that nobody reads, or a terminal that was stopped.  What can't be written at
 * once is kept, up to a limit.  Once the other end is gone all is thrown away.
 *
 * A pipe or terminal is opened anew for that: to make descriptor 1 itself
 * non-blocking would do it to whoever else has it, a shell for one.
 */

#ifndef INLETS_OUTPUT_H
#define INLETS_OUTPUT_H


#include <stdbool.h>
#include <stddef.h>


#define INLETS_OUTPUT_MAX  (64 * 1024)      /* kept, or written at once */


struct uv_loop_s;


/*
 * False: there is no room now, and nothing was taken.  len is at most
 * INLETS_OUTPUT_MAX.
 */
bool inlets_output_write(const char *buf, size_t len);

/* Nothing is kept: a write would go out at once, or begin to. */
bool inlets_output_is_clear(void);

/*
 * What is kept is written as soon as it can be.  Without a loop this happens
 * with the next write.
 */
void inlets_output_attach(struct uv_loop_s *loop);

/* Waits for the last of it, for a moment; the loop has to run once more. */
void inlets_output_detach(void);


#endif /* INLETS_OUTPUT_H */
