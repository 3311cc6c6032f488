/*
 * engine.h: what belongs to the process and to its threads.
 *
 * Process-wide: the handlers of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP and
 * SIGABRT, and of one real-time signal for deadlines once a coroutine has a
 * time limit. Per thread: the alternate signal stack, the pool of stacks, the
 * deadline timer. Handlers that were there before are kept and called, as they
 * asked to be, for whatever is not a guest's trap; but on moat's alternate
 * stack, also where they did not ask for one.
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

/** Who receives the signals: a source's descriptor. */
typedef struct moat_source moat_source;

MOAT_BEGIN_DECLS
MOAT_API extern const moat_source moat_source_sigaction;
MOAT_API extern const moat_source moat_source_manual;
MOAT_END_DECLS

/* moat installs its own handlers: the default. */
#define MOAT_SOURCE_SIGACTION (&moat_source_sigaction)
/* The embedder owns the signals and asks moat_trap_handle; its handlers must be
 * installed with SA_SIGINFO, SA_ONSTACK and SA_NODEFER. The environment may ask
 * for it too: that is for hosts whose handlers do so already, such as tests. A
 * host without them dies of a guest's fault as it would without moat. */
#define MOAT_SOURCE_MANUAL (&moat_source_manual)

/* How guards are made. */
typedef enum moat_guard_kind {
    MOAT_GUARD_AUTO = 0,    /* the environment's MOAT_GUARD ("madvise",
                               "mprotect" or "auto", the same as unset), else
                               the best the kernel gives                    */
    MOAT_GUARD_MADVISE = 1, /* MADV_GUARD_INSTALL (Linux 6.13): no mapping
                               per guard                                    */
    MOAT_GUARD_MPROTECT = 2 /* PROT_NONE: two mappings per stack, so about
                               half of vm.max_map_count stacks              */
} moat_guard_kind;

typedef struct moat_engine_options {
    size_t struct_size; /* sizeof; MOAT_ENGINE_OPTIONS_INIT sets it     */
    const moat_source *source; /* NULL: the environment's MOAT_TRAP_SOURCE
                                  ("sigaction", "sigsegv", "manual" or
                                  "auto", the same as unset), else
                                  MOAT_SOURCE_SIGACTION                  */
    moat_guard_kind guard; /* 0: MOAT_GUARD_AUTO                           */
    int deadline_signal;   /* 0: SIGRTMAX - 3                              */
    uint64_t flags;        /* 0                                            */
    /* What free stacks may keep of their memory, for the next coroutines; the
     * rest goes back to the system, many stacks at a time. 0: all of it. */
    size_t keep_free_bytes;  /* of all those that no thread has in its pool:
                                each thread has up to 1024 of each size, and
                                1024 more without options                    */
    size_t keep_stack_bytes; /* of each free stack, at its top: what was used
                                once does not stay resident for ever. Makes
                                destroy a call into the library              */
} moat_engine_options;

#define MOAT_ENGINE_OPTIONS_INIT                                    \
    {                                                               \
        sizeof(moat_engine_options), 0, MOAT_GUARD_AUTO, 0, 0, 0, 0 \
    }

/* What this process got from the machine it runs on. */
typedef struct moat_engine_info {
    size_t struct_size;         /* sizeof; MOAT_ENGINE_INFO_INIT sets it      */
    moat_guard_kind guard;      /* in use; never MOAT_GUARD_AUTO              */
    unsigned guards_by_madvise; /* 1: the kernel has MADV_GUARD_INSTALL       */
    unsigned pagemap;           /* 1: /proc/self/pagemap can be read          */
    unsigned symbolise_lines;   /* 1: built with libdw: file:line in frames   */
    size_t page_bytes;          /* page size                                  */
    size_t signal_stack_bytes;  /* of each thread's alternate stack           */
    size_t live;                /* coroutines that exist now                  */
    int deadline_signal;        /* signal number                              */
    unsigned reserved;          /* 0                                          */
    const char *source;         /* "sigaction", "manual", ...                 */
    unsigned pagemap_scan;      /* 1: stacks are scrubbed by PAGEMAP_SCAN     */
    unsigned process_madvise;   /* 1: memory is given back by process_madvise,
                                   and the guards of many are made by it     */
} moat_engine_info;

#define MOAT_ENGINE_INFO_INIT                                                 \
    {                                                                         \
        sizeof(moat_engine_info), MOAT_GUARD_AUTO, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            0, 0                                                              \
    }

MOAT_BEGIN_DECLS

