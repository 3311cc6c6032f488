/*
 * engine.h: the state of the process and of its threads.
 *
 * Process-wide: the handlers of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP and
 * SIGABRT, and of one real-time signal for deadlines once a coroutine has a
 * time limit. Per thread: the alternate signal stack, the pool of stacks, the
 * deadline timer. Earlier handlers are kept, and called in the way that they
 * asked for, for every signal that is not a guest's trap; but they run on
 * moat's alternate stack, even if they did not ask for one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_H
#define MOAT_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

/* The receiver of the signals: a source's descriptor (source.h). */
typedef struct moat_source moat_source;

MOAT_BEGIN_DECLS
MOAT_API extern const moat_source moat_source_sigaction;
MOAT_API extern const moat_source moat_source_manual;
MOAT_END_DECLS

/* moat installs its own handlers: the default. */
#define MOAT_SOURCE_SIGACTION (&moat_source_sigaction)
/* The embedder owns the signals and calls moat_trap_handle. */
#define MOAT_SOURCE_MANUAL (&moat_source_manual)

/** How the guards of stacks are made. */
typedef enum moat_guard_kind {
    /* The kind named by the environment's MOAT_GUARD ("madvise", "mprotect" or
     * "auto"); if that is unset, empty or "auto", the best of the kernel. */
    MOAT_GUARD_AUTO = 0,
    /* MADV_GUARD_INSTALL (Linux 6.13): no mapping per guard. */
    MOAT_GUARD_MADVISE = 1,
    /* PROT_NONE: two mappings per stack, so about half of vm.max_map_count
     * stacks. */
    MOAT_GUARD_MPROTECT = 2
} moat_guard_kind;

/** Whether a thread's alternate signal stack stays armed in a handler. */
typedef enum moat_altstack_kind {
    /* It stays armed, as other code in the process expects. A guest that points
     * its stack pointer into the lowest bytes of that stack (as many as a
     * signal frame takes: AT_MINSIGSTKSZ) and faults kills the process. One
     * that points it elsewhere into the stack is contained, unless a handler of
     * the host's may be running there: so also if one with SA_ONSTACK has run
     * since the thread's last trap. */
    MOAT_ALTSTACK_SHARED = 0,
    /* SS_AUTODISARM (Linux 4.7): the kernel disarms it at the delivery of each
     * signal, until that handler returns. Any stack pointer is contained. For
     * hosts that install no handlers but moat's: a handler without SA_ONSTACK
     * that overflows a guest's stack kills the process, runtimes that ask for
     * the stack of their handlers (Go) and fortified siglongjmp abort it, and
     * moat_engine_check in a handler returns MOAT_E_HANDLER_LOST. */
    MOAT_ALTSTACK_AUTODISARM = 1
} moat_altstack_kind;

/**
 * Options of the engine: signal source and stack, guards, and memory kept.
 *
 * Initialise the struct with MOAT_ENGINE_OPTIONS_INIT; 0 in a field selects
 * the default. Set-user-ID programs ignore the environment.
 *
 * The fields keep_free_bytes and keep_stack_bytes cap the memory that free
 * stacks keep resident. The excess is returned to the system in batches. 0
 * means no cap; see also moat_engine_trim.
 *
 * The library finds and releases pages, and makes the guards of many stacks,
 * by the best calls of the kernel (PAGEMAP_SCAN, Linux 6.7; process_madvise,
 * Linux 6.13). With MOAT_ENGINE_OLD_PAGES, or MOAT_PAGES=old in the
 * environment, it does without these two; "auto" is the same as unset.
 *
 * What a choice leaves out is not tried either: under a filter of system calls
 * that kills for them, set MOAT_ENGINE_OLD_PAGES and MOAT_GUARD_MPROTECT.
 * docs/system-calls.md lists every call.
 */
