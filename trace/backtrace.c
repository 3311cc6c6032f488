/*
 * backtrace.c: the frames of a stopped coroutine, and of those that resumed it.
 *
 * A trapped coroutine is walked in two parts: first its own dead stack, from
 * the trap record on, within the stack's bounds and protected against faults;
 * then its resumer's chain, which is the caller's own live chain from the frame
 * that did the resume. Where the guest left nothing to walk, the dead part is
 * repaired: by the return address of a call through a bad pointer, by frame
 * records, and by the root, whose address on the stack is known.
 *
 * A dead stack is walked once: the search for functions that may hold a lock
 * goes along with the first walk.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/backtrace.h"

#include <string.h>

#include <moat/moat.h>

#include "engine/bring.h"
#include "engine/nointr.h"
#include "engine/room.h"
#include "engine/state.h"
#include "engine/trap_info.h"
#include "sys/refusal.h"
#include "trace/live_chain.h"
#include "trace/trace.h"
#include "trap/own_stacks.h"
#include "trap/stack_owner.h"
#include "unwind/frame_record.h"
#include "unwind/walk_libunwind.h"

static moat_status check_request(const moat_frame *frames, size_t *count)
{
    if (frames == NULL || count == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           frames == NULL ? "frames is NULL" : "count is NULL");
    *count = 0;
    if (!moat_unwind_available())
        return moat_refuse(MOAT_E_UNSUPPORTED, MOAT_NO_UNWINDER);
    return moat_room_begin(MOAT_STACK_FOR_WALK);
}

static moat_status finish(struct moat_trace *trace, size_t *count)
{
    moat_nointr_end();
    *count = trace->count;
    return trace->full ? moat_trace_refuse_full(trace->capacity) : MOAT_OK;
}

/* --- a suspended or trapped coroutine's own frames ----------------------- */

struct dead_walk {
    struct moat_trace trace;
    moat_regs regs;
    uintptr_t limit, base; /* of the stack on which the guest was        */
    uintptr_t root_sp;
    uintptr_t last_sp;    /* of the frame emitted last                  */
    unsigned first_flags; /* of the first frame                         */
    unsigned flags;       /* of the others                              */
    bool exact;           /* regs.pc is not a return address            */
    bool started;         /* the first frame has been emitted           */
    bool reached_root;
};

static bool visit_dead(struct dead_walk *walk,
                       const struct moat_unwind_frame *frame)
{
    unsigned flags = walk->started ? walk->flags : walk->first_flags;

    if (moat_is_root(frame->pc) && frame->sp == walk->root_sp) {
        walk->reached_root = true;
        return false;
    }
    /* The first frame is where the guest was stopped, whatever its registers
     * hold. All others must lie on its stack, each above the one before. */
    if (walk->started && (frame->sp < walk->limit || frame->sp >= walk->base ||
                          frame->sp <= walk->last_sp))
        return false;
    walk->started = true;
    walk->last_sp = frame->sp;
    return moat_trace_emit(&walk->trace, frame->pc, frame->sp, flags);
}

static void walk_from_regs(struct dead_walk *walk)
{
    struct moat_cursor cursor;

    moat_cursor_set(&cursor, &walk->regs, walk->exact);
    do {
        struct moat_unwind_frame frame = {cursor.pc, cursor.sp, cursor.exact};

        if (frame.pc == 0 || !visit_dead(walk, &frame))
            return;
    } while (moat_trace_step(&cursor, true) == MOAT_STEP_MADE);
}

/* Adds the frame records above what was found, for code without unwind
 * information. */
static void walk_frame_records(struct dead_walk *walk)
{
    struct moat_frame_chain chain = {walk->regs.fp, walk->limit, walk->base};
    struct moat_frame_record record;

    walk->flags = MOAT_FRAME_GUESSED;
    while (moat_frame_chain_next(&chain, &record)) {
        struct moat_unwind_frame frame = {
            record.pc, moat_frame_chain_pass(&chain, &record), false};

        /* Up to last_sp frames were found before, in a better way. */
        if (frame.sp > walk->last_sp && !visit_dead(walk, &frame))
            return;
    }
}

static void emit_root(struct dead_walk *walk)
{
    unsigned flags = MOAT_FRAME_ROOT;

    if (!walk->reached_root)
        flags |= MOAT_FRAME_GUESSED;
    if (moat_trace_wants_more(&walk->trace))
        (void)moat_trace_emit(&walk->trace, (uintptr_t)moat_root_return,
                              walk->root_sp, flags);
}

/* A jump to an address without code leaves no function to unwind from: emit the
 * pc, then continue after the call that led there. */
static void undo_bad_jump(struct dead_walk *walk,
                          const struct moat_trap_record *record)
{
    uintptr_t pc = walk->regs.pc, sp = walk->regs.sp;

    if (record->access != MOAT_ACCESS_EXEC || record->address != pc ||
        !moat_arch_undo_call(&walk->regs, walk->limit, walk->base))
        return;
    (void)moat_trace_emit(&walk->trace, pc, sp, MOAT_FRAME_TRAP);
    walk->started = true;
    walk->last_sp = sp;
    walk->exact = false;
}

static void walk_dead(struct dead_walk *walk)
{
    walk_from_regs(walk);
    if (!walk->reached_root && moat_trace_wants_more(&walk->trace))
        walk_frame_records(walk);
    emit_root(walk);
}

