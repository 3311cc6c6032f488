/*
 * task_fiber.h: a boost::context::fiber, as the cases of the benchmarks use
 * one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_FIBER_H
#define BENCH_TASK_FIBER_H

#include <memory>
#include <utility>

#include <boost/context/fiber.hpp>

#include "bench/task_boost.h"

struct task {
    boost::context::fiber guest, host;
    void *value;
};

static inline void *resume(task *task, void *input)
{
    task->value = input;
    task->guest = std::move(task->guest).resume();
    return task->value;
}

static inline void *yield(task *task, void *value)
{
    task->value = value;
    task->host = std::move(task->host).resume();
    return task->value;
}

static inline task *make_task(void *(*guest)(task *, void *))
{
    task *made = new task();

    made->guest =
        boost::context::fiber(std::allocator_arg, task_stacks(),
                              [made, guest](boost::context::fiber &&host) {
                                  made->host = std::move(host);
                                  made->value = guest(made, made->value);
                                  return std::move(made->host);
                              });
    return made;
}

static inline void drop_task(task *task)
{
    delete task;
}

#endif
