/*
 * syscall.h: the system calls of a guest, decided by its host.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYSCALL_H
#define MOAT_SYSCALL_H

#include <stddef.h>
#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>

/** A system call that a guest is about to make. */
typedef struct moat_syscall {
    /* The system's number of it: SYS_write and so on (syscalls(2)). */
    long number;
    uint64_t args[6];
    /* MOAT_SYSCALL_EMULATE: what the guest sees: the result, or -errno for an
     * error. */
    long result;
} moat_syscall;

/** The decision about a system call. */
typedef enum moat_syscall_verdict {
    /* The guest traps: MOAT_TRAP_SYSCALL. */
    MOAT_SYSCALL_TRAP = 0,
    /* The call is not made; the guest sees `result`. */
    MOAT_SYSCALL_EMULATE = 1,
    /* The call is made with the number and the arguments of the struct. */
    MOAT_SYSCALL_PERFORM = 2,
    MOAT_SYSCALL_FORCE_INT = 0x7fffffff
} moat_syscall_verdict;

/**
 * The system calls of a coroutine, for moat_limits.
 *
 * Initialise the struct with MOAT_SYSCALL_POLICY_INIT. `decide` is called for
 * each system call of the guest, on its resumer's stack, as by
 * moat_call_on_parent: not in a signal handler, and with the rights of the
 * resumer. So it may do what a host call may: make system calls, allocate, log,
 * read and write the memory that the arguments point to. It must return: it
 * cannot yield, and a longjmp or an exception out of it is a bug of the host.
 * It must not resume, cancel, reset or destroy the guest.
 *
 * A result that is no moat_syscall_verdict counts as MOAT_SYSCALL_TRAP. Before
 * MOAT_SYSCALL_PERFORM it may change the number and the arguments. To check
 * memory that another thread may change is no protection: copy what matters.
 *
 * These are never performed, and trap whatever `decide` returns: new threads
 * and processes, which would have no policy (clone, clone3, fork, vfork);
 * rt_sigreturn; io_uring_setup, io_uring_enter and io_uring_register, since the
 * calls of a ring are not seen here; and what would take from the library what
 * it needs to see the next call: prctl with PR_SET_SYSCALL_USER_DISPATCH,
 * sigaltstack with a new stack, rt_sigaction of SIGSYS with a new action, and
 * arch_prctl with ARCH_SET_FS. An rt_sigprocmask leaves SIGSYS unblocked.
 *
 * Calls by int 0x80 and calls of the x32 ABI trap without being passed to
 * `decide`: their numbers mean something else.
 *
 * Where the kernel lacks Syscall User Dispatch (it came with Linux 5.11, for
 * x86-64), moat_co_create returns MOAT_E_UNSUPPORTED, as it does under Valgrind
 * and ThreadSanitizer. docs/guest-system-calls.md describes what is seen, what
 * it costs, and what a host has to know of its signal handlers.
 */
typedef struct moat_syscall_policy {
    /* sizeof(moat_syscall_policy); MOAT_SYSCALL_POLICY_INIT sets it. */
    size_t struct_size;
    /* Called with the coroutine whose policy it is, which runs or has resumed
     * the one that runs; NULL: every call traps. */
    moat_syscall_verdict (*decide)(moat_co *co, moat_syscall *call, void *arg);
    /* Passed to `decide`. */
    void *arg;
} moat_syscall_policy;

#define MOAT_SYSCALL_POLICY_INIT                          \
    {                                                     \
        sizeof(moat_syscall_policy), (void *)0, (void *)0 \
    }

MOAT_BEGIN_DECLS

/**
 * Returns the name of a system call, such as "openat".
 *
 * @param number  any number, of the CPU's own ABI; one of x32 has the name of
 *                the same call
 * @return the name; "?" for a number that this version does not know
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const char *moat_syscall_name(long number);

MOAT_END_DECLS

#endif
