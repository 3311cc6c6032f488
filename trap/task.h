/*
 * task.h: whether the code that runs is the thread that attached.
 *
 * The child of a vfork, of a posix_spawn or of a clone with CLONE_VM runs on
 * its parent's memory, thread-locals included, until it execs. Its faults are
 * its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_TASK_H
#define MOAT_TRAP_TASK_H

#include <stdbool.h>

/* The calling thread is the one that its thread-locals describe: when it
 * attaches; and in a forked child. */
void moat_task_note(void);
void moat_task_note_forked(void);

/* Returns whether the thread is the noted one, or its copy in a child that has
 * memory of its own. One system call. Signal-safe: yes. */
bool moat_task_is_noted(void);

/* The system's number of the noted thread; 0: none runs at this moment.
 * Signal-safe: yes. */
int moat_task_noted(void);

/* Another thread of the crew runs in its place (switch/carrier.h). */
void moat_task_replace(int task);

/* For another process that shares the memory: ends it, if it cannot be ended by
 * a signal's default action. Signal-safe: yes. */
void moat_task_end_clone(void);

#endif
