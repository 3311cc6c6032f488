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

/* In the topmost line of its stack, so that it costs no memory of its own. */
struct task {
    fctx::fcontext_t guest, host;
    void *(*entry)(task *, void *);
    char *stack; /* the lowest usable byte */
    void *next;  /* task_stack.h's         */
};

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
    char *stack = task_stack_take(), *top = stack + TASK_STACK_BYTES;
    task *made = reinterpret_cast<task *>(top) - 1;

    made->entry = guest;
    made->stack = stack;
    made->guest =
        fctx::make_fcontext(made, TASK_STACK_BYTES - sizeof *made, run_entry);
    resume(made, made);
    return made;
}

/* Keeps its stack for the next. */
static inline void drop_task(task *task)
{
    task_stack_give(task->stack);
}

#endif
