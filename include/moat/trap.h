/*
 * trap.h: the record of a trap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_H
#define MOAT_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/limits.h>
#include <moat/status.h>

/* X(name, number, text). Numbers are pinned. */
/* clang-format off */
#define MOAT_TRAP_MAP(X)                                                       \
    X(MOAT_TRAP_STACK_OVERFLOW,  1, "stack overflow")                          \
    X(MOAT_TRAP_NULL,            2, "null pointer access")                     \
    X(MOAT_TRAP_MEMORY,          3, "invalid memory access")                   \
    X(MOAT_TRAP_EXEC,            4, "jump to memory that is not code")         \
    X(MOAT_TRAP_ALIGNMENT,       5, "misaligned access")                       \
    X(MOAT_TRAP_BUS,             6, "bus error")                               \
    X(MOAT_TRAP_ARITHMETIC,      7, "arithmetic fault")                        \
    X(MOAT_TRAP_ILLEGAL,         8, "illegal instruction")                     \
    X(MOAT_TRAP_BREAKPOINT,      9, "breakpoint or single step")               \
    X(MOAT_TRAP_ABORT,          10, "abort")                                   \
    X(MOAT_TRAP_SYSCALL,        11, "denied system call")                      \
    X(MOAT_TRAP_DEADLINE,       12, "time limit passed")                       \
    X(MOAT_TRAP_MEMORY_LIMIT,   13, "memory limit passed")                     \
    X(MOAT_TRAP_RAISED,         14, "raised on purpose")                       \
    X(MOAT_TRAP_EXIT,           15, "exit of the process")                     \
    X(MOAT_TRAP_THREAD_EXIT,    16, "exit of the thread")                      \
    X(MOAT_TRAP_SIGNAL,         17, "signal to its own process")               \
    X(MOAT_TRAP_JUMP,           18, "longjmp out of the coroutine")            \
    X(MOAT_TRAP_PROCESS,        19, "new process or program")                  \
    X(MOAT_TRAP_THREAD,         20, "new thread")
/* clang-format on */

/**
 * The kind of a trap.
 *
 * The library moat-malloc raises those from MOAT_TRAP_EXIT on, when a guest
 * makes a call that would end or change the host.
 */
typedef enum moat_trap_kind {
    /* No trap: "none". */
    MOAT_TRAP_NONE = 0,
#define MOAT_TRAP_ENUM(name, number, text) name = number,
    MOAT_TRAP_MAP(MOAT_TRAP_ENUM)
#undef MOAT_TRAP_ENUM
        MOAT_TRAP_FORCE_INT = 0x7fffffff
} moat_trap_kind;

/** The access that faulted. */
typedef enum moat_access {
    /* No access, or the CPU does not report which. */
    MOAT_ACCESS_NONE = 0,
    MOAT_ACCESS_READ = 1,
    MOAT_ACCESS_WRITE = 2,
    MOAT_ACCESS_EXEC = 3
} moat_access;

/** The owner of the memory at a faulting address, as far as moat knows. */
typedef enum moat_region {
    /* No memory of moat's, or no address. */
    MOAT_REGION_UNKNOWN = 0,
    /* The guard below the coroutine's stack. */
    MOAT_REGION_OWN_GUARD = 1,
    /* The coroutine's stack. */
    MOAT_REGION_OWN_STACK = 2,
    /* The guard of another coroutine's stack. */
    MOAT_REGION_OTHER_GUARD = 3,
    /* Another coroutine's stack. */
    MOAT_REGION_OTHER_STACK = 4,
    /* Unused memory of an arena. */
    MOAT_REGION_ARENA = 5
} moat_region;

/**
 * The record of a trap, decoded.
 *
 * Initialise the struct with MOAT_TRAP_INFO_INIT; moat_co_trap_info fills it
 * in.
 *
 * `address` is the address that the CPU reported. A general-protection fault
 * (a non-canonical address, a privileged instruction) comes without one:
 * `address` is then 0 and `access` is MOAT_ACCESS_NONE, and `regs` and `bytes`
 * are the evidence. After a jump or call to a non-canonical address the target
 * is known nevertheless. Nor is there an address if the kernel sent the signal
 * without an exception, as after a return from a handler that failed. If it
 * could not push a signal's frame onto the stack, `address` is the stack
 * pointer.
 *
 * After a jump to memory that cannot be executed, `pc` is the target of the
 * jump. After a jump to a non-canonical address it is the jump or the target,
 * as the CPU reports it.
 */
