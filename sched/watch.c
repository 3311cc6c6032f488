/*
 * watch.c: how long tasks run, and how long they wait for their turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "sched/clock.h"
#include "sched/trace.h"
#include "sched/watch.h"

void moat_times_begin(struct worker *worker, struct moat_task *task)
{
    struct watch *watch = &worker->watch;
    uint64_t now = moat_clock_read(worker);

    watch->begun = now;
    watch->number = task->number;
    memcpy(watch->name, task->name, sizeof watch->name);
    /* Another thread's clock may be a little ahead. */
    moat_counters_delay(&worker->counters,
                        now > task->ready_since ? now - task->ready_since : 0);
    if (worker->trace != NULL)
        moat_events_begin(worker, task);
    task->watched_in = NULL;
}

void moat_times_end(struct worker *worker)
{
    uint64_t ns = worker->now - worker->watch.begun;

    if (ns > counter_read(&worker->counters, COUNT_LONGEST_RUN))
        counter_set(&worker->counters, COUNT_LONGEST_RUN, ns);
    if (worker->trace != NULL)
        moat_events_turn(worker);
}