typedef struct moat_engine_options {
    /* sizeof(moat_engine_options); MOAT_ENGINE_OPTIONS_INIT sets it. */
    size_t struct_size;
    /* MOAT_SOURCE_SIGACTION, MOAT_SOURCE_MANUAL or another source, such as
     * moat_sigsegv_source() of the library moat-sigsegv. NULL: as the
     * environment's MOAT_TRAP_SOURCE says ("sigaction", "sigsegv", "manual" or
     * "auto", the same as unset), else MOAT_SOURCE_SIGACTION. Set it to
     * "manual" only for hosts whose handlers call moat_trap_handle: any other
     * host is killed by a guest's fault, as it would be without moat. */
    const moat_source *source;
    /* How guards are made. 0: MOAT_GUARD_AUTO. */
    moat_guard_kind guard;
    /* A real-time signal, whose handler is installed at the first time limit.
     * 0: SIGRTMAX - 3. */
    int deadline_signal;
    /* 0 or MOAT_ENGINE_OLD_PAGES. */
    uint64_t flags;
    /* Bytes that all free stacks outside the threads' pools may keep. A pool
     * holds up to 1024 stacks of each size, and 1024 more without options. */
    size_t keep_free_bytes;
    /* Bytes that each free stack may keep, at its top, rounded up to pages, so
     * that memory once used does not stay resident for ever. Makes destroy a
     * call into the library. */
    size_t keep_stack_bytes;
    /* Of each thread's alternate signal stack. 0: MOAT_ALTSTACK_SHARED. */
    moat_altstack_kind altstack;
    /* 0. */
    unsigned reserved;
} moat_engine_options;

/* Neither PAGEMAP_SCAN nor process_madvise, not even to try them. */
#define MOAT_ENGINE_OLD_PAGES ((uint64_t)1)

#define MOAT_ENGINE_OPTIONS_INIT                                     \
    {                                                                \
        sizeof(moat_engine_options), 0, MOAT_GUARD_AUTO, 0, 0, 0, 0, \
            MOAT_ALTSTACK_SHARED, 0                                  \
    }

/**
 * The choices of the engine and the features of this machine.
 *
 * Initialise the struct with MOAT_ENGINE_INFO_INIT; moat_engine_get_info fills
 * it in.
 */
typedef struct moat_engine_info {
    /* sizeof(moat_engine_info); MOAT_ENGINE_INFO_INIT sets it. */
    size_t struct_size;
    /* In use; never MOAT_GUARD_AUTO. */
    moat_guard_kind guard;
    /* 1: the kernel has MADV_GUARD_INSTALL. 0: it has not, or
     * MOAT_GUARD_MPROTECT was asked for and so it was not tried. */
    unsigned guards_by_madvise;
    /* 1: /proc/self/pagemap can be read. */
    unsigned pagemap;
    /* 1: built with libdw; frames have file:line. */
    unsigned symbolise_lines;
    /* Page size. */
    size_t page_bytes;
    /* Size of each thread's alternate stack. */
    size_t signal_stack_bytes;
    /* Coroutines that exist now. */
    size_t live;
    /* Signal number. */
    int deadline_signal;
    /* 0. */
    unsigned reserved;
    /* Name of the source: "sigaction", "manual", ... */
    const char *source;
    /* 1: stacks are scrubbed by PAGEMAP_SCAN. */
    unsigned pagemap_scan;
    /* 1: process_madvise releases memory, and makes the guards of many. */
    unsigned process_madvise;
    /* Of the calling thread's coroutines with MOAT_STACK_COPIED: how many have
     * their frames copied away, the bytes of these, and of the memory that was
     * mapped for them. */
    size_t copied_away, copied_bytes, copied_mapped_bytes;
    /* How the library was built to switch: "native", "ucontext", ... See
     * docs/backends.md. */
    const char *switch_backend;
    /* The port to the CPU: "x86_64"; "generic": moat knows no more of the CPU
     * than the C library tells. */
    const char *arch;
} moat_engine_info;

#define MOAT_ENGINE_INFO_INIT                                                 \
    {                                                                         \
        sizeof(moat_engine_info), MOAT_GUARD_AUTO, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            0, 0, 0, 0, 0, 0, 0                                               \
    }

MOAT_BEGIN_DECLS

