/*
 * debug.c: the runs of the process, and the table by which debuggers find their
 * tasks. docs/debugging.md lists its entries.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/sched_debug.h>

#include "sched/ask.h"
#include "sched/debug.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sched *runs;

void moat_runs_add(struct sched *run)
{
    (void)pthread_mutex_lock(&lock);
    run->next_run = runs;
    runs = run;
    (void)pthread_mutex_unlock(&lock);
}

void moat_runs_remove(struct sched *run)
{
    struct sched **at = &runs;

    (void)pthread_mutex_lock(&lock);
    while (*at != run)
        at = &(*at)->next_run;
    *at = run->next_run;
    (void)pthread_mutex_unlock(&lock);
}

/* clang-format off */
#define NUMBER(label, what)  {label, {.number = (what)}}
#define ADDRESS(label, what) {label, {.address = (what)}}
/* clang-format on */

#define RUN(label, field) NUMBER("run." label, offsetof(struct sched, field))
#define WORKER(label, field) \
    NUMBER("worker." label, offsetof(struct worker, field))
#define TASK(field) NUMBER("task." #field, offsetof(struct moat_task, field))
#define OP(field)   NUMBER("op." #field, offsetof(struct op, field))

/* Debuggers read these fields as one, four or eight bytes. */
#define WIDTH(type, field, bytes)                         \
    _Static_assert(sizeof(((type *)0)->field) == (bytes), \
                   #field ": debuggers read another width");
WIDTH(struct sched, threads, 4)
WIDTH(struct worker, now, 8)
WIDTH(struct moat_task, state, 1)
WIDTH(struct moat_task, cancelled, 1)
WIDTH(struct moat_task, over, 1)
WIDTH(struct moat_task, since, 8)
WIDTH(struct moat_task, number, 8)
WIDTH(struct moat_task, creator, 8)
WIDTH(struct moat_task, name, 24)
WIDTH(struct op, for_task, 1)

const struct moat_debug_entry moat_sched_debug[] = {
    NUMBER("version", MOAT_SCHED_DEBUG_VERSION),
    ADDRESS("runs", &runs),

    RUN("next", next_run),
    RUN("threads", threads),
    RUN("workers", workers),
    RUN("tasks", everyone),
    NUMBER("worker.bytes", sizeof(struct worker)),
    WORKER("now", now),

    TASK(everyone),
    TASK(number),
    TASK(name),
    TASK(state),
    TASK(cancelled),
    TASK(over),
    TASK(co),
    TASK(top),
    TASK(home),
    TASK(waits_in),
    TASK(waits_for),
    TASK(since),
    TASK(creator),
    OP(words),
    OP(for_task),

    NUMBER("state.ready", TASK_READY),
    NUMBER("state.running", TASK_RUNNING),
    NUMBER("state.waiting", TASK_WAITING),
    NUMBER("", 0),
};
