/*
 * offload.c: a function of the program's as a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <moat/allocator.h>
#include <moat/guest.h>
#include <moat/offload.h>

#include "sched/io/job.h"
#include "sched/refuse.h"
#include "sched/wait.h"

struct function_job {
    struct job job;
    void *(*fn)(void *);
    void *arg, *result;
    void (*left)(void *arg, void *result);
    bool taken; /* the task has its result */
};

/* A task's request, in its room. */
struct function {
    void *(*fn)(void *);
    void *arg, *result;
    void (*left)(void *arg, void *result);
};

static void run(struct job *job)
{
    struct function_job *self = (struct function_job *)job;

    self->result = self->fn(self->arg);
}

static void deliver(struct job *job, struct moat_task *task)
{
    struct function_job *self = (struct function_job *)job;
    struct function *asked = task->room;

    asked->result = self->result;
    self->taken = true;
}

static void drop(struct job *job)
{
    struct function_job *self = (struct function_job *)job;

    if (!self->taken && self->left != NULL)
        self->left(self->arg, self->result);
    free(self);
}

static const struct job_kind functions = {run, deliver, drop};

static enum verdict start(struct worker *worker, struct moat_task *task)
{
    const struct function *asked = task->room;
    struct function_job *job = calloc(1, sizeof *job);

    if (job == NULL) {
        if (asked->left != NULL)
            asked->left(asked->arg, NULL);
        return answer(task, MOAT_E_NOMEM);
    }
    job->job.kind = &functions;
    job->fn = asked->fn;
    job->arg = asked->arg;
    job->left = asked->left;
    return moat_job_start(worker, task, &job->job);
}

static const struct op offloads = {.perform = start,
                                   .words = "waits for job",
                                   .late = MOAT_E_TIMEOUT,
                                   .from_outside = true,
                                   .leaves = moat_job_leave};
static const struct op offloads_to_the_end = {.perform = start,
                                              .words = "waits for job",
                                              .from_outside = true,
                                              .to_the_end = true};

static bool is_guests(const void *address)
{
    moat_stack_info stack;

    return moat_heap_had(address) ||
           (moat_stack_bounds(&stack) == MOAT_OK &&
            (uintptr_t)address - stack.limit < stack.base - stack.limit);
}

static moat_status ask_for(struct moat_task *task, const struct function *what,
                           const struct op *op, uint64_t deadline, void **out)
{
    moat_status status;

    *(struct function *)task->room = *what;
    task->deadline = deadline;
    status = ask(task, op);
    if (status == MOAT_OK && out != NULL)
        *out = ((const struct function *)task->room)->result;
    return status;
}

moat_status moat_offload(void *(*fn)(void *), void *arg, void **out)
{
    struct moat_task *task = asker();
    struct function what = {fn, arg, NULL, NULL};

    if (fn == NULL)
        return refuse("fn is NULL");
    if (task == NULL || is_host(task))
        return MOAT_E_STATE;
    if (!moat_sched_room(task, sizeof what))
        return MOAT_E_NOMEM;
    return ask_for(task, &what,
                   is_guests(arg) ? &offloads_to_the_end : &offloads,
                   MOAT_NO_DEADLINE, out);
}

moat_status moat_offload_until(void *(*fn)(void *), void *arg,
                               void (*left)(void *arg, void *result),
                               uint64_t deadline, void **out)
{
    struct moat_task *task = asker();
    struct function what = {fn, arg, NULL, left};

    if (task == NULL || is_host(task))
        return MOAT_E_STATE;
    if (fn == NULL)
        return refuse("fn is NULL");
    if (is_guests(arg))
        return refuse_pointer("arg is %x: in a coroutine's memory, which may "
                              "be gone before the call ends",
                              arg);
    if (!moat_sched_room(task, sizeof what)) {
        if (left != NULL)
            left(arg, NULL);
        return MOAT_E_NOMEM;
    }
    return ask_for(task, &what, &offloads, deadline, out);
}
