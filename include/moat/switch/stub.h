/*
 * switch/stub.h: the public header of a port, for no CPU: it compiles, and none
 * of it runs (docs/porting.md). A port begins as a copy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_STUB_H
#define MOAT_SWITCH_STUB_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/home.h>

/* The registers at a trap. A port adds those of its CPU. */
typedef struct moat_regs {
    uintptr_t pc, sp, fp;
} moat_regs;

/* A coroutine. Code that emits the switch itself may read the fields, and write
 * those that the code of docs/record.md writes. Other programs use the
 * functions of co.h. */
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
 * The library reads and writes these fields on every CPU; their order is the
 * port's. The first two are a frame record as the CPU's frame pointers chain
 * them, so that walkers of frame pointers cross the border.
 */
struct moat_co {
    uintptr_t resumer_fp; /* written by each resume                    */
    uintptr_t resumer_pc;
    uintptr_t resumer_sp;
    uintptr_t fp; /* written by each yield                     */
    uintptr_t pc;
    uintptr_t sp;
    uint64_t state;    /* token or MOAT_MARK_...                    */
    uint64_t token;    /* of the thread that owns it                */
    uintptr_t resumer; /* moat_tls.current at the resume; of a spare
                          record: the next one                      */
    moat_entry entry;  /* called by the root frame                  */
    uint16_t flags;    /* 0: its end and its destroy need no call   */
    uint16_t reserved[3];
    uintptr_t root_sp;      /* of the root frame                         */
    struct moat_home *home; /* where its spare waits                */
    void *user;             /* for moat_co_user                     */
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

#ifdef __cplusplus
extern "C" {
#endif
MOAT_API extern __thread struct moat_tls moat_tls
    __attribute__((tls_model("initial-exec")));
MOAT_API extern const char moat_switch_body[];
MOAT_API extern const char moat_transfer_body[];
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

/* A port loads the address of moat_tls anew at each use: a coroutine may have
 * moved to another thread since the last one. */
#define MOAT_TLS_WORD(offset) \
    ((volatile uint64_t *)(void *)((char *)&moat_tls + (offset)))
#define MOAT_TLS_READ(offset)    (*MOAT_TLS_WORD(offset))
#define MOAT_TLS_IS_ZERO(offset) (MOAT_TLS_READ(offset) == 0)
#define MOAT_TLS_WRITE(offset, value) \
    ((void)(*MOAT_TLS_WORD(offset) = (uintptr_t)(value)))
#define MOAT_TLS_WRITE_CURRENT(value) MOAT_TLS_WRITE(MOAT_TLS_CURRENT, value)

/* The result of a resume: the guest's value, a moat_event_kind, and the guest
 * that it is from. */
struct moat_switched {
    void *value;
    uint64_t kind;
    moat_co *co;
};

/* Before a resume: touches the stack that it takes. */
#define MOAT_SWITCH_PREPARE() ((void)0)

/* Enters `co`. */
static inline __attribute__((always_inline)) struct moat_switched
moat_switch_resume(moat_co *co, void *input)
{
    (void)co;
    (void)input;
    __builtin_trap();
}

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

/* Leaves the coroutine in `back.self` for its resumer, with the kind of event
 * in `back.command`; the functions: with that of a yield, the second one for a
 * coroutine on the slow path. */
#define MOAT_SWITCH_LEAVE(back, value) \
    ((void)(back), (void)(value), __builtin_trap())

static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_yield(moat_co *co, void *value)
{
    (void)co;
    (void)value;
    __builtin_trap();
}

static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_yield_slow(moat_co *co, void *value)
{
    (void)co;
    (void)value;
    __builtin_trap();
}

/* Suspends `self` and continues `other` in its place. */
static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_transfer(moat_co *self, moat_co *other, void *value)
{
    (void)self;
    (void)other;
    (void)value;
    __builtin_trap();
}

/* Whether `co`, which may be resumed, has never run. */
static inline __attribute__((always_inline)) int
moat_switch_is_fresh(const moat_co *co)
{
    (void)co;
    __builtin_trap();
}

#endif
