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
#include "sched/clock.h"
#include "sched/gather.h"
#include "sched/group.h"
#include "sched/idle.h"
#include "sched/io/fire.h"
#include "sched/life.h"
#include "sched/move.h"
#include "sched/runner.h"
#include "sched/step.h"
#include "sched/wait.h"
#include "sched/waker.h"
#include "sched/watch.h"

/* Returns the address in the function's own frame: that of the library, unless
 * a task has overwritten the frame. */
static inline __attribute__((always_inline)) const void *return_address(void)
{
    __asm__ volatile("" ::: "memory");
    return __builtin_return_address(0);
}

/* Nothing on the stack but the return address counts after a task: the next one
 * must not be the victim of what one has overwritten. */
static void *main_of(moat_co *self, void *input)
{
    struct moat_task *task = input;
    void *value;

    (void)self;
    moat_sched_worker->root = return_address();
    do {
        struct worker *worker;

        value = task->fn(task->arg);
        worker = moat_sched_worker;
        if (!runner_can_end(worker) || return_address() != worker->root)
            break;
        task = runner_end(worker, value);
    } while (task != NULL);
    return value;
}

/* While a task runs the worker has no lock. One that is migratable makes no
 * steps, so that it comes back itself. Any other may be gone afterwards, and
 * its memory another one's. */
static inline __attribute__((always_inline)) moat_status
resume(struct worker *worker, moat_co *co, void *input, moat_event *event)
{
    struct moat_task *task = worker->running;
    bool migratable = task->migratable;
    moat_status status;

    run_unlock(worker->run);
    if (MOAT_UNLIKELY(migratable))
        moat_move_enter(task);
    status = moat_co_resume(co, input, event);
    if (MOAT_UNLIKELY(migratable))
        moat_move_leave(task, event);
    run_lock(worker->run);
    return status;
}

static inline __attribute__((always_inline)) moat_status
find_co(struct moat_task *task, const struct kind *kind)
{
    if (!task->plain || task->runner == NULL)
        return moat_co_create_from(&task->co, kind->spec, main_of, task);
    task->co = task->runner;
    return MOAT_OK;
}

/* From here on the task is this worker's, unless it is migratable: a coroutine
 * belongs to its thread. */
static inline __attribute__((always_inline)) moat_status
start(struct worker *worker, struct moat_task *task, moat_event *event)
{
    struct kind *kind = task->kind;
    bool migratable = task->migratable;
    moat_status status;

    task->home = task->owner = worker;
    task->kind = NULL;
    run_unlock(worker->run);
    status = find_co(task, kind);
    if (status == MOAT_OK) {
        task->top = task->co;
        if (MOAT_UNLIKELY(migratable))
            moat_move_enter(task);
        status = moat_co_resume(task->co, task, event);
        if (MOAT_UNLIKELY(migratable))
            moat_move_leave(task, event);
    }
    run_lock(worker->run);
    kind_release(worker->run->kinds, kind);
    return status;
}

static moat_status cancel(struct worker *worker, struct moat_task *task,
                          moat_event *event)
{
    moat_status status;

    task->unwinding = true;
    task->top = task->co;
    run_unlock(worker->run);
    if (task->migratable)
        moat_move_enter(task);
    status = moat_co_cancel(task->co, event);
    if (task->migratable)
        moat_move_leave(task, event);
    run_lock(worker->run);
    return status;
}

/* False: the task is not to be resumed, or has ended. */
static bool unwind(struct worker *worker, struct moat_task *task,
                   moat_status *status, moat_event *event)
{
    if (task->co == NULL) {
        task->home = worker;
        kind_release(worker->run->kinds, task->kind);
        moat_life_end(worker, task, MOAT_EVENT_CANCELLED, NULL, MOAT_OK);
        return false;
    }
    task->members_first = moat_groups_await(worker, task);
    if (task->members_first)
        return false;
    *status = cancel(worker, task, event);
    return true;
}

