/*
 * fiber.cc: boost::context::fiber, used as in its documentation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>
#include <memory>
#include <utility>

#include <boost/context/fiber.hpp>

#include "bench/peers/boost.h"

namespace ctx = boost::context;

struct task {
    ctx::fiber guest, host;
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

    made->guest = ctx::fiber(std::allocator_arg, task_stacks(),
                             [made, guest](ctx::fiber &&host) {
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

/* A resume returns the fiber that resumed this one, which is the other one. The
 * second fiber is still suspended at the end, and is unwound. */
static std::uint64_t run_ring(std::size_t count)
{
    std::size_t left = count;
    std::uint64_t value = 0, sum = 0;
    ctx::fiber start, second;
    auto pass_on = [&](ctx::fiber &&other) {
        while (left > 0) {
            left--;
            sum += value++;
            other = std::move(other).resume();
        }
        return std::move(other);
    };
    ctx::fiber first(std::allocator_arg, task_stacks(), [&](ctx::fiber &&host) {
        start = std::move(host);
        second = pass_on(std::move(second));
        return std::move(start);
    });

    second =
        ctx::fiber(std::allocator_arg, task_stacks(), [&](ctx::fiber &&other) {
            return pass_on(std::move(other));
        });
    first = std::move(first).resume();
    return sum;
}

static inline std::uintptr_t live(std::uintptr_t number, char *)
{
    std::uint64_t value = number;
    ctx::fiber fiber(std::allocator_arg, task_stacks(),
                     [&value](ctx::fiber &&host) {
                         value++;
                         return std::move(host);
                     });

    fiber = std::move(fiber).resume();
    return value;
}

#define PEER          peer_fiber
#define PEER_NAME     "boost fiber"
#define PEER_SHARE    1
#define PEER_THREADED false
#define PEER_MAX_SET  0
#define PEER_RING     run_ring
#define PEER_LIFE     live
#include "bench/peers/cases.h"
