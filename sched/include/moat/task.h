/*
 * task.h: tasks: spawn, join, cancel. <moat/sched.h> includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TASK_H
#define MOAT_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/event.h>
#include <moat/export.h>
#include <moat/heap.h>
#include <moat/limits.h>
#include <moat/status.h>
#include <moat/trap.h>

/* A deadline that never comes. */
#define MOAT_NO_DEADLINE UINT64_MAX

typedef struct moat_task moat_task;
typedef struct moat_group moat_group;

/** The function of a task. Its return value is that of the result. */
typedef void *(*moat_task_fn)(void *arg);

/** How a task has ended. */
typedef struct moat_result {
    /* MOAT_EVENT_RETURN, _TRAP, _PANIC or _CANCELLED. */
    moat_event_kind kind;
    /* RETURN: what the function returned. PANIC: a struct _Unwind_Exception *
     * that the caller now owns. Otherwise NULL. */
    void *value;
    /* TRAP: the record. `regs` is NULL, since the coroutine is gone. */
    moat_trap_info trap;
    /* MOAT_OK; or, if the task could not be run to its end, the status of
     * moat_co_create or moat_co_resume. The kind is then CANCELLED. */
    moat_status status;
} moat_result;

/**
 * Options of a task. Initialise the struct with MOAT_TASK_OPTIONS_INIT.
 *
 * Tasks whose options are the same, name included, share a spec (moat_spec):
 * their coroutines are then made as fast as those without options. A run
 * remembers the last 32 different ones.
 */
typedef struct moat_task_options {
    /* sizeof(moat_task_options); MOAT_TASK_OPTIONS_INIT sets it. */
    size_t struct_size;
    /* Shown in reports; copied, the first 23 bytes. NULL: none. */
    const char *name;
    /* Limits of the coroutine; copied. A time limit per resume counts from one
     * wait to the next, or from one time slice to the next. NULL: none. */
    const moat_limits *limits;
    /* The heap of moat_co_heap; stays the caller's, and must outlive the task.
     * NULL: none, or one of its own with limits->memory_bytes. */
    moat_heap *heap;
    /* Usable bytes of the stack. 0: 64 KiB. */
    size_t stack_bytes;
    /* Another thread of the run may take the task where it waits or yields,
     * once it can run. The library keeps its errno; docs/scheduler.md lists
     * what its code must not keep. */
    bool migratable;
} moat_task_options;

#define MOAT_TASK_OPTIONS_INIT                            \
    {                                                     \
        sizeof(moat_task_options), NULL, NULL, NULL, 0, 0 \
    }

MOAT_BEGIN_DECLS

/**
 * Starts a task. It runs when its turn comes: after those that the caller has
 * spawned since its last wait, and before older ones that have not started.
 *
 * However the task ends, its joiner and its group get a result. It leaves all
 * queues that it waits in, and its open groups and its coroutine are freed. Its
 * deferred functions (moat_co_defer) run.
 *
 * @param group     the group that it becomes a member of; NULL: that of the
 *                  calling task
 * @param fn        not NULL
 * @param arg       passed to fn
 * @param options   NULL: those of the run; copied
 * @param[out] out  the handle, which moat_task_join consumes; NULL: the task
 *                  will not be joined
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        fn is NULL; group is not a group; options that
 *                             moat_co_create refuses
 *         MOAT_E_STATE        the caller is not a task: it is the host, or a
 *                             coroutine inside a task
 *         MOAT_E_CANCELLED    the group is cancelled
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  a limit that this build lacks
 *
 * Ownership:     the handle is the caller's until it is joined or the run ends
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call and no allocation once a task has ended
 * See also:      moat_task_join, moat_group_open, moat_task_options
 */
MOAT_API MOAT_NODISCARD moat_status
moat_task_spawn(moat_group *group, moat_task_fn fn, void *arg,
                const moat_task_options *options, moat_task **out);

/**
 * Waits until a task has ended, takes its result, and frees the handle.
 *
 * @param task      from moat_task_spawn, not joined yet; not the caller itself
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 * @param[out] out  NULL, or the result; written only on MOAT_OK
 *
 * @return MOAT_OK; or, and the handle stays valid,
 *         MOAT_E_INVAL      task is NULL, not a handle, or the caller
 *         MOAT_E_STATE      another task waits to join it; or the caller is not
 *                           a task
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_DEADLOCK   every task waits, and nothing can wake one
 *         MOAT_E_NOMEM      no memory for the deadline
 *
 * Ownership:     ends the caller's, on MOAT_OK
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_task_spawn, moat_result
 */
MOAT_API MOAT_NODISCARD moat_status moat_task_join(moat_task *task,
                                                   uint64_t deadline,
                                                   moat_result *out);

/**
 * Cancels a task: it is unwound where it waits.
 *
 * The call only requests that. When the task's turn comes, the members of its
 * open groups are cancelled and awaited, then its frames are unwound as by
 * moat_co_cancel: cleanup attributes and destructors run. They may call every
 * function of the scheduler; one that would have to wait returns
 * MOAT_E_CANCELLED. The result is MOAT_EVENT_CANCELLED, whatever the function
 * returns, unless the cleanup traps or throws.
 *
 * A wait that was satisfied before the cancellation returns first, so that an
 * item it has received is not lost; the task is unwound at its next wait.
 * A task that never waits and never yields is not reached: give it a limit.
 *
 * @param task  any task of this run that has a handle; if it is the caller, the
 *              call does not return
 *
 * @return MOAT_OK, also if it has ended, or
 *         MOAT_E_INVAL  task is NULL or not a handle
 *         MOAT_E_STATE  the caller is not a task of the run, nor a function
 *                       that the run calls (moat_co_defer)
 *
 * Ownership:     unchanged: the handle can still be joined
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 * See also:      moat_group_cancel, moat_co_cancel
 */
MOAT_API moat_status moat_task_cancel(moat_task *task);

/**
 * Returns the calling task.
 *
 * @return the handle; NULL outside of a task, and in a coroutine inside one
 *         that is not the body of a generator
 *
 * Ownership:     unchanged; if the task was spawned without a handle, it is
 *                valid while the task runs
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API moat_task *moat_task_self(void);

/**
 * Lets the other tasks that can run have their turns before the caller.
 *
 * Outside of a task the call has no effect.
 *
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task
 */
MOAT_API void moat_task_yield(void);

MOAT_END_DECLS

#endif
