/*
 * coroutine.h: what the engine adds to a coroutine: flags and the cold part.
 *
 * The public state is not stored but derived. `state` in the control record
 * holds the owner's token while the coroutine may be resumed (FRESH before it
 * is first entered, then SUSPENDED), otherwise a mark. RUNNING and RESUMING
 * differ only in whether the owner's thread runs this coroutine or one that it
 * resumed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_COROUTINE_H
#define MOAT_ENGINE_COROUTINE_H

#include <unwind.h>

#include <moat/moat.h>

#include "engine/exceptions.h"
#include "heap/meter.h"
#include "stack/annotate.h"
#include "trap/asides.h"
#include "trap/blame.h"
#include "trap/coroutine.h"

/* Flags of the control record, in the same word as the public MOAT_CO_SCRUB_...
 * of the options. A coroutine with any of them set ends, and is destroyed, in
 * the library instead of inline. Bits 11 and 12 are in trap/coroutine.h,
 * bit 6 is CO_AWAY. */
#define CO_ENDING ((uint16_t)1 << 14) /* its deferred functions run       */
#define CO_ENDS   ((uint16_t)1 << 13) /* it runs those of cold->ends      */
#define CO_READER ((uint16_t)1 << 9)  /* runs the `walk` of a script      */
/* It runs, and deadlines of its resumer wait until its event is settled. */
#define CO_RESUMER_NOINTR ((uint16_t)1 << 8)
/* Needs the library at its end: it had deferred functions, or was left in the
 * middle. */
#define CO_SPECIAL ((uint16_t)1 << 7)

/* Traits besides the public ones and those of trap/coroutine.h: they do not
 * change, and its end needs nothing for them. */
#define CO_SCRIPTED ((uint8_t)1 << 5) /* has a script in the cold part */
#define CO_HEAP     ((uint8_t)1 << 6) /* has a heap                          */

/* The exception object of an unwinding; it must not lie on the stack that is
 * unwound. libstdc++ looks for its own header before the object that ended in
 * std::terminate (__cxa_current_exception_type) and must find zeros there,
 * which mean: no type. */
struct moat_unwinding {
    unsigned char no_header[128];
    struct _Unwind_Exception exception;
};

/* More than a function of the C library calls inside it. */
#define MOAT_HOST_FRAMES 24

/* The frames of a host call that faulted, innermost first. The host overwrites
 * them when it goes on, so they are found before that. */
struct moat_host_frames {
    size_t count;
    struct moat_host_frame {
        uintptr_t pc, sp;
    } frames[MOAT_HOST_FRAMES];
};

/* A host call. In the cold part, as the stack of a guest that is stopped cannot
 * be trusted. */
struct moat_host_call {
    struct moat_host_call *outer; /* begun before it on this thread          */
    moat_co *co;                  /* the guest that made it                  */
    void *(*fn)(void *);
    void *arg;
    uint32_t sections; /* the resumer's open no-trap sections, the call's own
                          included; 0 if the resumer is the host             */
    int cancel_state;  /* before the call; NO_CANCEL_STATE: unchanged        */
    bool aside;        /* `limits` is on the thread's list                   */
    struct moat_aside limits;

    /* Of a moat_call_for_guest only, which makes one host call for each guest
     * between its caller and the host. */
    struct co *asker; /* its caller; NULL: an ordinary host call             */
    uintptr_t word;   /* the thread's when it was called                     */
    bool (*undo)(void *);
    void *undo_arg;
    struct moat_blame blame; /* of the one on the host's stack               */
};

/* A guest set aside, with those that wait for it. */
struct moat_parked {
    struct moat_parked *next;     /* of the thread's                          */
    struct moat_thread *thread;   /* its own                                  */
    struct co *innermost;         /* the one that was entered last            */
    uintptr_t current;            /* the thread's word                        */
    struct moat_host_call *calls; /* the thread's                            */
    struct moat_asides_parked limits;
};

/* Kept by moat_preempt_entering, in a program in C++. */
struct moat_preempt_exceptions {
    struct moat_exceptions resumer; /* when the guest was entered             */
    struct moat_exceptions own;     /* when it was preempted                  */
    struct moat_exceptions below; /* those of `own` that are not the guest's */
    bool apart;                   /* entered with `own`                     */
};