typedef struct moat_trap_info {
    /* sizeof(moat_trap_info); MOAT_TRAP_INFO_INIT sets it. */
    size_t struct_size;
    moat_trap_kind kind;
    /* The signal as delivered. 0: the trap took none. */
    int signo;
    /* The signal's si_code. */
    int code;
    /* The access to `address`. */
    moat_access access;
    /* Faulting address. 0 if the kind has none. */
    uintptr_t address;
    /* Program counter, stack pointer, frame pointer. */
    uintptr_t pc, sp, fp;
    /* Bytes between sp and the stack's base; the whole stack if sp lies outside
     * it. */
    size_t stack_used;
    /* The code at pc. */
    unsigned char bytes[16];
    /* Number of `bytes` that could be read. */
    unsigned byte_count;
    /* All general registers; valid until the coroutine is reset or destroyed.
     */
    const moat_regs *regs;
    /* MOAT_TRAP_RAISED: the argument of moat_trap_raise. MOAT_TRAP_EXIT: the
     * exit status. MOAT_TRAP_SIGNAL: the signal. MOAT_TRAP_JUMP: the value for
     * setjmp. */
    int user_code;
    /* Owner of the memory at `address`. */
    moat_region region;
    /* MOAT_TRAP_DEADLINE: the limit that has passed, of this coroutine or of
     * one that waits for it. MOAT_TRAP_MEMORY_LIMIT: MOAT_LIMIT_MEMORY.
     * MOAT_TRAP_SYSCALL: MOAT_LIMIT_SYSCALL. */
    moat_limit limit;
    /* The limit's value, and what had been used when it was found to have
     * passed; in nanoseconds or bytes. The memory that the guest asked for in
     * vain does not count as used. */
    uint64_t limit_asked, limit_used;
    /* The trap happened on the host's stack, in a moat_call_for_guest: pc, sp
     * and fp are there. */
    bool in_host_call;
    /* MOAT_TRAP_SYSCALL: the number of the call that was denied
     * (moat_syscall_name), and its arguments; `pc` is after it. */
    long syscall_number;
    uint64_t syscall_args[6];
    /* It was made by int 0x80 or with the x32 ABI, and the number and the
     * registers of the arguments are not those of the CPU's own. */
    bool syscall_is_foreign;
} moat_trap_info;

#define MOAT_TRAP_INFO_INIT                                                    \
    {                                                                          \
        sizeof(moat_trap_info), MOAT_TRAP_NONE, 0, 0, MOAT_ACCESS_NONE, 0, 0,  \
            0, 0, 0, {0}, 0, 0, 0, MOAT_REGION_UNKNOWN, MOAT_LIMIT_NONE, 0, 0, \
            false, 0, {0}, false                                               \
    }

MOAT_BEGIN_DECLS

/**
 * Describes a trap kind in a few words, such as "stack overflow".
 *
 * @param kind  any number
 * @return the words; a text for unknown numbers, too
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const char *moat_trap_kind_str(moat_trap_kind kind);

/**
 * Returns the name of a trap kind, such as "MOAT_TRAP_NULL".
 *
 * @param kind  any number
 * @return the name; "MOAT_TRAP_?" for an unknown number
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const char *moat_trap_kind_name(moat_trap_kind kind);

/**
 * Fills in the trap record of a trapped coroutine.
 *
 * @param co        any coroutine
 * @param[out] out  written only on MOAT_OK, up to its struct_size, which the
 *                  caller has set: MOAT_TRAP_INFO_INIT does. A field that the
 *                  library does not know becomes 0, and struct_size the size
 *                  that it knows, if that is less
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  co or out is NULL, or out->struct_size is that of no
 *                       version, such as 0
 *         MOAT_E_STATE  the coroutine is not trapped
 *
 * Ownership:     out->regs points into the coroutine
 * Thread-safety: any thread, while no other resets or destroys the coroutine
 * Signal-safety: yes
 * Legal in:      TRAPPED
 * See also:      moat_trap_info, moat_co_print_report, moat_co_lock_function
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_trap_info(const moat_co *co,
                                                      moat_trap_info *out);

/**
 * Reports whether a trapped coroutine may have left a lock of the C library
 * held.
 *
 * A guest that traps inside malloc or stdio leaves the lock that was held
 * there locked for the whole process: the next caller, on another thread, may
 * wait for ever. The result is the innermost function on the guest's frames
 * that holds such a lock while it runs. It knows the functions of the heap,
 * stdio, the time zone, the user and host databases, the system log, random,
 * the dynamic linker, the locale, the environment, the exit handlers,
 * pthread_once and regexec; docs/report.md lists them. A guest that traps in a
 * function that one of them called back counts, too.
 *
 * A name means that the lock may be held: a fault in free(bad) can come before
 * free takes it. NULL proves nothing: a lock taken by a function that has
 * returned (pthread_mutex_lock, flockfile), a library's own locks, and frames
 * that the backtrace does not find are not seen. In a static program snprintf
 * and others that hold nothing may be taken for vfprintf.
 *
 * The first call after a trap finds the result on the dead guest's stack, and
 * needs none of those locks on the owner's thread. The same holds for
 * moat_co_print_report and moat_co_write_json, which report it too.
 * moat_co_create and moat_co_destroy allocate.
 *
 * A host should finish what it can without that family of functions, and then
 * restart as a new process. Two designs avoid the problem: call the function
 * on the resumer's stack, by moat_call_on_parent, or give the guest an
 * allocator of its own. examples/guest_malloc.c and examples/guest_heap.c
 * show them; the library moat-malloc does both (docs/malloc.md, docs/libc.md).
 *
 * @param co        created by this thread
 * @param[out] out  the function's name, such as "malloc"; NULL: no such
 *                  function on the frames
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        co or out is NULL
 *         MOAT_E_STATE        the coroutine is not trapped
 *         MOAT_E_THREAD       it belongs to another thread
 *         MOAT_E_LIMIT        less than 8 KiB of the stack is left
 *         MOAT_E_UNSUPPORTED  this build has no unwinder
 *
 * Ownership:     *out is static storage
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      TRAPPED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_lock_function(const moat_co *co,
                                                          const char **out);

/**
 * Returns whether a coroutine is trapped and may have left a lock held.
 *
 * The short form of moat_co_lock_function.
 *
 * @param co  created by this thread; NULL is allowed
 * @return true if there is such a function, or if that cannot be found out;
 *         false in all states but TRAPPED
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      all states
 */
MOAT_API MOAT_NODISCARD bool moat_co_is_poisoned(const moat_co *co);

MOAT_END_DECLS

#endif
