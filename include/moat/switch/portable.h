/*
 * switch/portable.h: the switch as calls, in a library that was built with a
 * backend other than the native one (MOAT_SWITCH, docs/backends.md).
 *
 * The record has the same words as with the native switch, and in addition the
 * points of the backend, where each side waits. Code cannot emit this switch
 * itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_PORTABLE_H
#define MOAT_SWITCH_PORTABLE_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>

#ifdef __cplusplus
extern "C" {
#endif
/* Enters `co` with an input and a command. NULL: touches the stack that this
 * takes. */
MOAT_API void moat_switch_body(moat_co *co, void *input, uint64_t command,
                               struct moat_switched *back);

/* Suspends `self`, which runs, and continues `other` with a value; if that is
 * NULL, its resumer, with a kind of event as well. If `back` is NULL it leaves
 * `self` for good. */
MOAT_API void moat_transfer_body(moat_co *self, moat_co *other, void *value,
                                 uint64_t kind, struct moat_resumed *back);
#ifdef __cplusplus
}
#endif

/* Before a resume names the coroutine as the thread's current one: an overflow
 * is the caller's. */
#if MOAT_SWITCH_ROOM
#    define MOAT_SWITCH_PREPARE() MOAT_SWITCH_TOUCH()
#else
#    define MOAT_SWITCH_PREPARE() moat_switch_body(NULL, NULL, 0, NULL)
#endif

static inline __attribute__((always_inline)) struct moat_switched
moat_switch_resume(moat_co *co, void *input)
{
    struct moat_switched back;

    moat_switch_body(co, input, MOAT_COMMAND_NONE, &back);
    return back;
}

/* Leaves the coroutine in `back.self` for its resumer with a value, and with
 * the kind of event in `back.command`; comes back with the next input. */
#define MOAT_SWITCH_LEAVE(back, value) \
    moat_transfer_body((back).self, NULL, (value), (back).command, &(back))

static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_yield(moat_co *co, void *value)
{
    struct moat_resumed back = {co, NULL, MOAT_SWITCH_YIELD};

    MOAT_SWITCH_LEAVE(back, value);
    return back;
}

/* As above, for a coroutine on the slow path. */
static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_yield_slow(moat_co *co, void *value)
{
    struct moat_resumed back = {co, NULL, MOAT_SWITCH_YIELD_SLOW};

    MOAT_SWITCH_LEAVE(back, value);
    return back;
}

/* Suspends `self`, which runs, and continues `other`. */
static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_transfer(moat_co *self, moat_co *other, void *value)
{
    struct moat_resumed back;

    moat_transfer_body(self, other, value, 0, &back);
    return back;
}

#endif
