/*
 * boost.h: the stacks of stacks.h as a stack allocator for Boost.Context.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PEERS_BOOST_H
#define BENCH_PEERS_BOOST_H

#include <boost/context/stack_context.hpp>

#include "bench/peers/stacks.h"

struct task_stacks {
    boost::context::stack_context allocate() const
    {
        boost::context::stack_context made;

        made.size = TASK_STACK_BYTES;
        made.sp = task_stack_take() + TASK_STACK_BYTES;
        return made;
    }

    void deallocate(boost::context::stack_context &used) const
    {
        task_stack_release(static_cast<char *>(used.sp) - used.size);
    }
};

#endif
