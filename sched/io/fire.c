/*
 * fire.c: passes the events of a worker's poller to the tasks that wait.
 *
 * With thousands of connections, no part of one is in the caches when its event
 * comes: its record, task, coroutine and stack would be misses one after the
 * other. So they are prefetched for all events of a wait, in one pass for each
 * pointer on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/io/fire.h"
#include "sched/bells.h"
#include "sched/io/descriptors.h"
#include "sched/io/poller.h"
#include "sched/wait.h"

/* ---- Fetch -------------------------------------------------------------- */

/* Events that are fetched at a time. */
#define AHEAD 32

#define LINE_BYTES ((size_t)64)

/* A prefetch never faults. */
static void fetch(const void *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += LINE_BYTES)
        __builtin_prefetch((const char *)at + i, 1);
}

/* The first waiter of an event, a reader if there is one; NULL: none. */
static const struct waiter *waiter_for(const struct descriptor *record)
{
    const struct waiter *waiter = NULL;

    if (record != NULL) {
        waiter = first_of(&record->waiters[SIDE_READ]);
        if (waiter == NULL)
            waiter = first_of(&record->waiters[SIDE_WRITE]);
    }
    return waiter;
}

static void fetch_all(struct worker *worker, const struct poller_event *events,
                      size_t count)
{
    const struct descriptor *records[AHEAD];
    const struct waiter *waiters[AHEAD];
    const struct moat_task *tasks[AHEAD];

    for (size_t i = 0; i < count; i++) {
        records[i] =
            moat_descriptor_at(worker->run, (int)(uint32_t)events[i].key);
        fetch(records[i], sizeof *records[i]);
    }
    for (size_t i = 0; i < count; i++) {
        waiters[i] = waiter_for(records[i]);
        __builtin_prefetch(waiters[i]);
    }
    for (size_t i = 0; i < count; i++) {
        tasks[i] = waiters[i] != NULL ? waiters[i]->task : NULL;
        if (tasks[i] != NULL)
            fetch(tasks[i], offsetof(struct moat_task, result));
    }
    /* Tasks of other workers are left out: they change meanwhile. */
    for (size_t i = 0; i < count; i++) {
        if (tasks[i] != NULL && tasks[i]->home != worker)
            tasks[i] = NULL;
        if (tasks[i] != NULL)
            fetch(tasks[i]->top, sizeof(moat_co));
    }
    for (size_t i = 0; i < count; i++)
        if (tasks[i] != NULL)
            fetch((const void *)tasks[i]->top->sp, 4 * LINE_BYTES);
}

/* ---- Fire --------------------------------------------------------------- */

/* One edge may be enough for several tasks: all that wait try again. */
static void add_edge(struct worker *worker, struct descriptor *record, int side)
{
    atomic_fetch_add(&record->edges[side], 1);
    moat_sched_wake_all(worker, &record->waiters[side], MOAT_OK);
}

static void fire(struct worker *worker, const struct poller_event *event)
{
    int fd = (int)(uint32_t)event->key;
    struct descriptor *record = moat_descriptor_at(worker->run, fd);

    if (record == NULL || record->use != (uint32_t)(event->key >> 32))
        return;
    if ((event->what & POLLER_ENDS) != 0)
        atomic_fetch_or(&record->flags, FD_ENDS);
    if (record->settle != NULL) {
        record->settle(worker, fd, event->what);
        return;
    }
    if ((event->what & POLLER_READ) != 0)
        add_edge(worker, record, SIDE_READ);
    if ((event->what & POLLER_WRITE) != 0)
        add_edge(worker, record, SIDE_WRITE);
}

void moat_descriptors_fire(struct worker *worker)
{
    const struct poller_event *events;
    size_t count;

    if (worker->poller == NULL)
        return;
    events = moat_poller_take(worker->poller, &count);
    for (size_t i = 0; i < count; i++) {
        if (i % AHEAD == 0)
            fetch_all(worker, &events[i],
                      count - i < AHEAD ? count - i : AHEAD);
        fire(worker, &events[i]);
    }
}

void moat_descriptors_look(struct worker *worker)
{
    if (worker->poller == NULL)
        return;
    moat_poller_wait(worker->poller, 0);
    moat_descriptors_fire(worker);
}

void moat_descriptors_sleep(struct worker *worker, uint64_t deadline)
{
    bool has_rung = moat_bell_begin_polling(worker->bell);

    moat_poller_wait(worker->poller, has_rung ? 0 : deadline);
    moat_bell_end_polling(worker->bell);
}
