/*
 * co_inline.h: the inline bodies of co.h, and the functions of the library
 * that they fall back to. <moat/co.h> includes it.
 *
 * Each body tests whether the switch, or taking an entry off a list, is all
 * that has to be done. If not it calls the function whose name ends in _slow.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CO_INLINE_H
#define MOAT_CO_INLINE_H

#include <stddef.h>
#include <stdint.h>

#include <moat/co_options.h>
#include <moat/cpu.h>
#include <moat/event.h>
#include <moat/export.h>
#include <moat/spec.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/**
 * Does what the inline function leaves to the library.
 *
 * Call the public function, whose name is the part before _slow: parameters,
 * result and errors are the same. These are declared because compiled code of
 * the program refers to them.
 *
 * @also moat_co_create_from_slow, moat_co_destroy_slow, moat_co_resume_slow,
 *       moat_co_yield_slow, moat_co_switch_to_slow
 * @return that of the public function
 *
 * Thread-safety: as of the public function
 * Signal-safety: no
 * Legal in:      the states of the public function
 * See also:      moat_co_create, moat_co_create_from, moat_co_destroy,
 *                moat_co_resume, moat_co_yield, moat_co_switch_to
 */
MOAT_API moat_status moat_co_create_slow(moat_co **out, moat_entry entry,
                                         const moat_co_options *options);
MOAT_API moat_status moat_co_create_from_slow(moat_co **out, moat_spec *spec,
                                              moat_entry entry, void *user);
MOAT_API void moat_co_destroy_slow(moat_co *co);
MOAT_API moat_status moat_co_resume_slow(moat_co *co, void *input,
                                         moat_event *out);
MOAT_API void *moat_co_yield_slow(moat_co *self, void *value);
MOAT_API MOAT_NODISCARD moat_status moat_co_switch_to_slow(moat_co *self,
                                                           moat_co *other,
                                                           void *value,
                                                           void **input);

/**
 * Brings a coroutine in whose stack another one has (MOAT_STACK_COPIED), if
 * that is quick.
 *
 * The inline moat_co_resume calls it for a coroutine that needs more than the
 * switch. moat_co_resume_slow brings in any, so code that emits the switch
 * itself need not call this.
 *
 * @param co  the coroutine; not NULL
 * @return 1 if the switch is all that a resume needs now; 0 if nothing was done
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      the states of moat_co_resume; 0 in others
 * See also:      moat_co_resume
 */
MOAT_API int moat_co_bring(moat_co *co);

/**
 * Completes a resume whose event is not a plain yield or return.
 *
 * The inline moat_co_resume calls it after the switch; code that emits the
 * switch itself does, too (docs/record.md). It runs deferred functions, ends
 * limits and records traps and exceptions.
 *
 * @param co        the coroutine that the switch came back from
 * @param value     what the switch brought back
 * @param kind      what the switch brought back: a moat_event_kind, or one of
 *                  MOAT_SWITCH_...
 * @param[out] out  the event
 * @return MOAT_OK; or, only after a transfer between two that share a stack
 *         (MOAT_STACK_COPIED), a status of moat_co_resume
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      after a switch only
 * See also:      moat_co_resume
 */
MOAT_API moat_status moat_co_settle(moat_co *co, void *value, uint64_t kind,
                                    moat_event *out);

/**
 * Unwinds a cancelled coroutine from the yield or transfer that it waits in.
 *
 * The inline moat_co_yield calls it when it finds a command instead of an
 * input; code that emits the switch itself does, too (docs/record.md). It is
 * an ordinary call, so that the caller's cleanup code belongs to it.
 *
 * @param self  the coroutine
 *
 * Thread-safety: the coroutine's thread
 * Signal-safety: no
 * Legal in:      RUNNING, after a switch that brought a command
 * See also:      moat_co_cancel, moat_co_yield
 */
MOAT_API MOAT_NORETURN MOAT_COLD void moat_co_unwind(moat_co *self);

#ifndef MOAT_NO_INLINE

/* Takes the first spare, of which there is one. */
static inline __attribute__((always_inline)) moat_co *
moat_home_take_inline(struct moat_home *home, moat_entry entry, void *user)
{
    moat_co *co = home->spare;

    home->spare = (moat_co *)co->resumer;
    home->spares--;
    co->entry = entry;
    co->user = user;
    co->state = co->token;
    return co;
}

MOAT_API_INLINE MOAT_NODISCARD moat_status
moat_co_create(moat_co **out, moat_entry entry, const moat_co_options *options)
{
    struct moat_home *home;

    /* Only on the host's stack: no deadline can stop it between two steps. */
    if (MOAT_UNLIKELY(options != NULL || out == NULL || entry == NULL ||
                      MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0))
        return moat_co_create_slow(out, entry, options);
    home = (struct moat_home *)MOAT_TLS_READ(MOAT_TLS_HOME);
    if (MOAT_UNLIKELY(home == NULL || home->spare == NULL))
        return moat_co_create_slow(out, entry, options);
    *out = moat_home_take_inline(home, entry, NULL);
    return MOAT_OK;
}

