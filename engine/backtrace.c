/*
 * backtrace.c: the frames of a stopped coroutine, and of those that resumed it.
 *
 * A trapped coroutine is walked in two parts: its own dead stack, from the trap
 * record, bounded and under protection; then its resumer's chain, which is the
 * caller's own live chain from the frame on that did the resume. The dead part
 * is repaired where the guest left nothing to walk.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/trace.h"

/* --- around a walk ------------------------------------------------------- */

moat_status moat_backtrace_begin(size_t stack_bytes)
{
    moat_status status = moat_hold_begin(stack_bytes);

    if (status == MOAT_OK)
        moat_walk_begin();
    return status;
}

void moat_backtrace_end(void)
{
    moat_walk_end();
    moat_hold_end();
}

static moat_status check_request(const moat_frame *frames, size_t *count)
{
    if (frames == NULL || count == NULL)
        return MOAT_E_INVAL;
    *count = 0;
    if (!moat_unwind_available())
        return MOAT_E_UNSUPPORTED;
    return moat_hold_begin(MOAT_HOLD_UNWIND_BYTES);
}

static moat_status finish(struct moat_trace *trace, size_t *count)
{
    moat_hold_end();
    *count = trace->count;
    return trace->full ? MOAT_E_LIMIT : MOAT_OK;
}

/* --- a suspended or trapped coroutine's own frames ----------------------- */

struct dead_walk {
    struct moat_trace trace;
    moat_regs regs;
    uintptr_t limit, base;
    uintptr_t last_sp;    /* of the frame visited last                 */
    unsigned first_flags; /* of the first frame                        */
    unsigned flags;       /* of the others                             */
    bool exact;           /* regs.pc is no return address              */
    bool reached_root;
};

static bool visit_dead(const struct moat_unwind_frame *frame, void *arg)
{
    struct dead_walk *walk = arg;
    unsigned flags = walk->trace.count == 0 ? walk->first_flags : walk->flags;

    if (moat_is_root(frame->pc) && frame->sp == moat_arch_root_sp(walk->base)) {
        walk->reached_root = true;
        return false;
    }
    /* The first frame is where the guest stood, whatever its registers say; all
     * others must lie on its stack, each above the one before. */
    if (walk->trace.count > 0 &&
        (frame->sp < walk->limit || frame->sp >= walk->base ||
         frame->sp <= walk->last_sp))
        return false;
    walk->last_sp = frame->sp;
    return moat_trace_emit(&walk->trace, frame->pc, frame->sp, flags);
}

static void walk_from_regs(struct dead_walk *walk)
{
    struct moat_cursor cursor;

    moat_cursor_set(&cursor, &walk->regs, walk->exact);
    do {
        struct moat_unwind_frame frame = {cursor.pc, cursor.sp, cursor.exact};

        if (frame.pc == 0 || !visit_dead(&frame, walk))
            return;
    } while (moat_trace_step(&cursor, true) == MOAT_STEP_MADE);
}

static bool visit_record(const struct moat_unwind_frame *frame, void *arg)
{
    const struct dead_walk *walk = arg;

    /* Found before, by a better way. Records go up by themselves. */
    if (frame->sp <= walk->last_sp)
        return true;
    return visit_dead(frame, arg);
}

/* Frame records above what was found, for code without unwind information. */
static void walk_frame_records(struct dead_walk *walk)
{
    walk->flags = MOAT_FRAME_GUESSED;
    moat_unwind_fp(walk->regs.fp, walk->limit, walk->base, visit_record, walk);
}

static void emit_root(struct dead_walk *walk)
{
    unsigned flags = MOAT_FRAME_ROOT;

    if (!walk->reached_root)
        flags |= MOAT_FRAME_GUESSED;
    walk->trace.reserve = 0;
    if (!walk->trace.full)
        (void)moat_trace_emit(&walk->trace, (uintptr_t)moat_root_return,
                              moat_arch_root_sp(walk->base), flags);
}

/* A jump to nowhere leaves no function to unwind from: report the pc, then go
 * on behind the call that led there. */
