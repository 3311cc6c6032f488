/*
 * group.h: groups of tasks that end before their group does (nurseries).
 * <moat/sched.h> includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_GROUP_H
#define MOAT_GROUP_H

#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>
#include <moat/task.h>

/* Flags of a group. */
#define MOAT_GROUP_FAIL_FAST 1u /* the first failure cancels the others */

MOAT_BEGIN_DECLS

/**
 * Opens a group that belongs to the calling task.
 *
 * A member fails if it traps, is left by an exception, or could not be run. A
 * member that was cancelled has not failed.
 *
 * A task that ends with open groups, in whatever way, ends after them: their
 * members are cancelled and awaited, the last group first, and only then is the
 * task's stack freed and its result delivered. A cancelled task, too, is
 * unwound after the members have ended. So members may use objects on the stack
 * of the task that opened the group, if the function that has them closes the
 * group before it returns.
 *
 * @param[out] out  the group; written only on MOAT_OK
 * @param flags     0 or MOAT_GROUP_FAIL_FAST
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL, or an unknown flag
 *         MOAT_E_STATE  the caller is not a task
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     the caller's, until moat_group_close or the task's end
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_task_spawn, moat_group_wait, moat_group_close
 */
MOAT_API MOAT_NODISCARD moat_status moat_group_open(moat_group **out,
                                                    unsigned flags);

/**
 * Waits until the group has no member that runs.
 *
 * @param group               not NULL
 * @param deadline            on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 * @param[out] first_failure  NULL, or the result of the first member that
 *                            failed; kind MOAT_EVENT_RETURN if none has.
 *                            Written only on MOAT_OK
 *
 * @return MOAT_OK, whether a member has failed or not, or
 *         MOAT_E_INVAL      group is NULL or not a group
 *         MOAT_E_STATE      the caller is not a task
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_DEADLOCK   every task waits, and nothing can wake one
 *         MOAT_E_NOMEM      no memory for the deadline
 *
 * Ownership:     unchanged; the exception of a PANIC belongs to the task that
 *                joins the member: `value` is NULL here
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 */
MOAT_API MOAT_NODISCARD moat_status moat_group_wait(moat_group *group,
                                                    uint64_t deadline,
                                                    moat_result *first_failure);

/**
 * Cancels all members of a group, as by moat_task_cancel. Nothing more can be
 * spawned in it.
 *
 * @param group  not NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  group is NULL or not a group
 *         MOAT_E_STATE  the caller is not a task of the run, nor a function
 *                       that the run calls (moat_co_defer)
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API moat_status moat_group_cancel(moat_group *group);

/**
 * Cancels the members, waits until they have ended, and frees the group.
 *
 * The wait has no deadline and cannot be cancelled, so the call may stand in
 * cleanup code. A task that is cancelled meanwhile is unwound at its next wait.
 *
 * @param group  NULL is allowed; opened by the calling task
 *
 * Ownership:     ends the caller's
 * Thread-safety: the task that opened it
 * Signal-safety: no
 * Legal in:      a task; elsewhere, and in a task that has not opened it, the
 *                call has no effect
 */
MOAT_API void moat_group_close(moat_group *group);

MOAT_END_DECLS

#endif
