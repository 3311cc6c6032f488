/*
 * task.h: a task as the scheduler has it, and what it waits in.
 *
 * A function of the library that runs on a task's stack changes nothing that
 * others see, for it may be stopped at any instruction. It writes down what it
 * wants in its own task, yields, and the worker does it on the host's stack
 * (ask.h). So no queue is ever left half changed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_TASK_H
#define SCHED_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/sched.h>

#include "sched/list.h"

#define TASK_MAGIC  0x7461736bu
#define GONE_MAGIC  0x676f6e65u /* a task that was joined, or has no handle */
#define GROUP_MAGIC 0x67726f75u
#define CHAN_MAGIC  0x6368616eu

/* Items up to this size need no memory beside the task. */
#define ITEM_INLINE 16

struct descriptor;
struct worker;
struct kind;
struct locals;
struct op;

enum task_state {
    TASK_FREE,    /* in the pool                                        */
    TASK_READY,   /* in a run queue                                     */
    TASK_RUNNING, /* a worker's                                         */
    TASK_WAITING, /* until its waiters or its timer wake it             */
    TASK_ENDING,  /* its function has ended, its groups have not        */
    TASK_ENDED    /* its handle waits to be joined                      */
};

/* An entry in an object's queue of waiting tasks. */
struct waiter {
    struct link link;
    struct moat_task *task;
    moat_chan *chan; /* select: of this case                             */
    size_t bytes;    /* select: of its items                             */
    void *slot;      /* the item, in memory of the task's                */
    bool send;
};

/* The arguments of a call, by its operation. */
union wish {
    struct {
        moat_task_fn fn;
        void *arg;
        moat_group *group;
        uintptr_t caller;
        bool detached;
        bool has_options;   /* a struct asked_options lies in the room */
        moat_task *created; /* the answer                              */
    } spawn;
    struct {
        moat_task *task;
    } of_task;
    struct {
        moat_group *group; /* also the answer */
        unsigned flags;
    } of_group;
    struct {
        moat_chan *chan; /* also the answer */
        size_t item_bytes, capacity;
    } of_chan;
    struct {
        size_t count, chosen;
    } select;
    struct {
        size_t bytes;
    } room;
    struct {
        bool json;
        size_t length; /* the answer, in the room */
    } dump;
    struct {
        uint32_t magic;
        uint64_t count;
        struct moat_sync *object; /* the answer */
    } make;
    struct {
        int fd, error; /* also the answers; an errno */
        uint32_t edges[2];
        struct descriptor *record;
        size_t index;
    } of_fd;
    /* For objects of other files. */
    struct {
        void *object;
        uintptr_t value;
    } other;
};

struct moat_task {
    struct moat_task *next; /* in a run queue or the pool        */
    moat_co *top;           /* what is resumed: `co`, or a coroutine to which
                               the task's own code has transferred   */
    moat_co *co;            /* NULL: not started                 */
    moat_co *runner;        /* is kept with the task's memory (runner.h);
                               NULL: none                         */
    const struct op *op;    /* what it asks for, when it yields  */
    moat_status status;     /* the answer                        */
    union {
        struct {
            bool cancelled;  /* it must be unwound...             */
            bool over;       /* its function has ended            */
            bool sliced;     /* it may be interrupted anywhere    */
            bool migratable; /* by its options (move.h)          */
        };
        uint32_t obstacles; /* to a transfer to it; 0: none      */
    };
    uint8_t state;      /* enum task_state                   */
    bool unwinding;     /* it is being unwound               */
    bool satisfied;     /* its wait has ended as it wished   */
    bool members_first; /* it waits for its groups before it */
    bool detached;      /* it has no handle to join          */
    bool asks_slowly;   /* not by a yield of its own: ask.c  */
    bool connected;     /* a connection ends with it         */
    bool moves;         /* and the run has several threads   */
    bool stays;         /* until its next turn has ended     */
    bool plain;         /* a runner may run it (runner.h)    */
    int error;          /* its errno, if it is migratable    */
    uint32_t magic;
    struct worker *home;    /* in whose queues it is; NULL: none's yet */
    struct worker *owner;   /* of its coroutine: whose thread has it   */
    struct worker *spawner; /* until it starts                         */
    uint64_t place;         /* in the line of its home                 */
    union wish wish;

    uint64_t deadline; /* of the wait                            */
    uint64_t timer;    /* the deadline, if it is set; 0: none    */
    uint64_t entry;    /* among the timers (timers.h); 0: none   */
    struct waiter *waiters;
    size_t waiter_count;
    struct waiter waiter;
    const struct op *waits_in; /* for reports */
    const void *waits_for;
    uint64_t since;
    uint64_t ready_since;   /* by the clock of who let it run */
    const char *watched_in; /* the wait before its next turn, if watched */
    uint64_t dumped;        /* the last gathered dump that it is in */

    void *slot; /* the item that goes or comes */
    void *room; /* more of it                  */
    size_t room_bytes;
    _Alignas(16) unsigned char small[ITEM_INLINE];

    struct moat_group *group;
    struct link member;      /* of the group               */
    struct link groups;      /* that it has opened         */
    struct link joiners;     /* one waiter at most         */
    struct link everyone;    /* of the scheduler's tasks   */
    struct link holds;       /* locks, the last one last   */
    struct hold *spare_hold; /* for a lock to read; NULL: none */
    struct locals *locals;   /* its values; NULL: none                     */
    struct locals *heir;     /* those of a task that it is about to spawn  */

    /* For descriptors: the calls since the last wait; the last descriptor that
     * it has read empty, and that one's edges then (io/read.c). */
    int connection; /* if it is connected, and the record's use then */
    uint32_t connection_use;
    unsigned io_calls;
    uint32_t drained_edges;
    const struct descriptor *drained;

    moat_task_fn fn;
    void *arg;
    struct kind *kind; /* its options, until it starts */
    uintptr_t creator; /* where it was spawned         */
    uint64_t number;
    char name[24];
    moat_result result; /* its own when it has ended; before, that of a task
                           that it has joined */
};

/* Who is told of a group that is not the program's: a supervisor. */
struct group_guard {
    /* A task has left it. True: cancels the others. */
    bool (*left)(struct worker *, struct moat_group *,
                 const struct moat_task *);
    /* The owner has ended. The group is not freed. */
    void (*release)(struct moat_group *);
};

struct moat_group {
    uint32_t magic;
    unsigned flags;
    bool cancelled;
    bool failed;
    struct moat_task *owner;         /* NULL: the first group          */
    const struct group_guard *guard; /* NULL: none */
    struct link opened;              /* among the owner's groups       */
    struct link members;
    size_t live;
    struct link waiters;
    moat_result failure;
};

struct moat_chan {
    uint32_t magic;
    bool closed;
    size_t item_bytes, capacity, count, head;
    struct link senders, receivers;
    /* The run that its waiters belong to; NULL: none wait. */
    const struct sched *run;
    _Alignas(16) unsigned char items[];
};

#endif
