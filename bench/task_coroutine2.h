/*
 * task_coroutine2.h: a coroutine of Boost.Coroutine2's, as the cases of the
 * benchmarks use one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_COROUTINE2_H
#define BENCH_TASK_COROUTINE2_H
#include <cstdlib>

#include <boost/coroutine2/coroutine.hpp>

#include "bench/task_boost.h"

typedef boost::coroutines2::coroutine<void *> coroutine;

struct task {
    coroutine::push_type *sink;   /* the host's end   */
    coroutine::pull_type *source; /* the guest's end  */
    void *value;                  /* on its way back  */
};

static inline void *resume(task *task, void *input)
{
    (*task->sink)(input);
    return task->value;
}

/* The resume after which the guest has returned. */
static inline void *resume_last(task *task, void *input)
{
    return resume(task, input);
}

static inline void *yield(task *task, void *value)
{
    task->value = value;
    (*task->source)();
    return task->source->get();
}

static inline task *make_task(void *(*guest)(task *, void *))
{
    task *made = new task();

    made->sink = new coroutine::push_type(
        task_stacks(), [made, guest](coroutine::pull_type &source) {
            made->source = &source;
            made->value = guest(made, source.get());
        });
    return made;
}

static inline void drop_task(task *task)
{
    delete task->sink;
    delete task;
}

#endif
