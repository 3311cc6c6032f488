/*
 * source.h: what it takes to write a source, the piece that brings page faults
 * to moat. For authors of sources only: <moat/moat.h> does not include it.
 *
 * moat itself receives the signals of a fault, keeps the handlers that were
 * there before and calls them. A source may put something else between the
 * arrival of a page fault and moat's decision: the library moat-sigsegv puts
 * libsigsegv there. It gives `fault`, and in the simplest case lets
 * moat_source_sigaction's functions do the rest.
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

/* The version of this interface. moat refuses a source of another one. */
#define MOAT_SOURCE_VERSION 1u

/* Addresses whose faults moat answers for: an arena of stacks or a fault
 * region. */
typedef struct moat_source_range {
    uintptr_t begin;
    size_t bytes;
    const void *region; /* for moat_source_fix; NULL: stacks */
} moat_source_range;

/* Static storage; constant. */
struct moat_source {
    unsigned version;  /* MOAT_SOURCE_VERSION                               */
    unsigned reserved; /* 0                                                 */
    const char *name;  /* as moat_engine_get_info tells it                  */

    /* Under the engine's lock; required. `install` leaves nothing behind when
     * it fails. `check` is called from signal handlers too. After `remove` no
     * range is watched any more; it returns MOAT_E_HANDLER_LOST if it had to
     * leave a handler in place. */
    moat_status (*install)(void);
    moat_status (*check)(void);
    moat_status (*remove)(void);

    /* In the signal handler: a SIGSEGV that the CPU raised. `siginfo` is the
     * siginfo_t. True: claimed, the context is as it has to be. False: nothing
     * of moat's; moat calls the previous handler. It is not called for a fault
     * inside a region's `fix`. NULL: moat looks the address up itself. */
    bool (*fault)(void *siginfo, void *ucontext);

    /* One at a time. Ranges do not overlap. `watch` gives MOAT_OK, or another
     * status and has no effect. Arenas are watched until `remove`; of regions
     * `unwatch` ends it. When `unwatch` returns, `fault` no longer uses the
     * range. Both NULL, or neither. */
    moat_status (*watch)(const moat_source_range *range);
    void (*unwatch)(const moat_source_range *range);
};

MOAT_BEGIN_DECLS

/**
 * Lets a fault region's `fix` repair a fault. To be called by `fault`, with its
 * own arguments.
 *
 * @return true: the context may be returned to as it is. false: declined.
 *
 * Thread-safety: any. Signal-safety: yes; legal nowhere else.
 */
MOAT_API bool moat_source_fix(const void *region, void *siginfo,
                              void *ucontext);

/**
 * Makes a fault the running guest's trap, if it is. To be called by `fault`,
 * with its own arguments.
 *
 * @return true: the context now leads to the resumer. false: not a guest's.
 *
 * Thread-safety: any. Signal-safety: yes; legal nowhere else.
 */
MOAT_API bool moat_source_deliver(void *siginfo, void *ucontext);

/**
 * Waits until every `fault` that was under way has returned: what the source
 * withdrew before is no longer looked at. To be called by `watch`, `unwatch`
 * and `remove`.
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API void moat_source_wait(void);

MOAT_END_DECLS

#endif
