/*
 * trap.h: the door to the trap layer.
 *
 * An activation is what a signal handler must know of a coroutine: its control
 * record, its stack, and whether it may be cut. The engine's coroutine begins
 * with one; the trap layer never sees more.
 *
 * Calls marked "Signal-safe: yes" may be made from a handler and make no
 * others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_TRAP_H
#define MOAT_TRAP_TRAP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <moat/co.h>
#include <moat/code.h>
#include <moat/engine.h>
#include <moat/limits.h>
#include <moat/region.h>
#include <moat/trap.h>

#include "arch/arch.h"
#include "stack/stack.h"

/*
 * Lies at the front of a slot's entry. The trap record is the front of the
 * slot's cold part, so that a coroutine that never traps pays nothing for it.
 */
struct moat_activation {
    struct moat_co co;     /* first: the public handle                        */
    struct moat_slot slot; /* its stack                                       */
    uint32_t notrap;       /* open no-trap sections                           */
    uint16_t hold;         /* open sections of the engine's own, in which a
                              deadline waits but a fault still traps          */
    uint8_t policy;        /* MOAT_CO_RECOVER_...                             */
    bool recovers;         /* the record's `recovery` is good                 */
};

/* Who resumed it, the front of an activation; NULL: the host. Signal-safe: yes.
 */
static inline moat_co *moat_resumer_of(const moat_co *co)
{
    return (moat_co *)(co->resumer & ~(uintptr_t)1);
}

/* Flag of the control record while a section of either kind is open: who ends
 * with one open is not taken up again without being made as new. */
#define MOAT_ACTIVATION_SECTIONS ((uint16_t)1 << 12)

/* Call it whenever a count has changed. Signal-safe: yes. */
static inline void
moat_activation_note_sections(struct moat_activation *activation)
{
    if (activation->notrap != 0 || activation->hold != 0)
        activation->co.flags |= MOAT_ACTIVATION_SECTIONS;
    else
        activation->co.flags &= (uint16_t)~MOAT_ACTIVATION_SECTIONS;
}

/* Where a fault in a no-trap section goes; lies in the frame of the call. */
struct moat_recovery {
    moat_co landing;
    struct moat_activation *activation;
    struct moat_recovery *outer; /* NULL: none                              */
    uint32_t notrap;             /* open sections, the call's own among them */
    uint16_t hold;
};

/* Written by the handler, read after the landing; the guest never runs between.
 * What is found out about the trap stands here, too: the next one clears it. */
struct moat_trap_record {
    moat_regs regs;
    moat_trap_kind kind;
    int signo, code;
    moat_access access;
    moat_region region;
    int user_code;
    uintptr_t address;
    const char *lock; /* what moat_co_lock_function found out later;
                         NULL: nobody has asked                     */
    unsigned char fpu[MOAT_ARCH_FPU_BYTES];
    struct moat_recovery *recovery; /* the innermost, if the activation
                                       recovers                              */
};

/* --- activation.c ----------------------------------------------------------
 */

/* The running coroutine's; NULL on the host's stack. Bit 0 marks one on the
 * slow path; addresses are even. Signal-safe: yes. */
static inline struct moat_activation *moat_trap_current(void)
{
    return (struct moat_activation *)(MOAT_TLS_READ(MOAT_TLS_CURRENT) &
                                      ~UINT64_C(1));
}

static inline struct moat_trap_record *
moat_trap_record_of(const struct moat_activation *activation)
{
    return moat_slot_cold(&activation->slot);
}

/* Does a fault of the running activation have where to go, whatever the policy?
 * Not in a no-trap section without a recovery point. Signal-safe: yes. */
bool moat_trap_possible(const struct moat_activation *activation);

/* Traps the running activation from ordinary code; it must be possible. */
MOAT_NORETURN void moat_trap_now(struct moat_activation *activation,
                                 moat_trap_kind kind, int user_code);

/* Calls fn(arg); a fault inside ends the call. False: it faulted. Signals that
 * fn does not bring upon itself wait until its end. Nests. */
bool moat_trap_try(void (*fn)(void *), void *arg);

/* Calls fn(arg) in a no-trap section with a recovery point. False: it faulted,
 * and the activation's record tells. Nests. */
bool moat_trap_recover(struct moat_activation *activation, void (*fn)(void *),
                       void *arg);

/* --- install.c -------------------------------------------------------------
 */

/* Resolves NULL by the environment, and looks whether it is a source of ours.
 */
moat_status moat_trap_source_choose(const moat_source *asked,
                                    const moat_source **out);

/* Signal dispositions are process-wide: the engine serialises these. */
moat_status moat_trap_install(const moat_source *source);
moat_status moat_trap_check(void); /* Signal-safe: yes. */
moat_status moat_trap_remove(void);
const char *moat_trap_source_name(const moat_source *source);

/* A new arena of stacks, for moat_arena_layout. */
moat_status moat_trap_watch_arena(uintptr_t begin, size_t bytes);

/* A thread that blocks the signals of a fault is killed by one. Unblocks them,
 * and tells which it had to; blocks those again. MOAT_E_HANDLER_LOST: an
 * attached thread has blocked one since. */
void moat_trap_unblock(sigset_t *were_blocked);
void moat_trap_block(const sigset_t *signals);
moat_status moat_trap_check_mask(void); /* Signal-safe: yes. */

