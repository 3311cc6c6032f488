/*
 * task_boost.h: the stacks of task_stack.h as an allocator of Boost.Context's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_BOOST_H
#define BENCH_TASK_BOOST_H

#include <boost/context/stack_context.hpp>

#include "bench/task_stack.h"

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
        task_stack_give(static_cast<char *>(used.sp) - used.size);
    }
};

#endif
