/*
 * clock.c: the time that deadlines are compared with.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <time.h>

#include "sched/ask.h"
#include "sched/clock.h"
#include "sched/wait.h"

static uint64_t monotonic(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t moat_clock_read(struct worker *worker)
{
    worker->now = worker->run->clock == MOAT_CLOCK_REAL
                      ? monotonic()
                      : atomic_load_explicit(&worker->run->test_now,
                                             memory_order_relaxed);
    return worker->now;
}

uint64_t moat_now(void)
{
    const struct worker *worker = moat_sched_worker;

    return worker != NULL && worker->run->clock == MOAT_CLOCK_TEST
               ? atomic_load_explicit(&worker->run->test_now,
                                      memory_order_relaxed)
               : monotonic();
}

static enum verdict until(struct worker *worker, struct moat_task *task)
{
    enum verdict verdict;

    (void)moat_sched_may_wait(worker, task, task->deadline, NULL, &verdict);
    return verdict;
}

static const struct op sleeps = {
    .perform = until, .words = "sleeps", .from_now = true};

static enum verdict last_in_line(struct worker *worker, struct moat_task *task)
{
    if (is_host(task))
        return answer(task, MOAT_E_STATE);
    task->status = MOAT_OK;
    moat_sched_defer_to_spawned(worker);
    enqueue(worker, task);
    return QUEUED;
}

static const struct op yields = {.perform = last_in_line, .words = "yields"};

moat_status moat_sleep(uint64_t ns)
{
    struct moat_task *task = asker();
    uint64_t now;

    if (task == NULL)
        return MOAT_E_STATE;
    if (ns == 0)
        return ask(task, &yields);
    now = moat_now();
    task->deadline = ns < MOAT_NO_DEADLINE - now ? now + ns : MOAT_NO_DEADLINE;
    return ask(task, &sleeps);
}

void moat_task_yield(void)
{
    struct moat_task *task = asker();

    if (task != NULL)
        (void)ask(task, &yields);
}
