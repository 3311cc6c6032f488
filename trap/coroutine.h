/*
 * coroutine.h: a coroutine, as the library has it.
 *
 * The public handle (moat_co *) is the address of the control record, which is
 * the first member. Public functions convert it once, where they begin; inside
 * the library there is only `struct co *`.
 *
 * A coroutine lies in the entry of its slot, off the stack. A million of them
 * shall fit in memory, so it takes three cache lines. What only a trap or a
 * rarely used feature needs lies in the slot's cold part, so that a coroutine
 * that never traps pays nothing for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_COROUTINE_H
#define MOAT_TRAP_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <moat/co.h>
#include <moat/trap.h>

#include "arch/arch.h"
#include "arch/syscalls.h"
#include "stack/slot.h"
#include "switch/switch.h"
#include "sys/filter.h"

struct moat_thread;
struct moat_defer;

struct co {
    struct moat_co control; /* the record that a switch reads and writes     */
    struct moat_slot slot;  /* the stack                                     */
    uint32_t notrap;        /* open no-trap sections                         */
    uint16_t nointr;        /* open uninterruptible sections: a deadline
                               waits, a fault still traps                    */
    uint8_t traits;         /* MOAT_CO_RECOVER_..., MOAT_CO_FORK_RETURNS, and
                               the engine's                                  */
    bool recovers;          /* the trap record's list of recovery points is
                               valid                                         */

    /* The engine's alone. */
    char *name;                /* the spec's; malloc'd if its home has none;
                                  NULL: no name                              */
    struct moat_defer *defers; /* registered last comes first                */
};

/* Flag of the control record, set while a section of either kind is open. A
 * coroutine that ends with one open is not reused as a spare: it must be made
 * ready again by the library. */
#define CO_SECTIONS ((uint16_t)1 << 12)
/* moat_co_cancel is unwinding it. */
#define CO_CANCELLED ((uint16_t)1 << 11)

/* The guest has a policy for its system calls. */
#define CO_FILTERED ((uint16_t)1 << 10)

/* Traits that the handler knows: the guest has time limits; its time is added
 * up, CPU time as well. */
#define CO_LIMITED    ((uint8_t)1 << 7)
#define CO_ACCOUNTED  ((uint8_t)1 << 0)
#define CO_COUNTS_CPU ((uint8_t)1 << 1)

static inline struct co *co_of(const moat_co *handle)
{
    return (struct co *)handle;
}

static inline moat_co *handle_of(const struct co *co)
{
    return (moat_co *)&co->control;
}

/* Returns whether a state is that of a guest that was entered and has not left.
 * Signal-safe: yes. */
static inline bool moat_is_entered_state(uint64_t state)
{
    return state == MOAT_MARK_RUNNING || state == MOAT_MARK_TIMED;
}

static inline bool moat_is_entered(const struct co *co)
{
    return moat_is_entered_state(co->control.state);
}

/* Returns the thread that owns the coroutine. Signal-safe: yes. */
static inline struct moat_thread *owner_of(const struct co *co)
{
    const struct moat_home *home = co->control.home;

    return home != NULL ? home->owner : NULL;
}

/* Returns MOAT_CO_RECOVER_... Signal-safe: yes. */
static inline unsigned recovery_of(const struct co *co)
{
    return co->traits & MOAT_CO_RECOVER_MASK;
}

/* Returns the coroutine that resumed this one; NULL: the host did. Bit 0 of the
 * word marks a resumer on the slow path. Signal-safe: yes. */
static inline struct co *resumer_of(const struct co *co)
{
    return (struct co *)(co->control.resumer & ~(uintptr_t)1);
}

/* Returns the running coroutine; NULL: the thread is on the host's stack.
 * Signal-safe: yes. */
static inline struct co *moat_running(void)
{
    return (struct co *)(MOAT_TLS_READ(MOAT_TLS_CURRENT) & ~UINT64_C(1));
}

/* Must be called after a count of open sections has changed. Signal-safe: yes.
 */
static inline void moat_note_sections(struct co *co)
{
    if (co->notrap != 0 || co->nointr != 0)
        co->control.flags |= CO_SECTIONS;
    else
        co->control.flags &= (uint16_t)~CO_SECTIONS;
}

/* A recovery point: where a fault in a no-trap section continues. */
struct moat_recovery {
    moat_co landing;
    struct co *co;
    struct moat_recovery *outer; /* NULL: none                               */
    uintptr_t slot;              /* where the return address of the call is  */
    uintptr_t return_address;    /* that is what it was at the call's begin  */
    uint32_t notrap;             /* open sections, the call's own included   */
    uint16_t nointr;
};

