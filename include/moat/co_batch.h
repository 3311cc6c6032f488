/*
 * co_batch.h: many coroutines in one call, for schedulers. <moat/co.h>
 * includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CO_BATCH_H
#define MOAT_CO_BATCH_H

#include <stddef.h>

#include <moat/co_options.h>
#include <moat/cpu.h>
#include <moat/event.h>
#include <moat/export.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/**
 * Creates many coroutines with the same entry function and options.
 *
 * Each is created as by moat_co_create. Stacks that were used before are taken
 * first. Both kinds take less time than one by one: of the used ones the
 * options are looked up once per 64, and of the new ones, where the kernel can,
 * one system call makes 64 guards. The first resume of each costs the same.
 * Creating a million on new stacks, first resumes included, takes 8 % less time
 * (bench/memory).
 *
 * They are created 64 at a time; other threads can take the locks in between,
 * and a deadline may stop a guest that makes the call. `out` and *done then
 * show which exist: keep both in memory that outlives the guest, not on its
 * stack.
 *
 * @param[out] out   array of `count`: a handle for each that was created
 * @param entry      the guests' entry function; not NULL
 * @param options    for all of them; NULL for all defaults; copied
 * @param users      array of `count`: users[i] is what moat_co_user returns
 *                   for out[i]. NULL: all have the `user` of the options
 * @param count      how many; with 0 the arguments are still checked, and
 *                   *done is 0
 * @param[out] done  how many were created; they stay, whatever the status
 *
 * @return MOAT_OK if all were created; the status of moat_co_create for the
 *         first that could not be created; or
 *         MOAT_E_INVAL  out, entry or done is NULL, also if count is 0; *done
 *                       is not written then. Or the options have
 *                       MOAT_STACK_CALLER: all would lie in the same memory
 *
 * Ownership:     the caller's, until moat_co_destroy of each
 * Thread-safety: any thread; the coroutines belong to the calling one
 * Signal-safety: no
 * Cost:          one system call for 64 new stacks; without guards by madvise,
 *                or with MOAT_PAGES=old, one for each
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_create_n(
    moat_co **out, moat_entry entry, const moat_co_options *options,
    void *const *users, size_t count, size_t *done);

/**
 * Resumes many coroutines, one after the other.
 *
 * While one runs, the records and stacks of the next ones are fetched into the
 * cache. Use it when the coroutines no longer fit in the cache: for thousands,
 * with a few hundred per call, it takes about half the time. If they fit, each
 * resume costs slightly more than moat_co_resume. docs/performance.md has the
 * figures (bench/many).
 *
 * Each coroutine is resumed as by moat_co_resume and has its own event. It may
 * destroy, resume or transfer to others, including later ones of the array.
 * The batch stops at the first that cannot be resumed; to go on after it, call
 * again with cos, inputs and out from *done + 1 on.
 *
 * At a destroyed coroutine the batch stops with MOAT_E_STATE. Its handle may
 * stay in the array only while no coroutine is created, since the new one may
 * get the same handle, and while no free stack goes back to the system
 * (moat_engine_trim, moat_engine_options.keep_free_bytes). Otherwise overwrite
 * it with NULL: the batch then stops with MOAT_E_INVAL.
 *
 * The report on a coroutine that trapped in a batch shows its own frames only:
 * the call that resumed it has returned.
 *
 * @param cos        array of `count` handles, created by this thread
 * @param inputs     array of `count` inputs; NULL: NULL for all
 * @param[out] out   array of `count`: an event for each that was resumed
 * @param count      how many; 0: none, and *done is 0
 * @param[out] done  how many were resumed
 *
 * @return MOAT_OK if all were resumed; the status of moat_co_resume for
 *         cos[*done], which was not resumed; or
 *         MOAT_E_INVAL  cos, out or done is NULL, also if count is 0; *done is
 *                       not written then. Or cos[*done] is NULL
 *
 * Ownership:     unchanged
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED -> RUNNING
 * Cost:          no system call, no allocation; with time limits as a resume
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_resume_n(moat_co *const *cos,
                                                     void *const *inputs,
                                                     moat_event *out,
                                                     size_t count,
                                                     size_t *done);

MOAT_END_DECLS

#endif