/* The cold part of the slot: none of its pages is touched before it is needed.
 */
struct co_cold {
    /* First, as a struct moat_cold_front: what the trap layer writes. */
    struct moat_trap_record trap;
    struct moat_guest_clock clock; /* if CO_LIMITED or CO_ACCOUNTED          */
    struct moat_preemption preemption; /* if it has slices                   */
    struct moat_calls
        calls; /* if it has a policy, or runs inside one that has */
    /* The return address and the stack pointer of the frame that resumed, when
     * the trap was settled: they find that frame while it lives. */
    uintptr_t resumer_pc, resumer_sp;
    struct moat_preempt_exceptions exceptions; /* if it has slices            */
    moat_script script; /* if CO_SCRIPTED                                    */
    char language[16];  /* of the script                                     */
    /* If CO_HEAP: whose it is, and the limit that it was made for; 0: none. */
    enum moat_heap_owner {
        MOAT_HEAP_LENT,  /* the host's, by the options            */
        MOAT_HEAP_OWN,   /* ends with the coroutine               */
        MOAT_HEAP_TAKEN, /* the host's, which has taken it over   */
    } heap_owner;
    uint64_t heap_bytes;
    struct moat_heap_reading heap_reading; /* if CO_ACCOUNTED: at its start  */
    moat_entry entry;        /* the guest's, where a sanitizer is at work    */
    struct moat_fiber fiber; /* the sanitizer's                              */
    struct moat_unwinding unwinding; /* of moat_co_unwind                    */
    struct moat_host_call host_call; /* if one of its own is going on        */
    struct moat_host_frames host_frames; /* if trap.in_host_call             */
    unsigned unwindings; /* begun and not caught, since the slot was made    */
    /* If CO_ENDING: the guest that runs the deferred functions, or NULL for the
     * host; and the coroutine that this guest was ending before. */
    struct co *ending_by, *ending_outer;
    struct co *ends; /* if CO_ENDS: the innermost coroutine that it is ending */
    struct moat_arch_border border; /* of a child that it has forked          */
    struct moat_parked parked;      /* if it is on its thread's list          */
    void *image; /* of its frames, if it is trapped and away (copied.h)       */
};

_Static_assert(offsetof(struct co_cold, clock) ==
                       offsetof(struct moat_cold_front, clock) &&
                   offsetof(struct co_cold, preemption) ==
                       offsetof(struct moat_cold_front, preemption) &&
                   offsetof(struct co_cold, calls) ==
                       offsetof(struct moat_cold_front, calls) &&
                   offsetof(struct co_cold, resumer_pc) >=
                       sizeof(struct moat_cold_front),
               "the cold part begins otherwise than the trap layer expects");

#define CO_ENTRY_BYTES ((sizeof(struct co) + 63) / 64 * 64)
/* In entries, so that the way from one to the other takes no division. */
#define CO_COLD_ENTRIES \
    ((sizeof(struct co_cold) + CO_ENTRY_BYTES - 1) / CO_ENTRY_BYTES)
#define CO_COLD_BYTES (CO_COLD_ENTRIES * CO_ENTRY_BYTES)
_Static_assert(CO_ENTRY_BYTES <= (MOAT_SWITCH_PORTABLE ? 256 : 192),
               "a coroutine grew beyond its lines");

static inline struct co_cold *cold_of(const struct co *co)
{
    return moat_slot_cold(&co->slot);
}

/* Returns where the stack in use of a trapped coroutine ends. */
static inline uintptr_t moat_trapped_sp(const struct co *co)
{
    const struct moat_trap_record *record = moat_trap_record_of(co);

    return record->in_host_call ? co->control.sp : record->regs.sp;
}

/* Returns its heap; NULL: none. The word lies in the entry, where malloc reads
 * it without looking for the cold part. */
static inline moat_heap *moat_heap_of_co(const struct co *co)
{
    return co->slot.user;
}

/* Returns whether its heap ends with it. */
static inline bool moat_co_owns_heap(const struct co *co)
{
    return (co->traits & CO_HEAP) != 0 &&
           cold_of(co)->heap_owner == MOAT_HEAP_OWN;
}

#endif