static void begin_dead_walk(struct dead_walk *walk, const struct co *co,
                            moat_frame *frames, size_t capacity)
{
    memset(walk, 0, sizeof *walk);
    walk->trace.frames = frames;
    walk->trace.capacity = capacity;
    walk->trace.co = &co->control;
    walk->limit = co->slot.limit;
    walk->base = co->slot.base;
    walk->root_sp = moat_arch_root_sp(co->slot.base);
    walk->exact = true;
}

/* The guest may have been on a stack that it made for itself. Who switched to
 * it is not known, so the root follows. */
static void find_own_stack(const struct co *co, struct dead_walk *walk)
{
    struct moat_range own;

    if (moat_stack_is_on(co, walk->regs.sp) ||
        !moat_own_stacks_find(walk->regs.sp, &own))
        return;
    walk->limit = own.begin;
    walk->base = own.end;
}

static void trace_suspended(const struct co *co, struct dead_walk *walk)
{
    moat_arch_regs_from_record(&co->control, &walk->regs);
    find_own_stack(co, walk);
    walk_dead(walk);
}

/* Walks the noted frames of a host call that faulted, then the guest's from
 * where it waits for the call. The search for locks was done when the former
 * were noted. */
static void walk_host_call(const struct co *co, struct dead_walk *walk)
{
    const struct moat_host_frames *noted = &cold_of(co)->host_frames;
    struct moat_lock_search *locks = walk->trace.locks;
    bool more = true;

    walk->trace.locks = NULL;
    walk->trace.co = NULL;
    for (size_t i = 0; i < noted->count && more; i++)
        more =
            moat_trace_emit(&walk->trace, noted->frames[i].pc,
                            noted->frames[i].sp, i == 0 ? MOAT_FRAME_TRAP : 0);
    walk->trace.locks = locks;
    walk->trace.co = &co->control;
    (void)moat_trapped_regs(co, &walk->regs);
    find_own_stack(co, walk);
    walk_dead(walk);
}

static void walk_trapped(const struct co *co, struct dead_walk *walk)
{
    const struct moat_trap_record *record = moat_trap_record_of(co);

    if (record->in_host_call) {
        walk_host_call(co, walk);
        return;
    }
    walk->regs = record->regs;
    walk->first_flags = MOAT_FRAME_TRAP;
    find_own_stack(co, walk);
    undo_bad_jump(walk, record);
    walk_dead(walk);
}

/* The first walk of a trapped stack finds the functions that may hold a lock,
 * too: the way in which frames are named depends on it. */
static void trace_trapped(const struct co *co, struct dead_walk *walk)
{
    struct moat_trap_record *record = moat_trap_record_of(co);
    struct moat_lock_search search = {0, NULL};

    if (record->lock == NULL)
        walk->trace.locks = &search;
    walk_trapped(co, walk);
    if (record->lock == NULL)
        record->lock = search.found != NULL ? search.found : "";
    walk->trace.locks = NULL;
}

/* Only a stopped coroutine of this thread can be walked. */
static moat_status check_stopped(const moat_co *handle)
{
    moat_co_state state;
    moat_status status;

    if (handle == NULL)
        return moat_refuse(MOAT_E_INVAL, "co is NULL");
    status = moat_co_check_owner(co_of(handle));
    if (status != MOAT_OK)
        return status;
    state = moat_co_get_state(handle);
    return state == MOAT_CO_RUNNING || state == MOAT_CO_RESUMING
               ? MOAT_E_STATE
               : moat_bring(co_of(handle));
}

static void trace_stopped(const moat_co *handle, struct dead_walk *walk,
                          uintptr_t from_sp)
{
    const struct co *co = co_of(handle);
    moat_co_state state = moat_co_get_state(handle);

    if (state == MOAT_CO_SUSPENDED) {
        trace_suspended(co, walk);
    } else if (state == MOAT_CO_TRAPPED) {
        trace_trapped(co, walk);
        moat_live_append(co, &walk->trace, from_sp);
    }
}

__attribute__((noinline)) moat_status moat_co_backtrace(const moat_co *handle,
                                                        moat_frame *frames,
                                                        size_t capacity,
                                                        size_t *count)
{
    struct dead_walk walk;
    uintptr_t from_sp = MOAT_CALLER_SP;
    moat_status status = check_stopped(handle);

    if (status == MOAT_OK)
        status = check_request(frames, count);
    if (status != MOAT_OK)
        return status;
    begin_dead_walk(&walk, co_of(handle), frames, capacity);
    trace_stopped(handle, &walk, from_sp);
    return finish(&walk.trace, count);
}

moat_status moat_backtrace_search_locks(const struct co *co)
{
    moat_frame frame = {0};
    struct dead_walk walk;
    size_t count;
    moat_status status = check_request(&frame, &count);

    if (status == MOAT_OK)
        status = moat_bring(co);
    if (status != MOAT_OK)
        return status;
    begin_dead_walk(&walk, co, &frame, 0);
    trace_trapped(co, &walk);
    (void)finish(&walk.trace, &count);
    return MOAT_OK;
}

moat_status moat_backtrace_both_ends(const moat_co *handle, uintptr_t from_sp,
                                     struct moat_both_ends *out)
{
    struct dead_walk walk;
    moat_status status = check_stopped(handle);

    if (status != MOAT_OK)
        return status;
    if (!moat_unwind_available())
        return moat_refuse(MOAT_E_UNSUPPORTED, MOAT_NO_UNWINDER);
    begin_dead_walk(&walk, co_of(handle), NULL, 0);
    walk.trace.ends = out;
    moat_nointr_enter();
    trace_stopped(handle, &walk, from_sp);
    moat_nointr_end();
    moat_ends_close(out);
    return MOAT_OK;
}
