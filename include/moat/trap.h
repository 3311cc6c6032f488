/*
 * trap.h: what a guest did, and where.
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
#include <moat/status.h>

/* X(name, number, text). Numbers are pinned. MOAT_TRAP_SYSCALL and
 * MOAT_TRAP_MEMORY_LIMIT are reserved: no coroutine is trapped so in this
 * version. */
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
    X(MOAT_TRAP_RAISED,         14, "raised on purpose")
/* clang-format on */

typedef enum moat_trap_kind {
    MOAT_TRAP_NONE = 0, /* no trap: "none" */
#define MOAT_TRAP_ENUM(name, number, text) name = number,
    MOAT_TRAP_MAP(MOAT_TRAP_ENUM)
#undef MOAT_TRAP_ENUM
        MOAT_TRAP_FORCE_INT = 0x7fffffff
} moat_trap_kind;

typedef enum moat_access {
    MOAT_ACCESS_NONE = 0, /* no access, or the CPU does not tell which */
    MOAT_ACCESS_READ = 1,
    MOAT_ACCESS_WRITE = 2,
    MOAT_ACCESS_EXEC = 3
} moat_access;

/* Whose memory the faulting address lies in, as far as moat knows it. */
typedef enum moat_region {
    MOAT_REGION_UNKNOWN = 0,     /* nothing of moat's, or no address       */
    MOAT_REGION_OWN_GUARD = 1,   /* the guard below the coroutine's stack  */
    MOAT_REGION_OWN_STACK = 2,   /* its stack                              */
    MOAT_REGION_OTHER_GUARD = 3, /* the guard of another coroutine's stack */
    MOAT_REGION_OTHER_STACK = 4, /* another coroutine's stack              */
    MOAT_REGION_ARENA = 5        /* memory of an arena that is not in use  */
} moat_region;

/**
 * The trap record, decoded. Filled in by moat_co_trap_info.
 *
 * `address` is what the CPU reported. A general-protection fault (an address
 * that is not canonical, a privileged instruction) comes without one: then
 * `address` is 0, `access` MOAT_ACCESS_NONE, and `regs` and `bytes` are the
 * evidence; but of a jump or call to such an address the target is known.
 *
 * After a jump to memory that cannot be executed `pc` is the target of the
 * jump; after one to an address that is not canonical it is the jump or the
 * target, as the CPU has it.
 */
typedef struct moat_trap_info {
    size_t
        struct_size; /* sizeof(moat_trap_info); MOAT_TRAP_INFO_INIT sets it */
    moat_trap_kind kind;
    int signo;            /* the signal as delivered; 0: none was needed    */
    int code;             /* its si_code                                    */
    moat_access access;   /* what the guest tried at `address`              */
    uintptr_t address;    /* faulting address; 0 where the kind has none    */
    uintptr_t pc, sp, fp; /* program counter, stack and frame pointer       */
    size_t stack_used;    /* bytes between sp and the stack's base; the
                             whole stack when sp lies outside it            */
    unsigned char bytes[16]; /* the code at pc */
    unsigned byte_count;   /* how many of `bytes` could be read              */
    const moat_regs *regs; /* all general registers; valid until the coroutine
                              is reset or destroyed                          */
    int user_code;         /* MOAT_TRAP_RAISED: the argument of
                              moat_trap_raise                                */
    moat_region region;    /* what `address` belongs to                      */
} moat_trap_info;

#define MOAT_TRAP_INFO_INIT                                                   \
    {                                                                         \
        sizeof(moat_trap_info), MOAT_TRAP_NONE, 0, 0, MOAT_ACCESS_NONE, 0, 0, \
            0, 0, 0, {0}, 0, 0, 0, MOAT_REGION_UNKNOWN                        \
    }

MOAT_BEGIN_DECLS

/**
 * Describes a trap kind in a few words: "stack overflow".
 *
 * Ownership: static storage. Thread-safety: any. Signal-safety: yes.
 */
MOAT_API const char *moat_trap_kind_str(moat_trap_kind kind);

/**
 * Names a trap kind: "MOAT_TRAP_NULL"; "MOAT_TRAP_?" for an unknown number.
 *
 * Ownership: static storage. Thread-safety: any. Signal-safety: yes.
 */
MOAT_API const char *moat_trap_kind_name(moat_trap_kind kind);

/**
 * Tells what stopped a trapped coroutine.
 *
 * @param co        a coroutine in the state TRAPPED
 * @param[out] out  written only on MOAT_OK, as far as its struct_size says; a
 *                  struct_size of 0 stands for this version's
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  co or out is NULL
 *         MOAT_E_STATE  the coroutine is not trapped
 *
 * Ownership:     out->regs points into the coroutine
 * Thread-safety: any thread, while nobody resets or destroys the coroutine
 * Signal-safety: yes
 * Legal in:      TRAPPED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_trap_info(const moat_co *co,
                                                      moat_trap_info *out);

/**
 * Tells whether a trapped coroutine may have left a lock of the process's held:
 * the innermost function on its frames that takes one, of the C library's.
 * Those are the heap's, stdio's, the time zone's, the user and host databases',
 * the system log's, random's, the dynamic linker's, the locale's, the
 * environment's and the exit handlers'; docs/report.md lists them. The next
 * caller of one of that family, on another thread, may wait for ever.
 *
 * "May": a fault in free(bad) can come before free takes its lock. And a lock
 * that was taken by a function that has returned, as pthread_mutex_lock, is on
 * no frame: NULL is no proof of the contrary.
 *
 * Answered from the dead guest's stack, at the first question after a trap, by
 * means that need none of those locks.
 *
 * @param co        a coroutine in the state TRAPPED
 * @param[out] out  the function's name, "malloc"; NULL: none on its frames
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        co or out is NULL
 *         MOAT_E_STATE        the coroutine is not trapped
 *         MOAT_E_THREAD       it belongs to another thread
 *         MOAT_E_LIMIT        too little stack is left to a guest for it
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
 * Is the coroutine trapped, and may it have left a lock held? The short form of
 * moat_co_lock_function; true also where that one cannot tell.
 *
 * Thread-safety: the owner's thread. Signal-safety: no.
 * Legal in:      all states
 */
MOAT_API MOAT_NODISCARD bool moat_co_is_poisoned(const moat_co *co);

MOAT_END_DECLS

#endif
