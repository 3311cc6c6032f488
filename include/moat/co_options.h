/*
 * co_options.h: what a coroutine is created with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CO_OPTIONS_H
#define MOAT_CO_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/heap.h>
#include <moat/limits.h>
#include <moat/script.h>

/* Scrubbing: what the next user of the stack finds on it. */
#define MOAT_CO_SCRUB_NONE    0u /* the old contents                      */
#define MOAT_CO_SCRUB_ZERO    1u /* zeros; the memory stays resident      */
#define MOAT_CO_SCRUB_DISCARD 2u /* zeros; the memory goes to the system  */
#define MOAT_CO_SCRUB_MASK    3u

/* Recovery: where a fault or a deadline may stop the guest. */
#define MOAT_CO_RECOVER_ANYWHERE 0u /* everywhere, malloc included         */
#define MOAT_CO_RECOVER_CODE     4u /* only in registered code             */
#define MOAT_CO_RECOVER_NEVER    8u /* nowhere                             */
#define MOAT_CO_RECOVER_MASK     12u

/* Forks: whether the child that a guest forks may come back from the resume. */
#define MOAT_CO_FORK_RETURNS 16u

/* Where a coroutine's record and stack lie. */
typedef enum moat_stack_kind {
    MOAT_STACK_OWN = 0,    /* in memory of moat's, above a guard          */
    MOAT_STACK_COPIED = 1, /* on one stack with others, in turns          */
    MOAT_STACK_CALLER = 2, /* in memory that the caller lends             */
} moat_stack_kind;

/* What the record takes of lent memory, at most; moat_co_size has it exact for
 * its arguments. */
#define MOAT_CO_RECORD_BYTES ((size_t)4 << 10)

/* Time: moat_co_usage knows what the coroutine has used. */
#define MOAT_CO_EXACT_USAGE 32u

/* The exit status of a forked child that would have come back. */
#define MOAT_FORK_EXIT_STATUS 70

/**
 * Options of a coroutine: its stack, policies, name, limits and script.
 *
 * Initialise the struct with MOAT_CO_OPTIONS_INIT and set the fields that
 * matter. 0 in a field selects the default. moat_co_create copies the struct,
 * the name, the limits and the script.
 *
 * `flags` combines one scrubbing policy, one recovery policy,
 * MOAT_CO_FORK_RETURNS and MOAT_CO_EXACT_USAGE. Scrubbing happens when the
 * stack changes hands (destroy) and at reset:
 *
 *   MOAT_CO_SCRUB_NONE
 *     The default: the old contents stay, at no cost. This is right if one
 *     tenant reuses its own stacks. It is wrong between tenants that must not
 *     read each other's data.
 *   MOAT_CO_SCRUB_ZERO
 *     Zeros. Touched pages stay resident where /proc/self/pagemap can be read.
 *     The stacks of destroyed coroutines wait, up to 64 of them or 16 MiB, and
 *     are zeroed together before they are reused.
 *   MOAT_CO_SCRUB_DISCARD
 *     Zeros. The memory goes back to the system.
 *
 * The recovery policy says where a fault or a deadline may stop the guest.
 * Elsewhere the host has to deal with it, as in a no-trap section: a fault
 * goes to the previous handler or ends the process; a deadline waits, and
 * moat_poll reports it. moat_trap_raise and the recovery point of
 * moat_notrap_call work under every policy. docs/threat-model.md has a table.
 *
 *   MOAT_CO_RECOVER_ANYWHERE
 *     The default: everywhere, also in malloc.
 *   MOAT_CO_RECOVER_CODE
 *     Only where the program counter is in registered code
 *     (moat_code_register), or at an address without code to which registered
 *     code jumped. Helpers in C are not interrupted.
 *   MOAT_CO_RECOVER_NEVER
 *     Nowhere.
 *
 * MOAT_CO_EXACT_USAGE makes each resume of the coroutine read the clocks on its
 * way in and out, for moat_co_usage; moat_limits says what that takes. Limits
 * need it no more than is said there.
 *
 * `stack_kind` selects where the record and the stack lie (docs/stacks.md):
 *
 *   MOAT_STACK_OWN
 *     The default: a stack of moat's own, above a guard, from the thread's
 *     pool. The record lies apart from it.
 *   MOAT_STACK_COPIED
 *     The coroutines of a thread that have these sizes take turns on one stack
 *     of moat's, above a guard. The frames of one that waits are copied away
 *     when another one needs the stack, and cost what they are long. Pointers
 * to a local of one that waits are invalid. While one of them runs, or waits
 *     for one that it has resumed, the others cannot be resumed.
 *   MOAT_STACK_CALLER
 *     Everything lies in `stack_memory`, of `stack_bytes` bytes, the record,
 *     the guard and a copy of the name included (moat_co_size). moat allocates
 *     nothing for the coroutine, neither at its creation nor later. The memory
 *     must be readable and writable, and stay the coroutine's until
 *     moat_co_destroy has returned. With guard_bytes 0 there is no guard, and
 *     an overflow is not noticed: it overwrites what lies below. With another
 *     number the lowest pages become inaccessible until the destroy (mprotect).
 *
 * A guest may fork, itself or by a host call. In the child it goes on, and may
 * exec, exit, recover from faults in moat_notrap_call, and run coroutines of
 * its own. But there is only one host: in the child, the resume in which the
 * guest runs never returns. If the guest returns, yields, transfers to one that
 * does, throws or passes a limit (those in force at the fork go on in the
 * child), the child ends by _exit(MOAT_FORK_EXIT_STATUS) with a line on
 * standard error. If it faults, the signal's default action ends it, so that
 * the parent sees the signal; no handler of the host's runs. With
 *
 *   MOAT_CO_FORK_RETURNS
 *     the resume returns in the child, too, as in a fork of the host's own. The
 *     host asks getpid() before the resume and after it: a child of a guest is
 *     where the two differ.
 *
 * This holds for fork(3), and what is built on it. The system call itself and
 * _Fork run no fork handlers: such a child is taken for the host's. A child
 * that shares the memory (vfork, posix_spawn, system, CLONE_VM) is never the
 * host: a fault ends it by the signal.
 */
