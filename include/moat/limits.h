/*
 * limits.h: what a guest may use up.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_LIMITS_H
#define MOAT_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/**
 * Limits of one coroutine. 0 in a field: no such limit. A field that this build
 * cannot enforce makes moat_co_create return MOAT_E_UNSUPPORTED, never a guest
 * that runs without the limit.
 *
 * A passed time limit is the event MOAT_EVENT_TRAP with MOAT_TRAP_DEADLINE. It
 * comes late by the timer's latency (tens of microseconds on a quiet machine,
 * the scheduler's delay on a busy one), never early. Time that a coroutine
 * spends in coroutines it has resumed counts as its own; when the limit of a
 * coroutine that waits for a deeper one passes, the deeper one is trapped
 * first, then the waiting one as soon as it runs again. In a forked child the
 * limits that were in force go on with what is left of them.
 *
 * What it takes of the thread that resumes:
 *
 * - The signal of moat_engine_options.deadline_signal must reach moat. The
 *   first limited resume unblocks it; a host that blocks it afterwards has no
 *   time limits until it unblocks it (moat_engine_check tells). One that was
 *   taken by somebody else, as sigwait does, costs the limits in force then, no
 *   later ones.
 * - The timer is not stopped when a coroutine stops in time, for that would
 *   cost a system call per resume. Its signal then comes once more, at most, in
 *   the host's own code: poll, nanosleep, epoll_wait and the others that
 *   SA_RESTART does not restart (signal(7)) fail with EINTR. A ppoll, pselect
 *   or epoll_pwait whose mask blocks the signal does not.
 * - Under ThreadSanitizer, whose runtime holds signals back and then shows the
 *   handler a copy of the context, no code is cut: a deadline waits until the
 *   guest leaves a no-trap section or comes back from a function of moat's, and
 *   a loop that does neither runs on.
 */
typedef struct moat_limits {
    size_t struct_size; /* sizeof(moat_limits); MOAT_LIMITS_INIT sets it     */
    uint64_t
        resume_cpu_ns;     /* CPU nanoseconds of the thread, per resume; may be
                              exceeded by up to an eighth before it is noticed  */
    uint64_t total_cpu_ns; /* CPU nanoseconds over the coroutine's life:
                              MOAT_E_UNSUPPORTED in this version */
    uint64_t wall_ns;  /* nanoseconds of CLOCK_MONOTONIC, per resume        */
    uint64_t slice_ns; /* preemption: MOAT_E_UNSUPPORTED in this version    */
    uint64_t memory_bytes; /* the guest's heap: MOAT_E_UNSUPPORTED in this
                              version; use an allocator with a quota */
} moat_limits;

#define MOAT_LIMITS_INIT                   \
    {                                      \
        sizeof(moat_limits), 0, 0, 0, 0, 0 \
    }

#endif
