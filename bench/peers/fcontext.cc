/*
 * fcontext.cc: Boost.Context's fcontext, called by its C ABI.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <boost/context/detail/fcontext.hpp>

#include "bench/peers/stacks.h"

namespace fctx = boost::context::detail;

/* It lies in the topmost line of its stack and takes no other memory. */
struct task {
    fctx::fcontext_t guest, host;
    void *(*entry)(task *, void *);
    char *stack; /* the lowest usable byte */
    void *next;  /* the link of stacks.h   */
};

static inline void *resume(task *task, void *input)
{
    fctx::transfer_t back = fctx::jump_fcontext(task->guest, input);

    task->guest = back.fctx;
    return back.data;
}

static inline void *yield(task *task, void *value)
{
    fctx::transfer_t back = fctx::jump_fcontext(task->host, value);

    task->host = back.fctx;
    return back.data;
}

/* The first jump passes the task, the second the first input. */
static void run_entry(fctx::transfer_t from)
{
    task *self = static_cast<task *>(from.data);
    void *result;

    self->host = from.fctx;
    /* self->host is read after the guest returns: each resume changes it. */
    result = self->entry(self, yield(self, nullptr));
    fctx::jump_fcontext(self->host, result);
    std::abort(); /* an ended task is never resumed */
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

static inline void drop_task(task *task)
{
    task_stack_release(task->stack);
}

/* ---- The ring ---- */

static fctx::fcontext_t ring_host, ring_second;
static std::size_t ring_left;
static std::uint64_t ring_sum;

/* A jump returns the context that jumped here, which is the other one. */
static void pass_on(fctx::fcontext_t other, void *input)
{
    while (ring_left > 0) {
        fctx::transfer_t back;

        ring_left--;
        ring_sum += reinterpret_cast<std::uintptr_t>(input);
        back = fctx::jump_fcontext(other, static_cast<char *>(input) + 1);
        other = back.fctx;
        input = back.data;
    }
    fctx::jump_fcontext(ring_host, nullptr);
}

static void run_second(fctx::transfer_t from)
{
    pass_on(from.fctx, from.data);
}

static void run_first(fctx::transfer_t from)
{
    ring_host = from.fctx;
    pass_on(ring_second, from.data);
}

static std::uint64_t run_ring(std::size_t count)
{
    char *first = task_stack_take(), *second = task_stack_take();

    ring_left = count;
    ring_sum = 0;
    ring_second = fctx::make_fcontext(second + TASK_STACK_BYTES,
                                      TASK_STACK_BYTES, run_second);
    fctx::jump_fcontext(fctx::make_fcontext(first + TASK_STACK_BYTES,
                                            TASK_STACK_BYTES, run_first),
                        nullptr);
    task_stack_release(second);
    task_stack_release(first);
    return ring_sum;
}

/* ---- Lives ---- */

static void increment(fctx::transfer_t from)
{
    fctx::jump_fcontext(from.fctx, static_cast<char *>(from.data) + 1);
    std::abort(); /* an ended guest is never resumed */
}

static inline std::uintptr_t live(std::uintptr_t number, char *stack)
{
    fctx::fcontext_t made = fctx::make_fcontext(stack + TASK_STACK_BYTES,
                                                TASK_STACK_BYTES, increment);
    fctx::transfer_t back =
        fctx::jump_fcontext(made, reinterpret_cast<void *>(number));

    return reinterpret_cast<std::uintptr_t>(back.data);
}

#define PEER            peer_fcontext
#define PEER_NAME       "fcontext"
#define PEER_SHARE      1
#define PEER_THREADED   false
#define PEER_MAX_SET    SIZE_MAX
#define PEER_RING       run_ring
#define PEER_LIFE       live
#define PEER_LIFE_STACK 1
#include "bench/peers/cases.h"
