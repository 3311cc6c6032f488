/*
 * move.c: migratable tasks, which another worker may take.
 *
 * The C++ runtime is a weak symbol: a program in C has none. Source of the
 * layout: the C++ ABI for Itanium, Exception Handling, 2.2.2, where it is
 * fixed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "sched/move.h"
#include "sched/wait.h"

#define PATROL_NS 1000000

#define NOT_SEEN UINT64_MAX

struct __cxa_eh_globals {
    void *caught;
    unsigned uncaught;
};

__attribute__((weak)) struct __cxa_eh_globals *__cxa_get_globals(void);

static bool has_exceptions(void)
{
    const struct __cxa_eh_globals *globals =
        __cxa_get_globals != NULL ? __cxa_get_globals() : NULL;

    return globals != NULL &&
           (globals->caught != NULL || globals->uncaught != 0);
}

static size_t movable_of(const struct worker *worker)
{
    return atomic_load_explicit(&worker->movable.count, memory_order_relaxed);
}

/* The worker with most tasks to take. The caller's own has none. */
static struct worker *busiest(const struct sched *run)
{
    struct worker *found = &run->workers[0];

    for (unsigned i = 1; i < run->threads; i++)
        if (movable_of(&run->workers[i]) > movable_of(found))
            found = &run->workers[i];
    return found;
}

static uint64_t switches_of(const struct worker *worker)
{
    return counter_read(&worker->counters, COUNT_SWITCHES);
}

/* Between two turns the worker has the lock: another one that sees a `next`
 * sees it in the middle of a turn. */
static bool next_may_move(const struct worker *worker)
{
    return worker->next != NULL && move_allowed(worker->next);
}

/* Takes a task that was woken in a turn that has lasted since a patrol saw it;
 * NULL: there is none. */
static struct moat_task *take_next(struct sched *run)
{
    struct moat_task *task = NULL;

    for (unsigned i = 0; i < run->threads && task == NULL; i++) {
        struct worker *worker = &run->workers[i];

        if (next_may_move(worker) && worker->seen_at == switches_of(worker)) {
            task = worker->next;
            worker->next = NULL;
        }
    }
    return task;
}

bool moat_move_offered(const struct worker *worker)
{
    return movable_of(busiest(worker->run)) != 0;
}

static struct moat_task *take_from(struct worker *victim)
{
    struct moat_task *task = queue_take(&victim->movable);

    if (task == NULL)
        return NULL;
    queue_change(&victim->ready, (size_t)-1);
    if (victim->movable.first != NULL)
        moat_sched_ring_one(victim->run);
    return task;
}

struct moat_task *moat_move_steal(struct worker *worker)
{
    struct sched *run = worker->run;
    struct moat_task *task = take_from(busiest(run));

    if (task == NULL)
        task = take_next(run);
    if (task == NULL)
        return NULL;
    task->home = worker;
    if (run->keeper == NULL && run->timers.armed != 0)
        moat_sched_ring_one(run); /* this one has kept the time, perhaps */
    return task;
}

/* ---- Patrols ------------------------------------------------------------- */

void moat_move_woken(struct worker *worker)
{
    struct sched *run = worker->run;

    worker->seen_at = NOT_SEEN;
    if (run->patrolled || run->asleep == 0)
        return;
    run->patrolled = true;
    moat_sched_ring_one(run);
}

uint64_t moat_move_patrol(const struct worker *worker)
{
    struct sched *run = worker->run;
    struct timespec now;

    run->patrolled = false;
    for (unsigned i = 0; i < run->threads; i++) {
        struct worker *other = &run->workers[i];

        if (!next_may_move(other))
            continue;
        other->seen_at = switches_of(other);
        run->patrolled = true;
    }
    if (!run->patrolled)
        return MOAT_NO_DEADLINE;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           PATROL_NS;
}

/* ---- Turns --------------------------------------------------------------- */

bool moat_move_arrive(struct worker *worker, struct moat_task *task)
{
    moat_status status;

    run_unlock(worker->run);
    status = moat_co_adopt(task->co);
    run_lock(worker->run);
    if (status == MOAT_OK) {
        task->owner = worker;
        count(&worker->counters, COUNT_MOVED);
        return true;
    }
    task->stays = true;
    task->home = task->owner;
    enqueue(worker, task);
    return false;
}

void moat_move_enter(const struct moat_task *task)
{
    errno = task->error;
}

void moat_move_leave(struct moat_task *task, const moat_event *event)
{
    task->error = errno;
    task->stays = event->kind == MOAT_EVENT_PREEMPT || has_exceptions();
}
