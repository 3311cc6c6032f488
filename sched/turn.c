/*
 * turn.c: the loop that runs tasks, turn by turn.
 *
 * The loop resumes tasks in its own frame, with no call and no return between
 * one resume and the next. The CPU predicts returns from its own stack of
 * calls, on which it would find the task's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/turn.h"
#include "sched/ask.h"
#include "sched/group.h"
#include "sched/idle.h"
#include "sched/io/fire.h"
#include "sched/life.h"
#include "sched/wait.h"
#include "sched/waker.h"

/* Calls that a task may make in one turn, if it need not wait for them. */
#define PER_TURN 64

/* Turns between two looks at the clock. */
#define PER_ROUND 61

/* Turns of tasks that were just woken, while others are in the queue. */
#define MOST_IN_A_ROW 32

static void *main_of(moat_co *self, void *input)
{
    struct moat_task *task = input;

    (void)self;
    return task->fn(task->arg);
}

/* While a task runs the worker has no lock. */
static inline moat_status resume(struct worker *worker, moat_co *co,
                                 void *input, moat_event *event)
{
    moat_status status;

    run_unlock(worker->run);
    status = moat_co_resume(co, input, event);
    run_lock(worker->run);
    return status;
}

/* From here on the task is this worker's: a coroutine belongs to its thread. */
static moat_status start(struct worker *worker, struct moat_task *task,
                         moat_event *event)
{
    moat_status status;

    task->home = worker;
    run_unlock(worker->run);
    status = moat_co_create_from(&task->co, task->kind->spec, main_of, task);
    if (status == MOAT_OK) {
        task->top = task->co;
        status = moat_co_resume(task->co, task, event);
    }
    run_lock(worker->run);
    task->kind->users--;
    task->kind = NULL;
    return status;
}

static moat_status cancel(struct worker *worker, struct moat_task *task,
                          moat_event *event)
{
    moat_status status;

    task->unwinding = true;
    task->top = task->co;
    run_unlock(worker->run);
    status = moat_co_cancel(task->co, event);
    run_lock(worker->run);
    return status;
}

/* False: the task is not to be resumed, or has ended. */
static bool unwind(struct worker *worker, struct moat_task *task,
                   moat_status *status, moat_event *event)
{
    if (task->co == NULL) {
        task->home = worker;
        task->kind->users--;
        moat_life_end(worker, task, MOAT_EVENT_CANCELLED, NULL, MOAT_OK);
        return false;
    }
    task->members_first = moat_groups_await(worker, task);
    if (task->members_first)
        return false;
    *status = cancel(worker, task, event);
    return true;
}

static bool enter(struct worker *worker, struct moat_task *task,
                  moat_status *status, moat_event *event)
{
    if (MOAT_UNLIKELY(task->over)) {
        if (!moat_groups_await(worker, task))
            moat_life_finish(worker, task);
        return false;
    }
    if (MOAT_UNLIKELY(task->cancelled) && !task->unwinding &&
        (!task->satisfied || task->members_first))
        return unwind(worker, task, status, event);
    task->satisfied = false;
    *status = MOAT_UNLIKELY(task->co == NULL)
                  ? start(worker, task, event)
                  : resume(worker, task->top, NULL, event);
    return true;
}

/* The event of a coroutine to which the task's own has transferred, and which
 * has ended: the task's own goes on. */
static bool is_helpers_return(const struct moat_task *task,
                              const moat_event *event)
{
    return event->kind == MOAT_EVENT_RETURN && event->co != task->co;
}

/* Handles an event that is not a wish. */
static void judge(struct worker *worker, struct moat_task *task,
                  const moat_event *event)
{
    switch (event->kind) {
    case MOAT_EVENT_RETURN:
        if (task->unwinding)
            moat_life_end(worker, task, MOAT_EVENT_CANCELLED, NULL, MOAT_OK);
        else
            moat_life_end(worker, task, MOAT_EVENT_RETURN, event->value,
                          MOAT_OK);
        break;
    case MOAT_EVENT_TRAP:
        moat_life_trap(worker, task, event->co);
        break;
    case MOAT_EVENT_PANIC:
        moat_life_end(worker, task, MOAT_EVENT_PANIC, event->value, MOAT_OK);
        break;
    case MOAT_EVENT_YIELD:
    case MOAT_EVENT_PREEMPT:
    case MOAT_EVENT_CANCELLED:
    default:
        enqueue(worker, task);
        break;
    }
}

/* Performs what the task asks for. True: it goes on at once. */
static bool perform(struct worker *worker, struct moat_task *task,
                    unsigned *left)
{
    if (task->op->perform(worker, task) == QUEUED)
        return false;
    if (MOAT_LIKELY(--*left != 0))
        return true;
    if (task->op->is_part) { /* the object of the call must still be there */
        *left = 1;
        return true;
    }
    task->satisfied = is_gain(task->status);
    enqueue(worker, task);
    return false;
}

static inline void turn(struct worker *worker, struct moat_task *task)
{
    moat_event event = {MOAT_EVENT_YIELD, NULL, NULL};
    moat_status status = MOAT_OK;
    unsigned left = PER_TURN;

    task->state = TASK_RUNNING;
    worker->running = task;
    if (!enter(worker, task, &status, &event)) {
        worker->running = NULL;
        return;
    }
    for (;;) {
        worker->run->stats.switches++;
        if (MOAT_UNLIKELY(status != MOAT_OK)) {
            moat_life_end(worker, task, MOAT_EVENT_CANCELLED, NULL, status);
            break;
        }
        task->top = event.co;
        if (MOAT_LIKELY(event.kind == MOAT_EVENT_YIELD &&
                        event.value == &task->op)) {
            if (!perform(worker, task, &left))
                break;
            status = resume(worker, task->top, NULL, &event);
        } else if (is_helpers_return(task, &event)) {
            status = resume(worker, task->co, event.value, &event);
        } else {
            judge(worker, task, &event);
            break;
        }
    }
    worker->running = NULL;
}

/* Tasks that have not started have every other turn, on any thread. */
static bool take_fresh(struct worker *worker)
{
    if (worker->run->fresh.first == NULL)
        return false;
    worker->took_fresh = !worker->took_fresh || worker->ready.first == NULL;
    return worker->took_fresh;
}

/* The one that was just woken goes before the queue, but not for ever. */
static struct moat_task *dequeue(struct worker *worker)
{
    struct moat_task *task = worker->next;

    if (task != NULL) {
        worker->next = NULL;
        if (worker->ready.first == NULL || ++worker->in_a_row < MOST_IN_A_ROW)
            return task;
        enqueue(worker, task);
    }
    worker->in_a_row = 0;
    return take_fresh(worker) ? queue_take(&worker->run->fresh)
                              : queue_take(&worker->ready);
}

static void look_around(struct worker *worker)
{
    moat_wakers_look(worker);
    moat_descriptors_look(worker);
    moat_idle_fire(worker);
}

void moat_turns(struct worker *worker)
{
    struct sched *run = worker->run;
    unsigned turns = 0;

    run_lock(run);
    while (run->live != 0) {
        struct moat_task *task = dequeue(worker);

        if (MOAT_UNLIKELY(task == NULL)) {
            moat_idle(worker);
            continue;
        }
        if (MOAT_UNLIKELY(++turns % PER_ROUND == 0))
            look_around(worker);
        turn(worker, task);
    }
    for (unsigned i = 0; i < run->threads; i++)
        moat_sched_ring(&run->workers[i]);
    run_unlock(run);
}