static void undo_bad_jump(struct dead_walk *walk,
                          const struct moat_trap_record *record)
{
    uintptr_t pc = walk->regs.pc, sp = walk->regs.sp;

    if (record->access != MOAT_ACCESS_EXEC || record->address != pc ||
        !moat_arch_undo_call(&walk->regs, walk->limit, walk->base))
        return;
    (void)moat_trace_emit(&walk->trace, pc, sp, MOAT_FRAME_TRAP);
    walk->last_sp = sp;
    walk->exact = false;
}

static void walk_dead(struct dead_walk *walk)
{
    walk_from_regs(walk);
    if (!walk->reached_root && !walk->trace.full)
        walk_frame_records(walk);
    emit_root(walk);
}

static void begin_dead_walk(struct dead_walk *walk, const struct co *co,
                            moat_frame *frames, size_t capacity)
{
    memset(walk, 0, sizeof *walk);
    walk->trace.frames = frames;
    walk->trace.capacity = capacity;
    walk->trace.co = &co->activation.co;
    walk->limit = co->activation.slot.limit;
    walk->base = co->activation.slot.base;
    walk->exact = true;
}

static void trace_suspended(const struct co *co, struct dead_walk *walk)
{
    moat_arch_regs_from_record(&co->activation.co, &walk->regs);
    walk_dead(walk);
}

static void trace_trapped(const struct co *co, struct dead_walk *walk)
{
    const struct moat_trap_record *record =
        moat_trap_record_of(&co->activation);

    walk->regs = record->regs;
    walk->first_flags = MOAT_FRAME_TRAP;
    undo_bad_jump(walk, record);
    walk_dead(walk);
}

/* A coroutine that can be walked: stopped, and this thread's. */
static moat_status check_stopped(const moat_co *handle)
{
    moat_co_state state;
    moat_status status;

    if (handle == NULL)
        return MOAT_E_INVAL;
    status = moat_co_check_owner(co_of(handle));
    if (status != MOAT_OK)
        return status;
    state = moat_co_get_state(handle);
    return state == MOAT_CO_RUNNING || state == MOAT_CO_RESUMING ? MOAT_E_STATE
                                                                 : MOAT_OK;
}

static void trace_stopped(const moat_co *handle, struct dead_walk *walk,
                          uintptr_t from_sp)
{
    const struct co *co = co_of(handle);
    moat_co_state state = moat_co_get_state(handle);

    if (state == MOAT_CO_SUSPENDED) {
        trace_suspended(co, walk);
    } else if (state == MOAT_CO_TRAPPED) {
        /* Its frames will be given names: by which means, depends on this. */
        moat_poison_look(handle);
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

moat_status moat_backtrace_guest(const struct co *co,
                                 bool (*see)(const moat_frame *, void *),
                                 void *arg)
{
    moat_frame ends[2] = {{0}};
    struct dead_walk walk;
    size_t count;
    moat_status status = check_request(ends, &count);

    if (status != MOAT_OK)
        return status;
    /* Room for the first frame and the root: a walk looks at its first. */
    begin_dead_walk(&walk, co, ends, 2);
    walk.trace.reserve = 1;
    walk.trace.see = see;
    walk.trace.see_arg = arg;
    trace_trapped(co, &walk);
    (void)finish(&walk.trace, &count);
    return MOAT_OK;
}

moat_status moat_backtrace_both_ends(const moat_co *handle, uintptr_t from_sp,
                                     struct moat_both_ends *out)
{
    struct dead_walk walk;
    moat_status status = check_stopped(handle);

    if (status == MOAT_OK)
        status = check_request(out->frames, &out->count);
    if (status != MOAT_OK)
        return status;
    begin_dead_walk(&walk, co_of(handle), out->frames, MOAT_BOTH_ENDS_FRAMES);
    walk.trace.reserve = MOAT_BOTH_ENDS_RESERVE;
    trace_stopped(handle, &walk, from_sp);
    (void)finish(&walk.trace, &out->count);
    out->left_out = walk.trace.left_out;
    return MOAT_OK;
}
