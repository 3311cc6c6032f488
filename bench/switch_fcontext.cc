/*
 * switch_fcontext.cc: Boost.Context's fcontext, called by its C ABI.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdlib>

#include <boost/context/detail/fcontext.hpp>
#include <sys/mman.h>

namespace ctx = boost::context::detail;

struct task {
    ctx::fcontext_t guest, host;
    void *(*entry)(task *, void *);
    void *stack;
};

static const std::size_t stack_bytes = 256 * 1024;

static inline void *resume(task *task, void *input)
{
    ctx::transfer_t back = ctx::jump_fcontext(task->guest, input);

    task->guest = back.fctx;
    return back.data;
}

static inline void *yield(task *task, void *value)
{
    ctx::transfer_t back = ctx::jump_fcontext(task->host, value);

    task->host = back.fctx;
    return back.data;
}

/* The first jump brings the task, the second the first input. */
static void run_entry(ctx::transfer_t from)
{
    task *self = static_cast<task *>(from.data);

    self->host = from.fctx;
    self->entry(self, yield(self, nullptr));
    std::abort(); /* the guests of the cases never return */
}

static task *make_task(void *(*guest)(task *, void *))
{
    task *made = new task();
    char *low =
        static_cast<char *>(mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

    if (low == MAP_FAILED)
        std::abort();
    made->stack = low;
    made->entry = guest;
    made->guest = ctx::make_fcontext(low + stack_bytes, stack_bytes, run_entry);
    resume(made, made);
    return made;
}

static void drop_task(task *task)
{
    munmap(task->stack, stack_bytes);
    delete task;
}

#include "bench/switch_cases.h"

extern const struct bench_engine engine_fcontext = {"fcontext", 1,
                                                    SWITCH_BODIES};
