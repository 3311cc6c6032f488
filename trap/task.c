/*
 * task.c: whether the code that runs is the thread that attached.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/task.h"

#include "sys/fork.h"

/* The system's number of this thread. */
static __thread int noted __attribute__((tls_model("initial-exec")));

void moat_task_note(void)
{
    noted = moat_fork_task();
}

void moat_task_note_forked(void)
{
    moat_task_note();
    moat_fork_settle(MOAT_FORK_TASKS);
}

int moat_task_noted(void)
{
    return noted;
}

void moat_task_replace(int task)
{
    noted = task;
}

void moat_task_end_clone(void)
{
    moat_fork_end_clone(noted);
}

/* In the child of a raw fork system call no handler of fork(3) has run: it has
 * a copy of the thread, and the number of another. */
bool moat_task_is_noted(void)
{
    if (moat_fork_task() == noted)
        return true;
    if (!moat_fork_happened(MOAT_FORK_TASKS))
        return false;
    moat_task_note_forked();
    return true;
}
