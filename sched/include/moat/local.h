/*
 * local.h: task-local values. <moat/sched.h> includes it.
 *
 *     static moat_local request;
 *
 *     moat_local_create(&request, &options);       once, for all tasks
 *     moat_local_set(request, data);                in a task
 *     moat_local_get(request)                       anywhere below it
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_LOCAL_H
#define MOAT_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

/* Keys that exist at the same time, in the whole process. */
#define MOAT_MAX_LOCALS 1024

/** A key, under which each task has a value of its own. The members are the
 * library's; the struct may be copied. All zero: no key. */
typedef struct moat_local {
    uint32_t slot, version;
} moat_local;

/** Options of a key. Initialise the struct with MOAT_LOCAL_OPTIONS_INIT. */
typedef struct moat_local_options {
    /* sizeof(moat_local_options); MOAT_LOCAL_OPTIONS_INIT sets it. */
    size_t struct_size;
    /* NULL, or called with the value of a task that has ended, if it is not
     * NULL. */
    void (*destroy)(void *value);
    /* NULL: a task begins without a value. Otherwise called in moat_task_spawn,
     * by the task that spawns, with its value, if that is not NULL. It returns
     * the value of the new task: a copy, or the same pointer, after it has
     * counted one more reference. */
    void *(*inherit)(void *value);
} moat_local_options;

#define MOAT_LOCAL_OPTIONS_INIT                \
    {                                          \
        sizeof(moat_local_options), NULL, NULL \
    }

MOAT_BEGIN_DECLS

/**
 * Creates a key for task-local values.
 *
 * Each task of each run has a value for it, which is NULL at first, or that
 * which `inherit` has made.
 *
 * The destructors of a task's values are called however the task ends: by a
 * return, an exception, a trap or a cancellation, even before it ran. By then
 * its frames, its deferred functions and the members of its groups have ended.
 * The value that was set last is destroyed first. Then the task's heap is freed
 * and its result is delivered. Destructors run in a coroutine of their own,
 * with the limits and the stack of the run's default options. One that faults
 * or throws is reported on moat_sched_options.report_fd, and the others are
 * called. They can read the values that are left, and make the calls that are
 * legal in moat_co_defer, but cannot wait.
 *
 * If `inherit` traps, the task that spawns has trapped; the values that were
 * made for the new task are destroyed, as they are if the spawn fails.
 *
 * @param[out] out  the key; written only on MOAT_OK
 * @param options   NULL for all defaults; copied
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out is NULL; a struct_size that no version had
 *         MOAT_E_UNSUPPORTED  options that this version does not know
 *         MOAT_E_STATE        the caller is a coroutine, but not a task
 *         MOAT_E_FULL         there are MOAT_MAX_LOCALS keys
 *
 * Ownership:     the caller's, until moat_local_delete
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 * See also:      moat_local_get, moat_local_set, moat_local_delete
 */
MOAT_API MOAT_NODISCARD moat_status
moat_local_create(moat_local *out, const moat_local_options *options);

/**
 * Deletes a key.
 *
 * From then on moat_local_get returns NULL for it, and its destructor is not
 * called any more; on another thread a call may still be under way. The caller
 * must free the values that tasks have.
 *
 * @param key  from moat_local_create
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  not a key, or deleted already
 *
 * Ownership:     ends the caller's; copies of the key are no keys any more
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API moat_status moat_local_delete(moat_local key);

/**
 * Returns the running task's value.
 *
 * Coroutines inside a task, host calls and deferred functions see the values of
 * the task that they run for; a destructor sees those that are left.
 *
 * @param key  from moat_local_create
 * @return the value; NULL if it was not set, if the key was deleted, and
 *         outside of a task
 *
 * Ownership:     as the program has it
 * Thread-safety: any
 * Signal-safety: yes, if the handler's thread runs the task
 * Cost:          some loads; no system call
 */
MOAT_API void *moat_local_get(moat_local key);

/**
 * Sets the calling task's value. The value that it had is not destroyed.
 *
 * @param key    from moat_local_create
 * @param value  NULL: none
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  not a key, or deleted
 *         MOAT_E_STATE  the caller is not a task (also: a deferred function, a
 *                       host call, a destructor)
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     the value becomes the task's, if the key has a destructor
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call; an allocation for the first one of a task
 */
MOAT_API moat_status moat_local_set(moat_local key, void *value);

MOAT_END_DECLS

#endif
