/*
 * task_errno.c: errno in functions that run on a task's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/io/task_errno.h"

/* The empty statement is a side effect for the compiler, also when it optimises
 * the whole program. */
__attribute__((noinline)) int *moat_task_errno(void)
{
    __asm__ volatile("");
    return &errno;
}
