/*
 * filter.h: the filter of this thread's system calls.
 *
 * A guest with a policy must not reach the kernel by itself; the library and
 * the host must. So the thread has a byte that the kernel reads at each of its
 * system calls, the selector. What runs decides what it is:
 *
 *   the code of a guest              `guest`: whether a policy applies to it
 *   the library on a guest's stack   off: it pauses the filter meanwhile
 *   handlers of the library          off, from their first lines on
 *   the host                         off
 *
 * A policy for some code alone needs none of that: the kernel dispatches the
 * calls of that code, whoever runs it, and the selector stays off.
 *
 * All state is thread-local and shared only with this thread's handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_FILTER_H
#define MOAT_SYS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/status.h>
#include <moat/syscall.h>

/* Values of the selector, as the kernel has them. */
#define MOAT_FILTER_OFF ((unsigned char)0)
#define MOAT_FILTER_ON  ((unsigned char)1)

/* The code whose calls are dispatched; both 0: all, by the selector. */
struct moat_filter_scope {
    uintptr_t begin, end;
};

struct moat_filter {
    volatile unsigned char selector;
    volatile unsigned char guest; /* what it is in the running guest's code  */
    bool armed;  /* the thread has had a guest with a policy; else all is off */
    bool lapsed; /* and yet nothing is on until the next moat_filter_arm      */
    bool confined; /* the thread's calls are bounded as well (confine.h)      */
    struct moat_filter_scope scope; /* if it is armed                         */
};

extern __thread struct moat_filter moat_filter
    __attribute__((tls_model("initial-exec")));

static inline bool moat_scope_is_all(const struct moat_filter_scope *scope)
{
    return scope->end == 0;
}

static inline bool moat_scopes_equal(const struct moat_filter_scope *a,
                                     const struct moat_filter_scope *b)
{
    return a->begin == b->begin && a->end == b->end;
}

/* Returns whether only the calls of some code are dispatched. Signal-safe: yes.
 */
static inline bool moat_filter_is_partial(void)
{
    return !moat_scope_is_all(&moat_filter.scope);
}

/* Has the kernel dispatch this thread's calls from now on, and no others. The
 * filter is paused. MOAT_E_UNSUPPORTED, with a note, if it does not offer that.
 * A forked child has to ask anew, and whatever it was forked by, this function
 * knows. */
moat_status moat_filter_arm(const struct moat_filter_scope *scope);
void moat_filter_disarm(void);

/* Nothing is dispatched until the next moat_filter_arm. Signal-safe: yes. */
void moat_filter_lapse(void);

/* MOAT_E_HANDLER_LOST: the thread blocks the signal that a call is dispatched
 * or refused by; the kernel would kill it. Repair unblocks it. */
moat_status moat_filter_check(void); /* Signal-safe: yes. */
void moat_filter_repair(void);

/* Lets the library make system calls, and undoes that: nests. Signal-safe: yes.
 */
static inline unsigned char moat_filter_pause(void)
{
    unsigned char before = moat_filter.selector;

    moat_filter.selector = MOAT_FILTER_OFF;
    return before;
}

static inline void moat_filter_restore(unsigned char before)
{
    moat_filter.selector = before;
}

/* The running guest's own code goes on. Signal-safe: yes. */
static inline void moat_filter_resume_guest(void)
{
    moat_filter.selector = moat_filter.guest;
}

/* Returns whether the thread still has its filter after a call that changes
 * what memory there is: it lies elsewhere. Signal-safe: yes. */
bool moat_filter_survives(const moat_syscall *call);

/* Must be called after a call was made for a guest: it may have blocked the
 * signal by which the next one is seen. */
void moat_filter_performed(const moat_syscall *call);

#endif
