/*
 * clone.h: continuations that run more than once. <moat/moat.h> includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CLONE_H
#define MOAT_CLONE_H

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/**
 * Makes a second continuation of a coroutine that waits.
 *
 * The clone has a copy of the frames. Both wait in the same yield or transfer,
 * and each goes on from there when it is resumed, with the input that it is
 * given. A clone can be cloned. The original need not be the one that runs
 * first, or at all.
 *
 * Only coroutines with MOAT_STACK_COPIED can be cloned: their frames are always
 * at the same addresses, so pointers between frames stay right. Words in the
 * frames that are the original's handle become the clone's, so that `self`
 * names the coroutine that runs; a handle that is kept elsewhere stays the
 * original's. Whatever else the frames point to is shared.
 *
 * The clone has the original's options, `user`, entry function and heap of the
 * options, and has used as much of its limits. It has none of the functions of
 * moat_co_defer: these run once, at the original's end. Cleanup attributes and
 * C++ destructors belong to frames: they run in each continuation that returns
 * through them or is unwound, so what they free must be counted, or not be
 * owned by a frame that is cloned.
 *
 * @param suspended  of this thread
 * @param[out] out   the clone's handle; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        suspended or out is NULL; it has another kind of
 *                             stack
 *         MOAT_E_STATE        it is neither fresh nor suspended; or it waits in
 *                             a no-trap section, in an unwinding, or on a stack
 *                             that it has made (moat_stack_register)
 *         MOAT_E_THREAD       it belongs to another thread
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_STACK        the thread's guest was left by longjmp: destroy
 *                             it
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_UNSUPPORTED  it has a heap of its own (limits.memory_bytes, or
 *                             moat-malloc's); or a sanitizer is at work
 *
 * Ownership:     the caller's, until moat_co_destroy
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED
 * Cost:          a create and a copy of the frames
 * See also:      moat_co_create, moat_co_options
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_clone(const moat_co *suspended,
                                                  moat_co **out);

MOAT_END_DECLS

#endif