/**
 * Installs the trap layer and probes the kernel. Idempotent: later calls return
 * MOAT_OK and change nothing, unless they ask for other options.
 *
 * moat_co_create does it with all defaults if nobody did. A fork
 * waits for an init that is going on in another thread; but a fork that began
 * before the very first init did may leave a child that must not use moat.
 *
 * @param options  NULL for all defaults
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        options that contradict themselves or have a
 *                             struct_size or signal number out of range; an
 *                             unknown word in the environment's MOAT_GUARD,
 *                             MOAT_TRAP_SOURCE or MOAT_PAGES
 *         MOAT_E_STATE        already initialised with other options
 *         MOAT_E_UNSUPPORTED  a guard kind that the kernel lacks; a field that
 *                             this version does not know; a source of another
 *                             version, or one that the environment names and
 *                             whose library the program does not link
 *         MOAT_E_LIMIT        too little stack left (on a guest's stack)
 *         MOAT_E_NOMEM, MOAT_E_SYSTEM  nothing is left half-installed
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API MOAT_NODISCARD moat_status
moat_engine_init(const moat_engine_options *options);

/**
 * Tells whether the handlers still stand as moat installed them, flags and all,
 * and whether their signals reach this thread.
 *
 * @return MOAT_OK, or
 *         MOAT_E_STATE         the engine is not initialised
 *         MOAT_E_HANDLER_LOST  somebody replaced one, and guests' faults of
 *                              that signal no longer reach moat; or this thread
 *                              lost its alternate stack (a handler of the host
 *                              left by siglongjmp), or blocks a signal of a
 *                              fault, whose guest would kill the process, or
 *                              that of its deadline timer, whose limits would
 *                              not hold: moat_thread_attach repairs these. In a
 *                              handler its own mask counts
 *         MOAT_E_SYSTEM        the kernel does not tell
 *
 * Thread-safety: any. Signal-safety: yes.
 */
MOAT_API MOAT_NODISCARD moat_status moat_engine_check(void);

/**
 * Takes the trap layer down: restores the previous handlers, frees the arenas.
 * A signal whose handler is no longer ours is left as it is.
 *
 * @return MOAT_OK (also when it was never initialised), or
 *         MOAT_E_STATE         coroutines live, another thread is attached, or
 *                              fault regions are registered; nothing has
 *                              changed
 *         MOAT_E_HANDLER_LOST  done, but a handler that somebody put over ours
 *                              was left in place
 *
 * Thread-safety: one thread, while no other uses moat. Signal-safety: no.
 */
MOAT_API moat_status moat_engine_shutdown(void);

/**
 * Gives memory back to the system that no coroutine uses: the stacks in the
 * calling thread's pool, which is empty then, and those that all threads have
 * given up. Other threads' pools are theirs: a thread gives up what exceeds
 * 1024 stacks of a size (and 1024 more without options), and all of it when it
 * detaches, ends or calls this.
 *
 * Where no coroutine of a reservation is left (they grow from 64 stacks to
 * 262,144 of one size), all of it goes: page tables, guards and the records of
 * its coroutines. A handle that is used after its coroutine was destroyed,
 * which was never allowed, then faults. Addresses stay reserved until
 * moat_engine_shutdown.
 *
 * @param keep_bytes     so much may stay resident for the next coroutines; 0:
 *                       nothing
 * @param[out] released  bytes that were resident and are not any more; NULL
 *                       is allowed
 * @return MOAT_OK (also when the engine is not initialised), or
 *         MOAT_E_LIMIT   too little stack left (on a guest's stack); nothing
 *                        has been done, and `released` is not written
 *         MOAT_E_SYSTEM  some could not be given back, such as locked memory
 *
 * Thread-safety: any thread, while others create and destroy
 * Signal-safety: no
 * Cost:          a microsecond or so per free stack that is resident; others
 *                wait for parts of it only
 */
MOAT_API moat_status moat_engine_trim(size_t keep_bytes, size_t *released);

/**
 * Tells what the engine uses and what this machine offers. Initialises nothing:
 * before moat_engine_init it says what would be chosen.
 *
 * @param[out] out  written only on MOAT_OK, as far as its struct_size says; a
 *                  struct_size of 0 stands for this version's
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL
 *         MOAT_E_LIMIT  too little stack left (on a guest's stack)
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API MOAT_NODISCARD moat_status moat_engine_get_info(moat_engine_info *out);

/**
 * Prepares this thread: alternate signal stack, pool, and the signals of a
 * fault unblocked (a thread that blocks them is killed by a fault). Implicit at
 * its first moat_co_create. Called again it puts a lost alternate stack back,
 * and unblocks those signals, and that of the deadline timer, if they have been
 * blocked since. Undone when the thread ends.
 *
 * @return MOAT_OK, or MOAT_E_NOMEM, or MOAT_E_SYSTEM, or what moat_engine_init
 *         returns if it has to be called
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API MOAT_NODISCARD moat_status moat_thread_attach(void);

/**
 * Undoes moat_thread_attach: the thread's former alternate stack is in place
 * again, its pooled stacks are free for others.
 *
 * @return MOAT_OK (also when it was not attached), or
 *         MOAT_E_STATE   called on a coroutine's stack, or coroutines of this
 *                        thread live
 *         MOAT_E_SYSTEM  the former stack cannot be put back (a filter of
 *                        system calls may forbid it); the thread stays attached
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API moat_status moat_thread_detach(void);

/* siginfo_t is POSIX: declared unless the feature-test macros hide it. */
#ifdef SA_SIGINFO
/**
 * Offers a signal to moat (manual source): call it first thing in your handler,
 * with your handler's arguments.
 *
 * @return true: it was a guest's trap, and the context now leads to the
 *         resumer; or a fault region repaired it. Return from the handler at
 *         once. false: not moat's; nothing changed.
 *
 * Thread-safety: any. Signal-safety: yes; legal nowhere else.
 */
MOAT_API bool moat_trap_handle(int signo, siginfo_t *info, void *ucontext);
#endif

MOAT_END_DECLS

#endif
