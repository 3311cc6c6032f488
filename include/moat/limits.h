/*
 * limits.h: the resources that a guest may use.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_LIMITS_H
#define MOAT_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/syscall.h>

/* X(name, number, text). Numbers are pinned. */
/* clang-format off */
#define MOAT_LIMIT_MAP(X)                                                      \
    X(MOAT_LIMIT_RESUME_CPU,  1, "CPU time per resume")                        \
    X(MOAT_LIMIT_TOTAL_CPU,   2, "total CPU time")                             \
    X(MOAT_LIMIT_WALL,        3, "time per resume")                            \
    X(MOAT_LIMIT_TOTAL_WALL,  4, "total time")                                 \
    X(MOAT_LIMIT_MEMORY,      5, "memory")                                     \
    X(MOAT_LIMIT_SYSCALL,     6, "system calls")
/* clang-format on */

/** The limit that a guest has passed. */
typedef enum moat_limit {
    /* No limit: the trap has another cause. */
    MOAT_LIMIT_NONE = 0,
#define MOAT_LIMIT_ENUM(name, number, text) name = number,
    MOAT_LIMIT_MAP(MOAT_LIMIT_ENUM)
#undef MOAT_LIMIT_ENUM
        MOAT_LIMIT_FORCE_INT = 0x7fffffff
} moat_limit;

/**
 * Resource limits of one coroutine, for moat_co_options.
 *
 * Initialise the struct with MOAT_LIMITS_INIT. 0 in a field means no such
 * limit. If this build cannot enforce a field, moat_co_create returns
 * MOAT_E_UNSUPPORTED; a guest never runs without a limit that was asked for.
 *
 * When a time limit passes, the guest traps with MOAT_TRAP_DEADLINE;
 * moat_trap_info has the limit, and the time used. The trap is never early. It
 * is late by at most 2 % of the limit or half a millisecond, whichever is more,
 * plus the time that the system takes to deliver a signal: on a busy machine,
 * the scheduler's delay. It is deferred in no-trap sections and in the
 * library's own code.
 *
 * The time of the coroutines that a coroutine resumes counts as its own. So
 * does the time of its host calls, but a coroutine that one of these resumes is
 * not stopped by the limit. If an outer coroutine's limit passes while an inner
 * one runs, the inner one traps first and the outer one as soon as it runs
 * again. In a forked child the limits in force continue with what is left of
 * them.
 *
 * A limit per resume costs next to nothing. A timer watches, and the first
 * signal that finds a guest running starts its clock. Where resumes are rare
 * (one in a few microseconds or less), each of them reads the clock instead.
 * Where they are frequent, one in hundreds or thousands reads it, and sets the
 * timer again before it fires.
 *
 * A total is exact: each resume of such a coroutine reads the clock on its way
 * in and out. Otherwise a guest whose resumes are short would never use up its
 * total. CPU time takes a system call only where the thread has slept, or was
 * interrupted, since it was last read, or a quarter of a millisecond has
 * passed; without restartable sequences (rseq(2)), each time. A guest whose
 * total is used up when it is resumed traps before it runs. A total covers one
 * life: moat_co_reset begins another. MOAT_CO_EXACT_USAGE counts the same
 * without a limit; moat_co_usage has the figures.
 *
 * A deadline can stop the guest at any instruction, even inside malloc or
 * stdio. Their locks then stay held, and their lists and buffers half changed,
 * for the whole process. A guest with a time limit should call such functions
 * in a no-trap section or by moat_call_on_parent; the library moat-malloc does
 * so for guests that know nothing of moat. docs/threat-model.md lists what else
 * can be left behind.
 *
 * The end of a slice does not end the guest. After `slice_ns` of CPU time in
 * one resume, the guest is suspended at the instruction that it has reached,
 * and the resume returns MOAT_EVENT_PREEMPT. The next resume, or a transfer to
 * it, begins a new slice and continues there, with all registers, flags and
 * errno as they were; the value passed to it is not used. Since each slice is
 * a resume, a limit per resume that is longer than a slice never passes: give
 * such a guest a total.
 *
 * A slice may be shorter or longer than asked for, by an eighth of its length
 * and ten microseconds. It ends only where a deadline could stop the running
 * guest: not in no-trap sections, host calls and the library's own code, not
 * in code that the recovery policy excludes, not on a stack of the guest's own
 * that is not registered (moat_stack_register), and not where less than about 4
 * KiB of stack is left (the registers take 3 KiB with AVX-512, and 11 KiB while
 * AMX tiles are in use). Elsewhere it waits, and moat_poll returns true
 * meanwhile. A guest that has resumed another one is suspended once it runs
 * again. A child that a guest forks has no slices, unless MOAT_CO_FORK_RETURNS
 * is set.
 *
 * A resume may return before the guest has read what its input points to, which
 * must exist until then (moat.hpp keeps it). Preempted guests share data as
 * threads do: two of them must not resume the same coroutine at once. In a
 * program in C++ a guest that is suspended inside a catch clause keeps the
 * exceptions that it is handling to itself; for that, resumes of guests with
 * slices are not inline there.
 *
 * The signal mask is the thread's, as in a yield: what the guest blocks stays
 * blocked while it is suspended, for the host and for other guests.
 *
 * A guest that is suspended inside malloc or stdio keeps their locks until it
 * is resumed. If the host takes such a lock first, it waits for ever; where the
 * lock may be taken twice by a thread (that of a FILE), it goes on with what is
 * half changed. So do as for deadlines: give the guest a heap of its own, let
 * the library moat-malloc make its calls, or put them into no-trap sections. A
 * preempted guest is not at a call, so moat_co_cancel and moat_co_destroy do
 * not unwind it; they run its moat_co_defer functions. While they unwind
 * another one, its cleanup code has no slices; its limits hold. On a CPU
 * without XSAVE, or that moat has no port for, slices are MOAT_E_UNSUPPORTED.
 *
 * Time limits have effects on the thread that resumes:
 *
 * - The signal moat_engine_options.deadline_signal must reach moat. The first
 *   limited resume unblocks it. A thread that blocks it afterwards has no time
 *   limits until it unblocks it; moat_engine_check reports that and
 *   moat_thread_attach repairs it. If other code consumes the signal
 *   (sigwait), it comes again ten milliseconds later.
 * - The timer is not stopped when a coroutine stops in time, since that would
 *   take a system call per resume. Its signal may then arrive once or twice
 *   more, in code of the host: poll, nanosleep, epoll_wait and the other calls
 *   that SA_RESTART does not restart (signal(7)) fail with EINTR. A ppoll,
 *   pselect or epoll_pwait whose mask blocks the signal does not.
 * - ThreadSanitizer's runtime delays signals and shows the handler a copy of
 *   the context, so under it no code is interrupted: a deadline waits until
 *   the guest leaves a no-trap section or returns from a function of moat. A
 *   loop that does neither runs on.
 */
