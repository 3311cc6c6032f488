/*
 * switch/generic.h: the control record of a CPU that moat has no port for. The
 * switch is that of a backend of the C library (docs/backends.md).
 *
 * Nothing here depends on the CPU, so code cannot emit this switch itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_GENERIC_H
#define MOAT_SWITCH_GENERIC_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/home.h>

/**
 * The registers at a trap.
 *
 * The CPU's other registers are unknown. 0: this one is unknown, too.
 */
typedef struct moat_regs {
    /* Program counter, stack pointer, frame pointer (always unknown). */
    uintptr_t pc, sp, fp;
} moat_regs;

/* A coroutine. Programs use the functions of co.h. */
typedef struct moat_co moat_co;

/**
 * A guest's entry function, which runs on the coroutine's stack.
 *
 * @param self   the coroutine
 * @param input  the input of the first resume
 * @return the value of the MOAT_EVENT_RETURN event
 */
typedef void *(*moat_entry)(moat_co *self, void *input);

/*
 * The library reads and writes the fields up to `user` on every CPU. `state`
 * decides by one compare whether a resume may take the inline path. It equals
 * the owner's token while the coroutine may be resumed; otherwise it is one of
 * MOAT_MARK_..., which no token equals.
 */
struct moat_co {
    uintptr_t resumer_fp; /* 0: unknown                                */
    uintptr_t resumer_pc; /* likewise; of a landing: what is called    */
    uintptr_t resumer_sp; /* written by each resume                    */
    uintptr_t fp;         /* 0: unknown                                */
    uintptr_t pc;         /* moat_root_start: it was never entered     */
    uintptr_t sp;         /* written by each yield                     */
    uint64_t state;       /* token or MOAT_MARK_...                    */
    uint64_t token;       /* of the thread that owns it                */
    uintptr_t resumer;    /* moat_tls.current at the resume; of a spare
                             record: the next one                      */
    moat_entry entry;     /* called by the root frame                  */
    uint16_t flags;       /* 0: its end and its destroy need no call   */
    uint16_t reserved[3];
    uintptr_t root_sp;           /* of the root frame                         */
    struct moat_home *home;      /* where its spare waits                     */
    void *user;                  /* for moat_co_user                          */
    void *point;                 /* where it waits: of the backend; of one that
                                    was never entered: its input; of a landing:
                                    where its call continues                  */
    void *resumer_point;         /* likewise its resumer; NULL: none          */
    void *border;                /* stands for the resumer; NULL: none        */
    volatile uint32_t switching; /* it runs, and is on its way out       */
};

/* Values of `state` besides tokens. A token is a multiple of MOAT_TOKEN_STEP,
 * plus an even number that is the higher the shorter its time limits are, or
 * plus 15 in a coroutine that must take the slow path. */
#define MOAT_MARK_RUNNING 2
#define MOAT_MARK_DONE    3
#define MOAT_MARK_TRAPPED 4
#define MOAT_MARK_FREE    5
#define MOAT_MARK_TIMED   6
#define MOAT_TOKEN_STEP   16

/* The thread's part of the switch, as in x86_64.h. */
struct moat_tls {
    uintptr_t current;
    uint64_t token;         /* 0: the thread is not attached            */
    volatile uint32_t poll; /* a deadline waits: see moat_poll          */
    uint32_t reserved;
    struct moat_home *home; /* NULL: the thread is not attached         */
    uintptr_t *homes;       /* NULL: none                               */
    uint64_t reach;         /* 0: the timer does not watch              */
    uint64_t *fuel;         /* not NULL if `reach` is not 0             */
};

#define MOAT_MAX_SPARES 1024

/* Initial-exec: a signal handler may read it at any time. */
#ifdef __cplusplus
extern "C" {
#endif
MOAT_API extern __thread struct moat_tls moat_tls
    __attribute__((tls_model("initial-exec")));
#ifdef __cplusplus
}
#endif

/* Offsets in struct moat_tls. */
#define MOAT_TLS_CURRENT offsetof(struct moat_tls, current)
#define MOAT_TLS_TOKEN   offsetof(struct moat_tls, token)
#define MOAT_TLS_HOME    offsetof(struct moat_tls, home)
#define MOAT_TLS_HOMES   offsetof(struct moat_tls, homes)
#define MOAT_TLS_REACH   offsetof(struct moat_tls, reach)
#define MOAT_TLS_FUEL    offsetof(struct moat_tls, fuel)

/*
 * Returns a word of moat_tls. A call, which no compiler merges with another
 * one: a coroutine that was moved to another thread must not read the word of
 * its former one, and a compiler may keep the address of a thread-local across
 * the switch.
 */
static __attribute__((noinline, unused)) volatile uint64_t *
moat_tls_word(size_t offset)
{
    __asm__ volatile("" : "+r"(offset) : : "memory");
    return (volatile uint64_t *)(void *)((char *)&moat_tls + offset);
}

#define MOAT_TLS_READ(offset)    (*moat_tls_word(offset))
#define MOAT_TLS_IS_ZERO(offset) (MOAT_TLS_READ(offset) == 0)
#define MOAT_TLS_WRITE(offset, value) \
    ((void)(*moat_tls_word(offset) = (uintptr_t)(value)))
#define MOAT_TLS_WRITE_CURRENT(value) MOAT_TLS_WRITE(MOAT_TLS_CURRENT, value)

/* The result of a resume: the guest's value, a moat_event_kind, and the guest.
 * That is the one that was resumed, or the one that runs in its place after a
 * transfer. */
struct moat_switched {
    void *value;
    uint64_t kind;
    moat_co *co;
};

/* The values of `kind` besides those of moat_event_kind. */
#define MOAT_SWITCH_YIELD      1
#define MOAT_SWITCH_YIELD_SLOW 6
#define MOAT_SWITCH_SLOW       8

/* The result of a yield. */
struct moat_resumed {
    moat_co *self;
    void *input;
    uint64_t command;
};

#define MOAT_COMMAND_NONE   0 /* continue                               */
#define MOAT_COMMAND_UNWIND 1 /* moat_co_cancel: unwind down to the root */

#include <moat/switch/portable.h>

/* Whether `co`, which may be resumed, has never run: a suspended one has used
 * its stack. */
static inline __attribute__((always_inline)) int
moat_switch_is_fresh(const moat_co *co)
{
    return co->sp == co->root_sp;
}

#endif