/* Those limits of a guest that its clocks are for; 0: none. */
struct moat_time_limits {
    uint64_t resume_cpu_ns, total_cpu_ns, wall_ns, total_wall_ns, slice_ns;
};

/* The limits of a guest, and since when they count (guest_clock.h). */
struct moat_guest_clock {
    struct moat_time_limits limits; /* if it is limited                      */

    /* If it is accounted: of its life, up to the last event. */
    uint64_t used_wall, used_cpu, resumes;

    /* When it was entered, if it is accounted; else when its clock began, if
     * its state is TIMED. */
    uint64_t since, since_cpu;

    /* If its state is TIMED: its limits end; MOAT_CLOCK_END: it has none.
     * cpu_at is in CPU time. */
    uint64_t wall_at, cpu_at;
    /* Of its limits and those of the guests that wait for it, whose ends first;
     * NULL: none. */
    struct moat_guest_clock *first_wall, *first_cpu;
    struct co *inner; /* for moat_guest_clocks_start                         */
};

/* The state of a guest with time slices (preempt.h). */
struct moat_preemption {
    struct moat_arch_preempted words;
    uint64_t count;          /* of its life                                 */
    int saved_errno;         /* of the interrupted code                     */
    volatile bool under_way; /* led out, and not back yet                   */
    volatile bool suspended; /* in the middle of that: it waits             */
    unsigned looks;          /* that found it under way                     */
};

/* The system calls of a guest (syscalls.h). */
struct moat_calls {
    struct moat_arch_filtered back; /* what runs on its stack continues with */

    /* A call that a policy decides. */
    struct moat_arch_preempted words;
    moat_syscall call;
    int saved_errno;
    bool may_trap;            /* where it made the call                      */
    volatile bool performing; /* the call is being made for it               */

    /* If it is CO_FILTERED. */
    moat_syscall_policy policy;
    struct moat_filter_scope scope; /* of the policy                         */
    uint64_t count;                 /* of its life                           */
};

/* A limit that has passed. */
struct moat_limit_passed {
    moat_limit limit;
    uint64_t asked, used;
};

/*
 * The record of a trap; the front of the cold part. The handler writes it and
 * the resumer reads it after the landing; the guest never runs in between.
 * What the library finds out later about the trap is kept here as well, so that
 * the next trap clears it.
 */
struct moat_trap_record {
    moat_regs regs;
    moat_trap_kind kind;
    int signo, code;
    moat_access access;
    moat_region region;
    int user_code;
    struct moat_limit_passed passed;
    long call; /* if kind is MOAT_TRAP_SYSCALL, like the next two            */
    uint64_t call_args[6];
    bool call_is_foreign; /* not of the CPU's own ABI                        */
    uintptr_t address;
    const char *lock; /* result of moat_co_lock_function; NULL: not asked yet */
    bool in_host_call; /* on the host's stack, in a moat_call_for_guest      */
    /* Roots are read from it, word by word. */
    _Alignas(uintptr_t) unsigned char fpu[MOAT_ARCH_FPU_BYTES];
    /* If co->recovers. */
    struct moat_recovery *recovery;      /* the innermost; NULL: none        */
    struct moat_recovery *closed;        /* to be freed                      */
    struct moat_recovery first_recovery; /* the outermost                    */
};

/* The front of the cold part. */
struct moat_cold_front {
    struct moat_trap_record trap;
    struct moat_guest_clock clock;
    struct moat_preemption preemption;
    struct moat_calls calls;
};

static inline struct moat_trap_record *moat_trap_record_of(const struct co *co)
{
    return moat_slot_cold(&co->slot);
}

/* If it is limited or accounted. */
static inline struct moat_guest_clock *moat_guest_clock_of(const struct co *co)
{
    struct moat_cold_front *front = moat_slot_cold(&co->slot);

    return &front->clock;
}

/* If it is limited, and has slices. */
static inline struct moat_preemption *moat_preemption_of(const struct co *co)
{
    struct moat_cold_front *front = moat_slot_cold(&co->slot);

    return &front->preemption;
}

static inline struct moat_calls *moat_calls_of(const struct co *co)
{
    struct moat_cold_front *front = moat_slot_cold(&co->slot);

    return &front->calls;
}

/* Returns the innermost guest with a policy, from `co` outwards; NULL: none.
 * Signal-safe: yes. */
static inline struct co *moat_filtered_from(struct co *co)
{
    while (co != NULL && (co->control.flags & CO_FILTERED) == 0)
        co = resumer_of(co);
    return co;
}

/* Forgets the last trap, not what the running guest has open. */
static inline void moat_trap_record_clear(struct moat_trap_record *record)
{
    memset(record, 0, offsetof(struct moat_trap_record, recovery));
}

#endif
