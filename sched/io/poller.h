/*
 * poller.h: where a worker waits for descriptors: the only interface to the
 * kernel's readiness events. poller_epoll.c implements it by epoll.
 *
 * Only changes (edges) are reported: a descriptor that becomes ready is
 * reported once, and again when it becomes ready anew. One that is ready when
 * it is added is reported. The kernel is given no address of the program's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_POLLER_H
#define SCHED_IO_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct poller;

/* The events of a descriptor. */
enum {
    POLLER_READ = 1,  /* there may be something to read            */
    POLLER_WRITE = 2, /* there may be room to write                */
    POLLER_ENDS = 4   /* the other side has closed, or it is broken: a reader
                         must go on until it reads the end                 */
};

struct poller_event {
    uint64_t key;
    unsigned what;
};

/* `bell`: a descriptor whose events only end a wait. Returns 0 or an errno. */
int moat_poller_open(struct poller **out, int bell);
void moat_poller_close(struct poller *poller);
/* A descriptor that can be read when there are events to be waited for: for a
 * poller of others. */
int moat_poller_descriptor(const struct poller *poller);

/* Adds a descriptor. Returns 0 or an errno: EPERM if it is one that is always
 * ready, such as a file. */
int moat_poller_add(struct poller *poller, int fd, uint64_t key);
/* It may be gone already. Any thread may do this. */
void moat_poller_remove(struct poller *poller, int fd);

/* Waits for events, at most until `deadline`, on CLOCK_MONOTONIC; UINT64_MAX:
 * for ever; 0: does not wait. Spurious ends of the wait are allowed. */
void moat_poller_wait(struct poller *poller, uint64_t deadline);
/* Takes the events of the last wait; they stay until the next. Those of the
 * bell are left out. */
const struct poller_event *moat_poller_take(struct poller *poller,
                                            size_t *count);

#endif