/**
 * Installs the signal handlers and probes the kernel.
 *
 * Idempotent: later calls return MOAT_OK and change nothing, unless they ask
 * for other options. moat_co_create initialises with all defaults if the
 * program has not. A fork waits for an initialisation in progress on another
 * thread. If the fork began before the first initialisation, the child must
 * not use moat.
 *
 * @param options  NULL for all defaults; copied
 *
 * @return MOAT_OK, or, with nothing left half-installed,
 *         MOAT_E_INVAL        options that contradict each other; a
 *                             struct_size, signal number or enumerator out of
 *                             range; an unknown word in the environment's
 *                             MOAT_GUARD, MOAT_TRAP_SOURCE or MOAT_PAGES
 *         MOAT_E_STATE        already initialised with other options
 *         MOAT_E_UNSUPPORTED  a kind of guard or of alternate stack that the
 *                             kernel lacks; a field that this version does not
 *                             know; a source of another version;
 *                             MOAT_TRAP_SOURCE=sigsegv in a program that does
 *                             not link moat-sigsegv; a program with clang's
 *                             SafeStack (docs/sanitizers.md); without a port
 *                             to the CPU (docs/backends.md): a source other
 *                             than moat_source_sigaction, or a C library whose
 *                             contexts do not show the stack pointer
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_SYSTEM       a system call failed; see errno
 *
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_engine_shutdown, moat_thread_attach
 */
MOAT_API MOAT_NODISCARD moat_status
moat_engine_init(const moat_engine_options *options);

/**
 * Checks that the handlers are as moat installed them, and reach this thread.
 *
 * Legal in any signal handler, whose own mask counts. The alternate stack of
 * another copy of moat that is attached to the thread serves as well as this
 * one's, and so do its handlers, which pass on what is not theirs.
 *
 * @return MOAT_OK, or
 *         MOAT_E_STATE         the engine is not initialised
 *         MOAT_E_STACK         this thread's guest was left by longjmp
 *         MOAT_E_HANDLER_LOST  other code replaced a handler, flags and mask
 *                              included, so that guests' faults of that signal
 *                              no longer reach moat, or leave a mask; or this
 *                              thread lost its alternate stack to other code
 *                              (or, with MOAT_ALTSTACK_AUTODISARM, runs a
 *                              handler or left one by siglongjmp); or it blocks
 *                              the signal of a fault, which would kill the
 *                              process, or that of its deadline timer.
 *                              moat_thread_attach repairs all but the first
 *         MOAT_E_SYSTEM        the state could not be queried; see errno
 *
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API MOAT_NODISCARD moat_status moat_engine_check(void);

/**
 * Restores the previous signal handlers and frees the stacks.
 *
 * A signal whose handler is no longer moat's is left as it is, unless that
 * handler is one of another copy of moat to which this thread is attached: that
 * copy then calls this one's previous handler, and a plugin that contains this
 * copy may be unloaded.
 *
 * @return MOAT_OK, also if the engine was never initialised, or
 *         MOAT_E_STATE         coroutines live, another thread is attached, or
 *                              fault regions are registered; nothing has
 *                              changed
 *         MOAT_E_HANDLER_LOST  done, but a handler that other code installed
 *                              over moat's was left alone
 *
 * Thread-safety: one thread, while no other uses moat
 * Signal-safety: no
 */
MOAT_API moat_status moat_engine_shutdown(void);