/* --- regions.c -------------------------------------------------------------
 */

/* As moat_fault_region_register and _unregister; the engine is ready. */
moat_status moat_regions_add(const moat_fault_region_options *options,
                             moat_fault_region *out);
moat_status moat_regions_remove(moat_fault_region id);

/* Is there any? Signal-safe: yes. */
bool moat_regions_any(void);

/* --- code.c ----------------------------------------------------------------
 */

/* May it be registered, as far as that can be seen without reading what it
 * points to? MOAT_E_INVAL: no. */
moat_status moat_codes_check(const moat_code *asked);

/* A registration, with copies of all that it was made from. */
struct moat_registered;

/* Reads the caller's memory, under no lock. It was checked; its eh_frame is
 * taken as it is. With so much room for what the engine makes of it.
 * MOAT_E_INVAL: the lines are no lines of this code; MOAT_E_NOMEM. */
moat_status moat_codes_make(const moat_code *asked, size_t room,
                            struct moat_registered **out);
void moat_codes_free(struct moat_registered *code);

/* What it was made from, with pointers to the copies. */
const moat_code *moat_codes_copy(const struct moat_registered *code);

/* At a multiple of eight. */
void *moat_codes_room(struct moat_registered *code);

/* Some words that the engine keeps of it. */
#define MOAT_CODES_USER_WORDS 5
void *moat_codes_user(struct moat_registered *code);

/* From here on it is found. MOAT_E_OVERLAP, MOAT_E_NOMEM: it is not. */
moat_status moat_codes_add(struct moat_registered *code, moat_code_id *out);

/* One thread at a time adds and removes. Once removed it is the caller's. */
struct moat_registered *moat_codes_named(moat_code_id id);
void moat_codes_remove(struct moat_registered *code);

/* Between the two nothing that the readers give is freed, and none is added.
 * False: it is so anyhow, and there is nothing to leave. Signal-safe: yes. */
bool moat_codes_enter(void);
void moat_codes_leave(void);

/* Does the address lie in registered code? Signal-safe: yes. */
bool moat_codes_cover(uintptr_t pc);

/* The code that the address lies in, without name, file and lines; its eh_frame
 * is moat's copy, and there as long as the code is registered. False: none. */
bool moat_codes_describe(uintptr_t pc, moat_code *out);

/* The name of the code that it lies in, cut off if the buffer is too small, and
 * its offset. False: not in registered code. */
bool moat_codes_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset);

/* The place in the source that it was made from; as above. False: not known. */
bool moat_codes_line(uintptr_t pc, char *file, size_t size, uint32_t *line);

/* --- policy.c --------------------------------------------------------------
 */

/* May the running coroutine be cut at `pc`, in no section of its own?
 * Signal-safe: yes. */
bool moat_policy_allows(const struct moat_activation *activation, uintptr_t pc);

/* --- ranges.c, grace.c ------------------------------------------------------
 */

/* Around fork. No thread of the child is in a handler. */
void moat_ranges_lock(void);
void moat_ranges_unlock(void);
void moat_grace_after_fork(void);

/* Is this a fault region's `fix`, or what else looks at the maps? */
bool moat_grace_visiting(void);

/* --- altstack.c ------------------------------------------------------------
 */

size_t moat_altstack_bytes(void);

/* This thread's alternate stack, guarded; restores the former one, or else
 * stays as it is. */
moat_status moat_altstack_attach(void);
moat_status moat_altstack_detach(void);

/* Is it still ours? MOAT_E_HANDLER_LOST: somebody put another in its place, or
 * a handler was left by siglongjmp. Puts it back. */
moat_status moat_altstack_check(void); /* Signal-safe: yes. */
moat_status moat_altstack_repair(void);

/* Puts SS_AUTODISARM back after a host's handler has run. */
void moat_altstack_harden(void);

/* --- deadline.c ------------------------------------------------------------
 */

/* What was in force before a coroutine's own limits were. */
struct moat_deadline_scope {
    uint64_t wall_at, cpu_at, due_at;
};

/* Installs the handler of the deadline signal. The engine serialises. */
moat_status moat_deadline_install(int signo);
moat_status moat_deadline_check(void); /* Signal-safe: yes. */

/* Unblocks the signal of this thread's timer, if it has one. */
void moat_deadline_unblock(void);
moat_status moat_deadline_remove(void);

/* Puts the limits of a coroutine that is about to be resumed into force, beside
 * those of its resumers; takes them out again. */
moat_status moat_deadline_push(struct moat_deadline_scope *scope,
                               const moat_limits *limits);
void moat_deadline_pop(const struct moat_deadline_scope *scope);

/* One takes the other's place: takes the limits out that were put into force
 * with `leaving`, and puts others into force with `entering`; each may be NULL.
 * If that fails, nothing has changed. */
moat_status moat_deadline_replace(const struct moat_deadline_scope *leaving,
                                  struct moat_deadline_scope *entering,
                                  const moat_limits *limits);

/* Did a deadline pass while the running coroutine could not be cut? */
bool moat_deadline_pending(void);

/* Frees this thread's timer. */
void moat_deadline_detach(void);

/* Around a fork; the second in the child, which inherits no timer: makes one if
 * a limit is in force. Limits on CPU time go on with what is left of them. */
void moat_deadline_before_fork(void);
void moat_deadline_after_fork(void);

#endif
