/*
 * sched_calls.h: one call of each function of moat-sched, for the tables of
 * docs/states.md and docs/memory.md. None has to wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_DOCS_SCHED_CALLS_H
#define TESTS_DOCS_SCHED_CALLS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <moat/sched.h>

/* What the calls are made with. All zero: handles that are NULL. */
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
    int stream[2]; /* the first has a byte to read, and is written to */
    int listener;  /* with a connection */
    int datagrams; /* a socket for them */
    struct sockaddr_in address; /* the listener's */
    char port[8];               /* likewise       */
    pid_t child;                /* has ended      */
    bool is_null;
    volatile bool
        seen; /* another task has had its turn, or has ended its wait */
};

/* Makes them, in a task. */
void sched_things_make(struct things *things);

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
