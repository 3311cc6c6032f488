/*
 * syscall.h: the system calls of a guest, decided by its host, and those of a
 * thread, bounded for good.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYSCALL_H
#define MOAT_SYSCALL_H

#include <stddef.h>
#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/status.h>

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
 * sigaltstack with a new stack, rt_sigaction of SIGSYS with a new action,
 * arch_prctl with ARCH_SET_FS, and what unmaps, replaces, protects or drops the
 * page of the thread's locals that the filter is in (munmap, mmap and shmat at
 * a fixed address, mremap, mprotect, madvise; process_madvise always). An
 * rt_sigprocmask leaves SIGSYS unblocked.
 *
 * Calls by int 0x80 and calls of the x32 ABI trap without being passed to
 * `decide`: their numbers mean something else.
 *
 * With `code`, a call is dispatched only if a byte of its instruction lies in
 * that range, such as that of a JIT compiler's code. Calls by other code that
 * it calls, the C library's included, are not, and cost what they always cost.
 * The range is one of addresses: that code is registered or unregistered there
 * changes nothing, and it applies until the coroutine is destroyed. A guest
 * that waits for another one must have no policy, or one for the same code:
 * else the resume returns MOAT_E_UNSUPPORTED.
 *
 * Where the kernel lacks Syscall User Dispatch (it came with Linux 5.11, for
 * x86-64; for `code`, with Linux 6.17), moat_co_create returns
 * MOAT_E_UNSUPPORTED, as it does under Valgrind and ThreadSanitizer.
 * docs/guest-system-calls.md describes what is seen, what it costs, and what a
 * host has to know of its signal handlers.
 */
typedef struct moat_syscall_policy {
    /* sizeof(moat_syscall_policy); MOAT_SYSCALL_POLICY_INIT sets it. */
    size_t struct_size;
    /* Called with the coroutine whose policy it is, which runs or has resumed
     * the one that runs; NULL: every call traps. */
    moat_syscall_verdict (*decide)(moat_co *co, moat_syscall *call, void *arg);
    /* Passed to `decide`. */
    void *arg;
    /* The first byte of the code whose calls are dispatched; NULL: all code. */
    const void *code;
    /* In bytes; 0 if and only if `code` is NULL. */
    size_t code_bytes;
} moat_syscall_policy;

#define MOAT_SYSCALL_POLICY_INIT                                              \
    {                                                                         \
        sizeof(moat_syscall_policy), (void *)0, (void *)0, (const void *)0, 0 \
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

/**
 * Bounds the system calls of the calling thread, until it ends.
 *
 * Afterwards the thread can make the calls of the list and those that the
 * library needs to run guests on it (docs/guest-system-calls.md lists them). No
 * others: the kernel refuses them (seccomp), and nothing that a guest does
 * lifts that, even if it has written the memory by which a moat_syscall_policy
 * is enforced. A list that is short bounds the harm that such a guest can do to
 * what is outside the process. It does not protect the process, nor what its
 * other threads can reach, since code that means harm can make them run what it
 * likes: against such code confine all of them.
 *
 * A guest that makes a call which is refused traps with MOAT_TRAP_SYSCALL and
 * MOAT_LIMIT_SYSCALL, where a fault would trap; so does one by int 0x80 or of
 * the x32 ABI, whatever its number. In other code, such as the host's own, the
 * call fails with EPERM, as fork and the start of a thread do in any code,
 * unless they are listed. Once the thread is detached or the engine is shut
 * down, or while the thread blocks SIGSYS, a refused call ends the process.
 *
 * The bound is inherited by what the thread starts, if the list allows that,
 * and does not apply to other threads. A second call can only narrow it. The
 * thread gets no new privileges (PR_SET_NO_NEW_PRIVS): a set-user-ID program
 * that it executes has none.
 *
 * Attaches the thread. SIGSYS is unblocked.
 *
 * @param calls  numbers of system calls: SYS_write and so on; may be NULL if
 *               `count` is 0. Only read during the call
 * @param count  how many; numbers may come twice
 *
 * @return MOAT_OK; a status of moat_thread_attach; or, with the thread not
 *         bounded,
 *         MOAT_E_STATE        a guest is running
 *         MOAT_E_INVAL        a number is none of the CPU's own ABI, or the
 *                             list is too long
 *         MOAT_E_UNSUPPORTED  the kernel has no seccomp, or does not allow it;
 *                             under Valgrind and ThreadSanitizer; with
 *                             MOAT_SWITCH=threads; without a port to the CPU
 *         MOAT_E_NOMEM        no memory
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host
 * See also:      moat_syscall_policy
 */
MOAT_API MOAT_NODISCARD moat_status moat_thread_confine(const long *calls,
                                                        size_t count);

MOAT_END_DECLS

#endif