MOAT_API_INLINE MOAT_NODISCARD moat_status moat_co_create_from(moat_co **out,
                                                               moat_spec *spec,
                                                               moat_entry entry,
                                                               void *user)
{
    struct moat_home *home;
    uintptr_t *homes;

    if (MOAT_UNLIKELY(out == NULL || spec == NULL || entry == NULL ||
                      MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0))
        return moat_co_create_from_slow(out, spec, entry, user);
    homes = (uintptr_t *)MOAT_TLS_READ(MOAT_TLS_HOMES);
    if (MOAT_UNLIKELY(homes == NULL || spec->index >= homes[0]))
        return moat_co_create_from_slow(out, spec, entry, user);
    home = (struct moat_home *)homes[spec->index];
    if (MOAT_UNLIKELY(home == NULL || home->spare == NULL))
        return moat_co_create_from_slow(out, spec, entry, user);
    *out = moat_home_take_inline(home, entry, user);
    return MOAT_OK;
}

/* Whether the switch is all that a resume needs: the coroutine may be resumed,
 * belongs to this thread, and has no time limit, or one that the thread's timer
 * watches over at this time. */
static inline __attribute__((always_inline)) int
moat_co_needs_only_the_switch(const moat_co *co)
{
    uint64_t above = co->state - MOAT_TLS_READ(MOAT_TLS_TOKEN);
    uint64_t *fuel;

    if (MOAT_LIKELY(above == 0))
        return 1;
    if (above > MOAT_TLS_READ(MOAT_TLS_REACH))
        return 0;
    fuel = (uint64_t *)MOAT_TLS_READ(MOAT_TLS_FUEL);
    return (*fuel)-- != 0;
}

MOAT_API_INLINE MOAT_NODISCARD moat_status moat_co_resume(moat_co *co,
                                                          void *input,
                                                          moat_event *out)
{
    struct moat_switched back;

    if (MOAT_UNLIKELY(
            co == NULL || out == NULL ||
            (!moat_co_needs_only_the_switch(co) && !moat_co_bring(co))))
        return moat_co_resume_slow(co, input, out);

    MOAT_SWITCH_PREPARE();
    co->resumer = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    /* While `current` names a coroutine whose state is not RUNNING, a deadline
     * waits: neither that coroutine nor the caller is complete. */
    MOAT_TLS_WRITE_CURRENT(co);
    back = moat_switch_resume(co, input);
    /* Not `co`: after a transfer `back.co` is another coroutine, and `co` may
     * have been resumed by it since. */
    MOAT_TLS_WRITE_CURRENT(back.co->resumer);
    if (MOAT_UNLIKELY(back.kind > MOAT_EVENT_RETURN))
        return moat_co_settle(back.co, back.value, back.kind, out);
    out->kind = (moat_event_kind)back.kind;
    out->value = back.value;
    out->co = back.co;
    return MOAT_OK;
}

MOAT_API_INLINE void *moat_co_yield(moat_co *self, void *value)
{
    struct moat_resumed back;

    if (MOAT_UNLIKELY(self == NULL ||
                      (uintptr_t)self != MOAT_TLS_READ(MOAT_TLS_CURRENT)))
        return moat_co_yield_slow(self, value);
    back = moat_switch_yield(self, value);
    /* An ordinary call after the switch throws, not the switch: no compiler
     * lists an asm statement in the tables that lead to cleanup code. */
    if (MOAT_UNLIKELY(back.command != MOAT_COMMAND_NONE))
        moat_co_unwind(back.self);
    return back.input;
}

MOAT_API_INLINE MOAT_NODISCARD moat_status moat_co_switch_to(moat_co *self,
                                                             moat_co *other,
                                                             void *value,
                                                             void **input)
{
    struct moat_resumed back;

    /* A fresh coroutine saves the floating-point control words at its entry as
     * its resumer's. Here they would be those of `self`: the library enters it
     * without saving them. */
    if (MOAT_UNLIKELY(self == NULL || other == NULL || input == NULL ||
                      (uintptr_t)self != MOAT_TLS_READ(MOAT_TLS_CURRENT) ||
                      other->state != MOAT_TLS_READ(MOAT_TLS_TOKEN) ||
                      moat_switch_is_fresh(other)))
        return moat_co_switch_to_slow(self, other, value, input);
    back = moat_switch_transfer(self, other, value);
    if (MOAT_UNLIKELY(back.command != MOAT_COMMAND_NONE))
        moat_co_unwind(back.self);
    *input = back.input;
    return MOAT_OK;
}

MOAT_API_INLINE void moat_co_destroy(moat_co *co)
{
    struct moat_home *home;

    if (MOAT_UNLIKELY(
            co == NULL || co->state != MOAT_MARK_DONE || co->flags != 0 ||
            co->token - MOAT_TLS_READ(MOAT_TLS_TOKEN) >= MOAT_TOKEN_STEP ||
            MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0)) {
        moat_co_destroy_slow(co);
        return;
    }
    home = co->home;
    if (MOAT_UNLIKELY(home->spares >= home->max)) {
        moat_co_destroy_slow(co);
        return;
    }
    co->state = MOAT_MARK_FREE;
    co->resumer = (uintptr_t)home->spare;
    home->spare = co;
    home->spares++;
}

#endif

MOAT_END_DECLS

#endif
