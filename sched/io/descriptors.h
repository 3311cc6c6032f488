/*
 * descriptors.h: the file descriptors that tasks of a run have used, and who
 * waits for them.
 *
 * A task calls the system itself, on its own stack, and waits only if the
 * system would. Before it tries it notes how many edges the descriptor has had;
 * if there was another before the wait begins, the wait ends at once. So no
 * edge is lost, and a task that is stopped between the two leaves nothing.
 *
 * A descriptor is watched by one worker's poller, from the first wait on: that
 * of the worker whose task waits, if no other waits already.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_DESCRIPTORS_H
#define SCHED_IO_DESCRIPTORS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sched/run.h"
#include "sched/task.h"

enum {
    FD_KNOWN = 1,  /* it does not block; the flags below are right      */
    FD_SOCKET = 2, /* written by send(2), which raises no SIGPIPE       */
    FD_TCP = 4,    /* a read that is not full has read all there was... */
    FD_ENDS = 8    /* ...unless its end, or urgent data, has come       */
};

/* The directions of a wait. */
enum { SIDE_READ, SIDE_WRITE, SIDES };

/* Never moves and is never freed while the run lasts: tasks read the atomic
 * members without the run's lock. */
struct descriptor {
    _Atomic uint32_t edges[SIDES];
    _Atomic uint32_t flags;
    /* Counts the uses of the number, so that events of an earlier one are
     * recognised. */
    uint32_t use;
    struct worker *watcher; /* NULL: it is not in a poller */
    struct link waiters[SIDES];
    /* Called for its events instead of waking its waiters, while it belongs to
     * a wait (newcomer.h); otherwise NULL. `what` is a poller's. */
    void (*settle)(struct worker *worker, int fd, unsigned what);
};

#define FD_BLOCK  512u
#define FD_BLOCKS 4096u

/* Records never move, so a task may read its own while another worker makes
 * others. */
struct descriptors {
    _Atomic(struct descriptor *) blocks[FD_BLOCKS];
};

/* The record of a descriptor that does not block; makes one, and makes the
 * descriptor so, if the task is the first to use it. NULL: errno is set. */
struct descriptor *moat_descriptor_use(struct moat_task *task, int fd);
/* The same without a change of the descriptor. */
struct descriptor *moat_descriptor_find(struct moat_task *task, int fd);

/* How many edges it has had. To be read before the try that fails. */
static inline uint32_t edges_of(const struct descriptor *descriptor, int side)
{
    return atomic_load_explicit(&descriptor->edges[side], memory_order_acquire);
}

static inline uint32_t flags_of(const struct descriptor *descriptor)
{
    return atomic_load_explicit(&descriptor->flags, memory_order_acquire);
}

/* Waits for another edge than `edges` on one side, by the conventions of
 * read(2): false: errno is set. */
bool moat_descriptor_block(struct moat_task *task, struct descriptor *record,
                           int fd, int side, uint32_t edges, uint64_t deadline);
/* The same for either side. MOAT_E_UNSUPPORTED: it is always ready.
 * MOAT_E_SYSTEM: errno is set. */
moat_status moat_descriptor_wait(struct moat_task *task,
                                 struct descriptor *record, int fd,
                                 unsigned sides, const uint32_t edges[SIDES],
                                 uint64_t deadline);

/* A status of a wait as an errno. */
int moat_descriptor_errno(moat_status status);

/* ---- For operations, on the host's stack --------------------------------- */

/* The record; NULL: the number has none. Any thread. */
static inline struct descriptor *moat_descriptor_at(struct sched *run, int fd)
{
    struct descriptors *all =
        atomic_load_explicit(&run->descriptors, memory_order_acquire);
    struct descriptor *block;

    if (all == NULL || (unsigned)fd >= FD_BLOCK * FD_BLOCKS)
        return NULL;
    block = atomic_load_explicit(&all->blocks[(unsigned)fd / FD_BLOCK],
                                 memory_order_acquire);
    return block == NULL ? NULL : &block[(unsigned)fd % FD_BLOCK];
}
/* The record; makes the memory for it. NULL: errno is set. */
struct descriptor *moat_descriptor_record(struct sched *run, int fd);
/* A new descriptor has this number: forgets what an earlier one has left. */
struct descriptor *moat_descriptor_begin(struct worker *worker, int fd,
                                         uint32_t flags);
/* The descriptor is about to be closed: ends all waits for it. */
void moat_descriptor_forget(struct worker *worker, int fd);
/* Closes one: ends all waits for it, and for a free descriptor. Returns 0 or an
 * errno. */
int moat_descriptor_close(struct worker *worker, int fd);
/* Has its events told to the worker. Returns 0 or an errno. */
int moat_descriptor_watch(struct worker *worker, struct descriptor *record,
                          int fd);

/* Makes the worker's poller, unless it has one. Returns 0 or an errno. */
int moat_descriptors_open(struct worker *worker);
void moat_descriptors_free(struct sched *run);

#endif