typedef struct moat_limits {
    /* sizeof(moat_limits); MOAT_LIMITS_INIT sets it. */
    size_t struct_size;
    /* CPU nanoseconds of the thread, per resume. */
    uint64_t resume_cpu_ns;
    /* CPU nanoseconds of the thread, of all resumes until a reset. */
    uint64_t total_cpu_ns;
    /* Nanoseconds of CLOCK_MONOTONIC, per resume. */
    uint64_t wall_ns;
    /* CPU nanoseconds of the thread, per resume: then the guest is suspended,
     * and the resume returns MOAT_EVENT_PREEMPT. At least 20,000; less:
     * MOAT_E_INVAL. */
    uint64_t slice_ns;
    /* Bytes of the guest's heap: the quota of moat_co_heap, which the coroutine
     * then owns (moat_heap_create has the range). It bounds what is taken from
     * that heap. Memory from malloc or mmap counts only with the library
     * moat-malloc (docs/malloc.md). */
    uint64_t memory_bytes;
    /* Nanoseconds of CLOCK_MONOTONIC, of all resumes until a reset. */
    uint64_t total_wall_ns;
    /* The policy for the guest's system calls; NULL: they are not seen.
     * moat_co_create copies it. */
    const moat_syscall_policy *syscalls;
} moat_limits;

#define MOAT_LIMITS_INIT                                                      \
    {                                                                         \
        sizeof(moat_limits), 0, 0, 0, 0, 0, 0, (const moat_syscall_policy *)0 \
    }

MOAT_BEGIN_DECLS

/**
 * Describes a limit in a few words, such as "CPU time per resume".
 *
 * @param limit  any number
 * @return the words; a text for unknown numbers, too
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const char *moat_limit_str(moat_limit limit);

/**
 * Returns the name of a limit, such as "MOAT_LIMIT_WALL".
 *
 * @param limit  any number
 * @return the name; "MOAT_LIMIT_?" for an unknown number
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const char *moat_limit_name(moat_limit limit);

MOAT_END_DECLS

#endif