typedef struct moat_co_options {
    /* sizeof(moat_co_options); MOAT_CO_OPTIONS_INIT sets it. */
    size_t struct_size;
    /* Usable bytes, 4 KiB to 64 GiB, rounded up to pages; the stack may be a
     * few KiB larger. 0: 256 KiB. With MOAT_STACK_CALLER all bytes of
     * stack_memory, not rounded. */
    size_t stack_bytes;
    /* Inaccessible bytes below the stack, at most 64 GiB, rounded up to pages.
     * 0: 64 KiB; with MOAT_STACK_CALLER none. A frame larger than the guard can
     * jump over it unless its code probes the stack page by page
     * (-fstack-clash-protection). */
    size_t guard_bytes;
    /* MOAT_CO_SCRUB_... | MOAT_CO_RECOVER_... | MOAT_CO_FORK_RETURNS |
     * MOAT_CO_EXACT_USAGE; 0: no scrubbing, recovery anywhere, no second host,
     * time not added up. */
    uint64_t flags;
    /* For moat_co_user. The library never dereferences it. */
    void *user;
    /* Shown in backtraces and reports; copied. NULL: none. */
    const char *name;
    /* Resource limits; copied. NULL: none but the stack. */
    const moat_limits *limits;
    /* How to read the script of the interpreter that runs in the coroutine, for
     * backtraces; copied. NULL: there is no script. */
    const moat_script *script;
    /* For moat_co_heap; stays the caller's, and must outlive the coroutine.
     * NULL: one of its own if limits->memory_bytes is not 0, else none. Both at
     * once are refused (MOAT_E_INVAL). */
    moat_heap *heap;
    /* With MOAT_STACK_CALLER: the memory that the coroutine lies in, of any
     * alignment; its begin a multiple of the page size if there is a guard.
     * NULL with MOAT_STACK_OWN. */
    void *stack_memory;
    /* See above. */
    moat_stack_kind stack_kind;
} moat_co_options;

#define MOAT_CO_OPTIONS_INIT                                               \
    {                                                                      \
        sizeof(moat_co_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, MOAT_STACK_OWN \
    }

MOAT_BEGIN_DECLS

/**
 * Returns how much memory a coroutine needs that lies in the caller's
 * (MOAT_STACK_CALLER).
 *
 * So many bytes hold the record, the stack and what the options add, at any
 * address at which a guard could begin. The record's share is at most
 * MOAT_CO_RECORD_BYTES, for those who reserve memory when they compile.
 *
 * @param usable_bytes  of the stack; less than 4 KiB counts as 4 KiB
 * @param options       guard_bytes and name count; NULL: neither
 * @return bytes; 0: more than there are addresses
 *
 * Ownership:     unchanged
 * Thread-safety: any
 * Signal-safety: yes
 * See also:      moat_co_create, moat_co_options
 */
MOAT_API size_t moat_co_size(size_t usable_bytes,
                             const moat_co_options *options);

MOAT_END_DECLS

#endif
