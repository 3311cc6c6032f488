/*
 * coroutine2.cc: Boost.Coroutine2, which has no transfer from one coroutine to
 * another.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>
#include <cstdlib>

#include <boost/coroutine2/coroutine.hpp>

#include "bench/peers/boost.h"

typedef boost::coroutines2::coroutine<void *> coroutine;

struct task {
    coroutine::push_type *sink;   /* the host's end  */
    coroutine::pull_type *source; /* the guest's end */
    void *value;                  /* from the guest  */
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

static inline std::uintptr_t live(std::uintptr_t number, char *)
{
    typedef boost::coroutines2::coroutine<std::uint64_t> numbers;
    std::uint64_t value = 0;
    numbers::push_type guest(
        task_stacks(),
        [&value](numbers::pull_type &source) { value = source.get() + 1; });

    guest(number);
    return value;
}

#define PEER          peer_coroutine2
#define PEER_NAME     "Boost.Coroutine2"
#define PEER_SHARE    0.3
#define PEER_THREADED false
#define PEER_MAX_SET  BENCH_MAX_GUARDED
#define PEER_RING     nullptr
#define PEER_LIFE     live
#include "bench/peers/cases.h"
