/*
 * task_fcontext.h: a coroutine on Boost.Context's fcontext, called by its C
 * ABI, as the cases of the benchmarks use one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_FCONTEXT_H
#define BENCH_TASK_FCONTEXT_H

#include <cstddef>
#include <cstdlib>

#include <boost/context/detail/fcontext.hpp>

#include "bench/task_stack.h"

namespace fctx = boost::context::detail;

struct task {
    fctx::fcontext_t guest, host;
    void *(*entry)(task *, void *);
    char *stack; /* the lowest usable byte; NULL: a spare task */
    task *next;  /* of the spare ones                          */
};

static thread_local task *spare_tasks;

static inline void *resume(task *task, void *input)
{
    fctx::transfer_t back = fctx::jump_fcontext(task->guest, input);

    task->guest = back.fctx;
    return back.data;
}

/* The resume after which the guest has returned. */
static inline void *resume_last(task *task, void *input)
{
    return resume(task, input);
}

static inline void *yield(task *task, void *value)
{
    fctx::transfer_t back = fctx::jump_fcontext(task->host, value);

    task->host = back.fctx;
    return back.data;
}

/* The first jump brings the task, the second the first input. */
static void run_entry(fctx::transfer_t from)
{
    task *self = static_cast<task *>(from.data);
    void *result;

    self->host = from.fctx;
    /* First: it has another host in the end than now. */
    result = self->entry(self, yield(self, nullptr));
    fctx::jump_fcontext(self->host, result);
    std::abort(); /* nobody resumes what has ended */
}

static inline task *make_task(void *(*guest)(task *, void *))
{
    task *made = spare_tasks;

    if (made != nullptr) {
        spare_tasks = made->next;
    } else {
        made = new task();
        made->stack = task_stack_map();
    }
    made->entry = guest;
    made->guest = fctx::make_fcontext(made->stack + TASK_STACK_BYTES,
                                      TASK_STACK_BYTES, run_entry);
    resume(made, made);
    return made;
}

/* Keeps its stack for the next. */
static inline void drop_task(task *task)
{
    task->next = spare_tasks;
    spare_tasks = task;
}

static inline void forget_spare_tasks(void)
{
    while (spare_tasks != nullptr) {
        task *gone = spare_tasks;

        spare_tasks = gone->next;
        task_stack_unmap(gone->stack);
        delete gone;
    }
}

#endif
