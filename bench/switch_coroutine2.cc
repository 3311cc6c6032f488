/*
 * switch_coroutine2.cc: Boost.Coroutine2.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdlib>

#include <boost/coroutine2/coroutine.hpp>

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

static inline void *yield(task *task, void *value)
{
    task->value = value;
    (*task->source)();
    return task->source->get();
}

static task *make_task(void *(*guest)(task *, void *))
{
    task *made = new task();

    made->sink =
        new coroutine::push_type([made, guest](coroutine::pull_type &source) {
            made->source = &source;
            guest(made, source.get());
        });
    return made;
}

static void drop_task(task *task)
{
    delete task->sink;
    delete task;
}

#include "bench/switch_cases.h"

extern const struct bench_engine engine_coroutine2 = {"Boost.Coroutine2", 0.5,
                                                      0, SWITCH_BODIES};
