/*
 * task_errno.h: errno in functions that run on a task's stack.
 *
 * A migratable task may be on another thread after a wait. The C library
 * declares the function that finds errno as one without side effects, so a
 * compiler may keep the address that it has returned before the wait, which is
 * the former thread's. TASK_ERRNO is looked up each time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_TASK_ERRNO_H
#define SCHED_IO_TASK_ERRNO_H

#include <errno.h>

/* The address of errno on the thread that runs the caller now. */
int *moat_task_errno(void);

#define TASK_ERRNO (*moat_task_errno())

#endif
