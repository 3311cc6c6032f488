/*
 * source.h: the interface of a source, the component that brings page faults
 * to moat. For authors of sources only: <moat/moat.h> does not include it.
 *
 * moat itself receives the signals of a fault, keeps the earlier handlers and
 * calls them. A source may put another component between the arrival of a page
 * fault and moat's decision: the library moat-sigsegv puts libsigsegv there.
 * A source supplies `fault`; for the other functions it can usually reuse those
 * of moat_source_sigaction.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SOURCE_H
#define MOAT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/engine.h>
#include <moat/export.h>
#include <moat/status.h>

/* The version of this interface. moat refuses a source of another version. */
#define MOAT_SOURCE_VERSION 1u

/** A range whose faults moat handles: an arena of stacks or a fault region. */
typedef struct moat_source_range {
    /* First address. */
    uintptr_t begin;
    /* Size. */
    size_t bytes;
    /* For moat_source_fix. NULL: stacks. */
    const void *region;
} moat_source_range;

/* Constant, in static storage. */
struct moat_source {
    /* MOAT_SOURCE_VERSION. */
    unsigned version;
    /* 0. */
    unsigned reserved;
    /* As moat_engine_get_info reports it. */
    const char *name;

    /* All three are required, and called under the engine's lock. If `install`
     * fails it must leave nothing behind. `check` is called from signal
     * handlers, too. After `remove` no range is watched; it returns
     * MOAT_E_HANDLER_LOST if it could not remove a handler. */
    moat_status (*install)(void);
    moat_status (*check)(void);
    moat_status (*remove)(void);

    /* Called in the signal handler for a SIGSEGV that the CPU raised, except
     * inside a region's `fix`. `siginfo` is the siginfo_t. It decides what the
     * address belongs to and then calls moat_source_fix, moat_source_deliver or
     * neither. True: claimed, and the context may be returned to. False: not
     * moat's; moat calls the previous handler. NULL: moat looks the address up
     * itself. */
    bool (*fault)(void *siginfo, void *ucontext);

    /* Called one at a time, with ranges that do not overlap. `watch` returns
     * MOAT_OK, or another status without any effect. Arenas are watched until
     * `remove`, regions until `unwatch`. When `unwatch` returns, `fault` no
     * longer uses the range. Both NULL, or neither. They are called under a
     * lock of moat's, as `install` and `remove` are: they call nothing of moat
     * but moat_source_wait, and wait for no thread that may be calling moat. */
    moat_status (*watch)(const moat_source_range *range);
    void (*unwatch)(const moat_source_range *range);
};

MOAT_BEGIN_DECLS

/**
 * Lets a fault region's `fix` repair a fault.
 *
 * For the source's `fault`, with its own arguments.
 *
 * @param region    moat_source_range.region
 * @param siginfo   as passed to `fault`
 * @param ucontext  as passed to `fault`
 * @return true: repaired, and the context may be returned to. false: declined
 *
 * Thread-safety: any
 * Signal-safety: yes; legal nowhere else
 */
MOAT_API bool moat_source_fix(const void *region, void *siginfo,
                              void *ucontext);

/**
 * Turns a fault into the running guest's trap, if it is one.
 *
 * For the source's `fault`, with its own arguments.
 *
 * @param siginfo   as passed to `fault`
 * @param ucontext  as passed to `fault`
 * @return true: the context now leads to the resumer. false: not a guest's
 *
 * Thread-safety: any
 * Signal-safety: yes; legal nowhere else
 */
MOAT_API bool moat_source_deliver(void *siginfo, void *ucontext);

/**
 * Waits until every `fault` that has begun has returned.
 *
 * After that no handler uses a range that the source withdrew before the call.
 * For the source's `watch`, `unwatch` and `remove`, before they change or free
 * what `fault` reads.
 *
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_source_deliver, moat_source_fix
 */
MOAT_API void moat_source_wait(void);

MOAT_END_DECLS

#endif
