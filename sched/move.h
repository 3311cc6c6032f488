/*
 * move.h: migratable tasks, which another worker may take.
 *
 * Those that can run are in a queue of their own beside the worker's others. A
 * worker with nothing to do takes the one that has waited longest from the
 * worker that has most of them. What was woken by the task that runs is not in
 * the queue but the worker's `next`, since the two exchange something. It is
 * taken only if that task keeps its turn: idle workers patrol, one wake-up in
 * PATROL_NS at most, as long as there is a `next` to watch.
 *
 * The coroutine changes its thread when the task has its next turn
 * (moat_co_adopt). Between two turns the worker keeps the task's errno. A task
 * may only leave from a call that waits or yields: then the compiler knows of
 * the call. One stays until its next turn has ended
 *   - if its time slice has ended, as it may be anywhere;
 *   - while a C++ exception is handled or in flight on the thread, since the
 *     runtime keeps a list of these for each thread;
 *   - while another coroutine runs in its stead (moat_co_switch_to);
 * and for ever once it is being unwound.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_MOVE_H
#define SCHED_MOVE_H

#include <stdbool.h>

#include "sched/run.h"
#include "sched/task.h"

/* Returns whether another worker may take the task, when it can run. */
static inline bool move_allowed(const struct moat_task *task)
{
    return task->moves && !task->stays && !task->unwinding && !task->over &&
           task->top == task->co;
}

/* Returns whether another worker has a task to take. */
bool moat_move_offered(const struct worker *worker);

/* Returns until when the worker, which has nothing to do, should sleep at most,
 * on CLOCK_MONOTONIC, because another worker's `next` waits. */
uint64_t moat_move_patrol(const struct worker *worker);

/* Takes a task of another worker; NULL: there is none to take. */
struct moat_task *moat_move_steal(struct worker *worker);

/* Its coroutine becomes this worker's. False: it cannot; the task is in its
 * owner's queue again. */
bool moat_move_arrive(struct worker *worker, struct moat_task *task);

/* Around the time that a migratable task runs, without the run's lock. */
void moat_move_enter(const struct moat_task *task);
void moat_move_leave(struct moat_task *task, const moat_event *event);

#endif