static inline __attribute__((always_inline)) bool enter(struct worker *worker,
                                                        struct moat_task *task,
                                                        moat_status *status,
                                                        moat_event *event)
{
    if (MOAT_UNLIKELY(task->over)) {
        if (!moat_groups_await(worker, task))
            moat_life_finish(worker, task);
        return false;
    }
    if (MOAT_UNLIKELY(task->owner != worker) && task->co != NULL &&
        !moat_move_arrive(worker, task))
        return false;
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
static void judge(struct worker *worker, const moat_event *event)
{
    struct moat_task *task;

    /* This also finds out which task has trapped in a transfer. */
    if (event->kind == MOAT_EVENT_TRAP && worker->in_place)
        moat_step_settle(worker, event->co);
    task = worker->running;
    task->top = event->co;
    switch (event->kind) {
    case MOAT_EVENT_RETURN: /* it was unwound */
        moat_life_end(worker, task, MOAT_EVENT_CANCELLED, NULL, MOAT_OK);
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
        moat_sched_defer_to_spawned(worker);
        enqueue(worker, task);
        break;
    }
}

/* Performs what the task asks for. True: it goes on at once. */
static inline __attribute__((always_inline)) bool
perform(struct worker *worker, struct moat_task *task)
{
    if (task->op->perform(worker, task) == QUEUED)
        return false;
    if (MOAT_LIKELY(--worker->left != 0))
        return true;
    if (task->op->is_part) { /* the object of the call must still be there */
        worker->left = 1;
        return true;
    }
    task->satisfied = is_gain(task->status);
    moat_sched_defer_to_spawned(worker);
    enqueue(worker, task);
    return false;
}

static inline void leave_turn(struct worker *worker)
{
    worker->running = NULL;
    worker->may_step = false;
}

/* `watched` is a constant: a run that is not watched has a loop without that.
 * So there are two loops, and what resumes tasks has to be inline in both. */
static inline __attribute__((always_inline)) void
turn(struct worker *worker, struct moat_task *task, bool watched)
{
    moat_event event = {MOAT_EVENT_YIELD, NULL, NULL};
    moat_status status = MOAT_OK;

    task->state = TASK_RUNNING;
    worker->running = task;
    worker->left = MAX_CALLS;
    worker->step.kind = STEP_NONE; /* a transfer to one that has ended */
    worker->may_step = worker->in_place && !task->sliced && !task->migratable;
    if (watched)
        moat_times_begin(worker, task);
    if (!enter(worker, task, &status, &event)) {
        leave_turn(worker);
        return;
    }
    for (;;) {
        count(&worker->counters, COUNT_SWITCHES);
        task = worker->running; /* others have had their turns since, perhaps */
        if (watched)
            (void)moat_clock_read(worker);
        if (MOAT_UNLIKELY(status != MOAT_OK)) {
            moat_life_end(worker, task, MOAT_EVENT_CANCELLED, NULL, status);
            break;
        }
        if (MOAT_LIKELY(event.kind == MOAT_EVENT_YIELD &&
                        event.value == &task->op)) {
            task->top = event.co;
            if (!perform(worker, task)) {
                if (watched)
                    moat_times_wait(task);
                break;
            }
            status = resume(worker, task->top, NULL, &event);
        } else if (MOAT_LIKELY(event.kind == MOAT_EVENT_RETURN &&
                               event.co == task->co && !task->unwinding)) {
            moat_life_end(worker, task, MOAT_EVENT_RETURN, event.value,
                          MOAT_OK);
            break;
        } else if (is_helpers_return(task, &event)) {
            status = resume(worker, task->co, event.value, &event);
        } else {
            judge(worker, &event);
            break;
        }
    }
    leave_turn(worker);
    if (watched)
        moat_times_end(worker);
}

/* Tasks that have not started come before others, but not for ever. On several
 * threads they have every other turn: a thread that is idle may take them. */
static struct moat_task *take_fresh(struct worker *worker)
{
    unsigned most = worker->run->threads > 1 ? 1 : MAX_IN_A_ROW;

    if (list_empty(&worker->run->fresh))
        return NULL;
    if (has_ready(worker) && worker->fresh_in_a_row >= most) {
        worker->fresh_in_a_row = 0;
        return NULL;
    }
    worker->fresh_in_a_row++;
    return moat_sched_take_fresh(worker->run);
}

/* The one that was just woken goes before the queue, but not for ever. */
static inline __attribute__((always_inline)) struct moat_task *
dequeue(struct worker *worker)
{
    struct moat_task *task = worker->next;

    worker->spawned = NULL;
    if (task != NULL) {
        worker->next = NULL;
        if (!others_ready(worker) || ++worker->in_a_row < MAX_IN_A_ROW)
            return task;
        enqueue(worker, task);
    }
    worker->in_a_row = 0;
    task = take_fresh(worker);
    if (task == NULL)
        task = take_ready(worker);
    return task != NULL || MOAT_LIKELY(worker->run->threads == 1)
               ? task
               : moat_move_steal(worker);
}

#define LINE_BYTES ((size_t)64)
/* Of a stack, around where a task that waits has left it. */
#define LINES_BELOW   ((size_t)2)
#define FETCHED_LINES ((size_t)8)

/* With thousands of tasks the memory of none is in a near cache when its turn
 * comes. So the stack of the next task is fetched during this one's turn, and
 * the record that leads to it in the turn before. A prefetch never faults. */
static inline __attribute__((always_inline)) void
fetch_next(const struct worker *worker)
{
    const struct moat_task *next = worker->ready.first;
    uintptr_t lowest;

    if (MOAT_LIKELY(next == NULL))
        return;
    if (next->top != NULL) {
        lowest = next->top->sp - LINES_BELOW * LINE_BYTES;
        for (size_t line = 0; line < FETCHED_LINES; line++)
            __builtin_prefetch((const void *)(lowest + line * LINE_BYTES), 1);
    }
    if (next->next != NULL)
        __builtin_prefetch(next->next->top, 1);
}

static void look_around(struct worker *worker)
{
    moat_wakers_look(worker);
    moat_gather_look(worker);
    moat_descriptors_look(worker);
    moat_idle_fire(worker);
}

static inline __attribute__((always_inline)) void turns(struct worker *worker,
                                                        bool watched)
{
    struct sched *run = worker->run;

    worker->in_place = !run->locked && !watched;
    worker->until_round = TURNS_PER_ROUND;
    while (run->live != 0) {
        struct moat_task *task = dequeue(worker);

        if (MOAT_UNLIKELY(task == NULL)) {
            moat_idle(worker);
            continue;
        }
        if (MOAT_UNLIKELY(--worker->until_round == 0)) {
            worker->until_round = TURNS_PER_ROUND;
            look_around(worker);
        }
        if (MOAT_UNLIKELY(worker->movable.first != NULL))
            moat_sched_ring_one(run); /* to take it, while this turn lasts */
        fetch_next(worker);
        turn(worker, task, watched);
    }
}

void moat_turns(struct worker *worker)
{
    struct sched *run = worker->run;

    run_lock(run);
    if (run->watched)
        turns(worker, true);
    else
        turns(worker, false);
    for (unsigned i = 0; i < run->threads; i++)
        moat_sched_ring(&run->workers[i]);
    run_unlock(run);
    moat_runners_drop(worker);
}

/* Its frame lies between two resumes: a round has other costs. */
static NOT_INLINE void turn_apart(struct worker *worker, struct moat_task *task)
{
    if (worker->run->watched)
        turn(worker, task, true);
    else
        turn(worker, task, false);
}

void moat_turns_round(struct worker *worker)
{
    struct sched *run = worker->run;
    struct moat_task *task;

    run_lock(run);
    worker->in_place = !run->locked && !run->watched;
    worker->until_round = TURNS_PER_ROUND;
    look_around(worker);
    /* A transfer takes a turn of the round's, too. */
    while (run->live != 0 && worker->until_round > 1 &&
           (task = dequeue(worker)) != NULL) {
        worker->until_round--;
        turn_apart(worker, task);
    }
    run_unlock(run);
}