/**
 * Gives memory that no coroutine uses back to the system.
 *
 * That is the memory of the stacks in the calling thread's pool, which is
 * empty afterwards, and of those that all threads have given up. The pools of
 * other threads are not touched: a thread gives up what exceeds 1024 stacks of
 * a size (and 1024 more without options), and everything when it detaches,
 * ends or makes this call.
 *
 * A reservation without coroutines is released completely: page tables, guards
 * and the records of its coroutines. (Reservations grow from 64 stacks to
 * 262,144 of one size.) Using the handle of a destroyed coroutine, which was
 * never allowed, then faults. Addresses stay reserved until
 * moat_engine_shutdown.
 *
 * The frames that wait for their turn (MOAT_STACK_COPIED) of this thread's
 * coroutines are moved together, and memory that is left over is returned.
 *
 * @param keep_bytes     bytes that may stay resident for the next coroutines
 * @param[out] released  bytes that were resident and no longer are; NULL is
 *                       allowed
 *
 * @return MOAT_OK, also if the engine is not initialised, or
 *         MOAT_E_LIMIT   less than 8 KiB of a guest's stack is left; nothing
 *                        has been done, and `released` is not written
 *         MOAT_E_SYSTEM  some memory could not be given back, such as locked
 *                        memory
 *
 * Thread-safety: any thread, while others create and destroy
 * Signal-safety: no
 * Cost:          grows with the free stacks that are resident; other threads
 *                wait for parts of it only
 * See also:      moat_engine_options
 */
MOAT_API moat_status moat_engine_trim(size_t keep_bytes, size_t *released);

/**
 * Reports what the engine uses and what this machine offers.
 *
 * It initialises nothing: before moat_engine_init it reports what that would
 * choose.
 *
 * @param[out] out  written only on MOAT_OK, up to its struct_size, which the
 *                  caller has set: MOAT_ENGINE_INFO_INIT does. A field that the
 *                  library does not know becomes 0, and struct_size the size
 *                  that it knows, if that is less
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL, or out->struct_size is that of no version,
 *                       such as 0
 *         MOAT_E_LIMIT  less than 8 KiB of a guest's stack is left
 *
 * Ownership:     out->source is static storage
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API MOAT_NODISCARD moat_status moat_engine_get_info(moat_engine_info *out);

/**
 * Prepares this thread for coroutines.
 *
 * It gives the thread an alternate signal stack with a guard of its own and a
 * pool of stacks, and unblocks the signals of a fault, since a fault kills a
 * thread that blocks them. The first moat_co_create of a thread does it
 * implicitly; the end of the thread undoes it. On an attached thread the call
 * puts back an alternate stack that was replaced, and unblocks those signals,
 * and that of the deadline timer, if they have been blocked since.
 *
 * @return MOAT_OK; a status of moat_engine_init, if it has to initialise; or
 *         MOAT_E_NOMEM   no memory
 *         MOAT_E_SYSTEM  a system call failed; see errno
 *
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API MOAT_NODISCARD moat_status moat_thread_attach(void);

/**
 * Undoes moat_thread_attach.
 *
 * The thread's former alternate stack is installed again, unless other code
 * has installed another one, or the former one's memory is gone. The pooled
 * stacks are free for other threads.
 *
 * @return MOAT_OK, also if the thread was not attached, or
 *         MOAT_E_STATE   called on a coroutine's stack, or coroutines of this
 *                        thread live
 *         MOAT_E_SYSTEM  the former stack cannot be installed (a filter of
 *                        system calls may forbid it); the thread stays
 *                        attached
 *
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API moat_status moat_thread_detach(void);

/* siginfo_t is POSIX: declared unless the feature-test macros hide it. */
#ifdef SA_SIGINFO
/**
 * Offers a signal to moat, for hosts with MOAT_SOURCE_MANUAL.
 *
 * With that source the embedder owns SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP
 * and SIGABRT, or some of them. Its handlers must be installed with
 * SA_SIGINFO, SA_ONSTACK and SA_NODEFER, and make this call before anything
 * else.
 *
 * @param signo     as passed to the handler
 * @param info      as passed to the handler
 * @param ucontext  as passed to the handler
 * @return true: it was a guest's trap and the context now leads to the
 *         resumer, or a fault region repaired the fault; return from the
 *         handler at once. false: it is not moat's, and nothing has changed;
 *         always without a port to the CPU (docs/backends.md)
 *
 * Thread-safety: any
 * Signal-safety: yes; legal nowhere else
 * See also:      moat_engine_options, moat_fault_region_register
 */
MOAT_API bool moat_trap_handle(int signo, siginfo_t *info, void *ucontext);
#endif

MOAT_END_DECLS

#endif
