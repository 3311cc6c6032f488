/*
 * sched_calls.h: one call of each function of moat-sched, for the tables of
 * docs/states.md and docs/memory.md. None has to wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_DOCS_SCHED_CALLS_H
#define TESTS_DOCS_SCHED_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/sched.h>

/* The arguments of the calls. All zero: handles that are NULL. */
struct things {
    moat_chan *chan;  /* with one item and room for another */
    moat_chan *empty; /* at which a task waits              */
    moat_group *group;
    moat_task *ended;
    moat_mutex free, held;
    moat_rwlock unlocked, locked;
    moat_cond cond;
    moat_semaphore semaphore;    /* with two permits       */
    moat_wait_group none, one;   /* how many it waits for  */
    moat_waker *waker;           /* woken                  */
    moat_monitor *monitor;       /* without a run          */
    moat_local local;            /* with a value           */
    moat_supervisor *supervisor; /* with a child that has not started */
    moat_sched *sched;           /* of another thread */
    int socket, listener, fresh; /* as sched_io_make says            */
    uint16_t port;               /* of the listener                  */
    bool is_null;
    volatile bool
        seen; /* another task has had its turn, or has ended its wait */
};

/* Makes them, in a task. */
void sched_things_make(struct things *things);
/* Makes those of sched_io_calls.c. */
void sched_io_make(struct things *things);

/* X(function, KiB): the calls in sched_io_calls.c. */
/* clang-format off */
#define SCHED_IO_CALLS(X)                                                      \
    X(fd_wait, 8) X(read, 8) X(write, 8) X(close, 8) X(accept, 8)              \
    X(readv, 8) X(writev, 8) X(accept_refusing, 8) X(accept_spawn, 8)          \
    X(listen_tcp, 8) X(dial_tcp, 8) X(connect, 8) X(recvfrom, 8) X(sendto, 8)  \
    X(child_wait, 8) X(signal_wait, 8) X(offload, 8) X(offload_until, 8)
/* clang-format on */
#define SCHED_IO_CALL(function, kib) \
    const char *make_##function(struct things *things);
SCHED_IO_CALLS(SCHED_IO_CALL)

struct sched_call {
    const char *name;
    size_t kib; /* of stack that it needs */
    /* Makes the call. Returns the effect, as the table states it; NULL: it is
     * `effect` if things->seen is true once other tasks have had turns. */
    const char *(*make)(struct things *things);
    const char *effect;
};

extern const struct sched_call sched_calls[];
extern const size_t sched_call_count;

#endif
