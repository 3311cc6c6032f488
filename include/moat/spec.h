/*
 * spec.h: prepared coroutines: options that are checked once, and coroutines
 * kept ready for them. <moat/co.h> includes it.
 *
 * A host that makes many coroutines with the same options makes a spec of them
 * and creates from that. Whatever the options are, the create is then inline,
 * as it is without options: it takes a coroutine that ended before, with its
 * stack, guard, name, limits, policy and script.
 *
 *     moat_spec *spec;
 *     options.stack_bytes = 64 << 10;
 *     options.name = "worker";
 *     moat_spec_create(&spec, &options);
 *     ...
 *     moat_co_create_from(&co, spec, work, job);
 *
 * moat_co_create does the same for itself when the same options come again, at
 * the price of a call and a comparison.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SPEC_H
#define MOAT_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include <moat/co_options.h>
#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/status.h>

/**
 * A checked set of options. Nothing changes it, so any thread may use it.
 *
 * The member is for moat_co_create_from alone.
 */
typedef struct moat_spec {
    /* Of moat_tls.homes. */
    uint64_t index;
} moat_spec;

MOAT_BEGIN_DECLS

/**
 * Checks options and keeps a copy of them, with all that they point to.
 *
 * Initialises the engine if that has not happened yet. The option `user` is not
 * part of a spec: each create has its own. A heap in the options must outlive
 * the coroutines that are made from the spec.
 *
 * @param[out] out  the handle; written only on MOAT_OK
 * @param options   NULL for all defaults; copied, need not outlive the call
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out is NULL, or as from moat_co_create; or
 *                             MOAT_STACK_CALLER: its coroutines would lie in
 *                             the same memory
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_UNSUPPORTED  a limit or an option that this build lacks, or as
 *                             from moat_co_create
 *         MOAT_E_SYSTEM       a system call of the initialisation failed; see
 *                             errno
 *
 * Ownership:     the caller's, until moat_spec_destroy
 * Thread-safety: any thread
 * Signal-safety: no
 * Cost:          an allocation or two, and a lock
 * See also:      moat_co_create_from, moat_spec_prepare, moat_co_options
 */
MOAT_API MOAT_NODISCARD moat_status
moat_spec_create(moat_spec **out, const moat_co_options *options);

/**
 * Keeps coroutines of a spec ready on this thread.
 *
 * Afterwards so many creates from the spec make no system call, and the first
 * resumes of those coroutines cause no page fault in the first 4 KiB of their
 * stacks. A destroyed coroutine takes its place among the ready ones again,
 * unless its options scrub the stack, it has a heap of its own
 * (limits.memory_bytes) or moat_engine_options.keep_stack_bytes is set: these
 * are ready once for each call. moat_engine_trim frees those of the calling
 * thread. Under AddressSanitizer and ThreadSanitizer, which must hear of
 * each stack when it is taken, the call checks its arguments only.
 *
 * @param spec   a spec
 * @param count  how many are ready when the call returns; a thread otherwise
 *               keeps up to 1024 for each spec, and with a larger `count` that
 *               many
 *
 * @return MOAT_OK; or a status of moat_co_create, and fewer are ready; or
 *         MOAT_E_INVAL  spec is NULL
 *         MOAT_E_LIMIT  less than 8 KiB of a guest's stack is left
 *
 * Ownership:     unchanged
 * Thread-safety: any thread; attaches it if that has not happened yet
 * Signal-safety: no
 * Cost:          for each that has to be made, as moat_co_create_n, and the
 *                page faults
 * See also:      moat_co_create_from, moat_engine_trim
 */
MOAT_API MOAT_NODISCARD moat_status moat_spec_prepare(moat_spec *spec,
                                                      size_t count);

/**
 * Ends a spec. Coroutines made from it live on, with their name and all.
 *
 * The coroutines that wait in threads go back to the threads' pools, those of
 * the calling thread at once, those of another thread at its next call that
 * creates or destroys in the library.
 *
 * @param spec  NULL is allowed; no thread may use it any more
 *
 * Ownership:     the handle is invalid afterwards
 * Thread-safety: any thread
 * Signal-safety: no
 * Cost:          a lock
 * See also:      moat_spec_create
 */
MOAT_API void moat_spec_destroy(moat_spec *spec);

/**
 * Creates a coroutine from a spec.
 *
 * As moat_co_create with the options of the spec, and with `user` for
 * moat_co_user. Attaches the thread if that has not happened yet.
 *
 * @param[out] out  the handle; written only on MOAT_OK
 * @param spec      not NULL
 * @param entry     the guest's entry function; not NULL
 * @param user      for moat_co_user. The library never dereferences it
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out, spec or entry is NULL
 *         MOAT_E_NOMEM        no memory or address space
 *         MOAT_E_STACK        the thread's guest was left by longjmp: destroy
 *                             it
 *         MOAT_E_GUARD_LIMIT  no mapping is left for a guard
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_SYSTEM       a system call of the initialisation failed; see
 *                             errno
 *
 * Ownership:     the caller's, until moat_co_destroy
 * Thread-safety: any thread; the coroutine belongs to the calling one
 * Signal-safety: no
 * Cost:          inline, and no system call, if one is ready (one that was
 *                destroyed, or by moat_spec_prepare) and the caller is the
 *                host; otherwise as moat_co_create
 * See also:      moat_co_create, moat_spec_create, moat_co_destroy
 */
MOAT_API_INLINE MOAT_NODISCARD moat_status moat_co_create_from(moat_co **out,
                                                               moat_spec *spec,
                                                               moat_entry entry,
                                                               void *user);

MOAT_END_DECLS

#endif
