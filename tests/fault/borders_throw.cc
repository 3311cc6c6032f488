/*
 * borders_throw.cc: guests that throw.
 *
 * SPDX-License-Identifier: MIT
 */
#define MOAT_NO_INLINE
#include "borders_throw.h"

#include <exception>

int exceptions_alive;
int frames_destroyed;

namespace
{

struct Evidence {
    Evidence()
    {
        exceptions_alive++;
    }
    Evidence(const Evidence &)
    {
        exceptions_alive++;
    }
    Evidence &operator=(const Evidence &) = delete;
    ~Evidence()
    {
        exceptions_alive--;
    }
};

struct Frame {
    Frame() = default;
    Frame(const Frame &) = delete;
    Frame &operator=(const Frame &) = delete;
    ~Frame()
    {
        frames_destroyed++;
    }
};

__attribute__((noinline)) void descend(volatile int *depth)
{
    Frame frame;

    *depth = *depth - 1;
    if (*depth == 0)
        throw Evidence();
    descend(depth);
}

} // namespace

void *throw_through_the_root(moat_co *, void *)
{
    volatile int depth = FRAMES_WITH_DESTRUCTORS;

    descend(&depth);
    return nullptr;
}

void *throw_and_catch(moat_co *self, void *)
{
    try {
        (void)throw_through_the_root(self, nullptr);
    } catch (const Evidence &) {
        return self;
    }
    return nullptr;
}

bool cxx_counts_an_exception()
{
    return std::uncaught_exception();
}

void throw_an_int(void *)
{
    throw 1;
}

bool reset_throws(moat_co *co)
{
    try {
        (void)!moat_co_reset(co);
    } catch (int) {
        return true;
    }
    return false;
}

moat_status resume_out_of_line(moat_co *co, void *input, moat_event *out)
{
    return moat_co_resume(co, input, out);
}
