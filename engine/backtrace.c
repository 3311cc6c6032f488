/*
 * backtrace.c: frames across coroutine borders.
 *
 * A walk from here follows the live stacks: the root frames' unwind rules lead
 * from each coroutine to its resumer. A trapped coroutine is walked in two
 * parts: its own dead stack, from the trap record, bounded and under
 * protection; then its resumer's chain, which is the caller's own live chain
 * from the frame on that did the resume. The dead part is repaired where the
 * guest left nothing to walk; where a walk of the live part ends inside a
 * coroutine (code without unwind information), it is taken up again at the
 * root.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

/* Where frames go. They are gathered first: a store into the caller's memory
 * may fault, and that is the caller's fault, so it is made in batches, outside
 * of what protects a walk. */
#define BATCH 16u

struct trace {
    moat_frame *frames;
    size_t capacity, count;
    size_t batched;    /* the last of these, still in `batch`        */
    size_t reserve;    /* room kept for the root and its resumers    */
    size_t left_out;   /* frames that would have used that room      */
    bool full;         /* a frame did not fit                        */
    const moat_co *co; /* the coroutine that the next frame is in    */
    bool (*see)(const moat_frame *, void *); /* is shown each; or NULL     */
    void *see_arg;
    moat_frame batch[BATCH];
};

static void store_batch(void *arg)
{
    struct trace *trace = arg;
    size_t first = trace->count - trace->batched;

    memcpy(trace->frames + first, trace->batch,
           trace->batched * sizeof *trace->batch);
    trace->batched = 0;
}

static void put(struct trace *trace, const moat_frame *frame)
{
    /* A guest may end there: nothing that others wait for is held. */
    if (trace->batched == BATCH) {
        moat_walk_end();
        moat_trap_outside(store_batch, trace);
        moat_walk_begin();
    }
    trace->batch[trace->batched++] = *frame;
    trace->count++;
}

static bool emit(struct trace *trace, uintptr_t pc, uintptr_t sp,
                 unsigned flags)
{
    moat_frame frame = {pc, sp, trace->co, flags};

    if (trace->see != NULL && !trace->see(&frame, trace->see_arg)) {
        trace->full = true;
        return false;
    }
    if (trace->count + trace->reserve >= trace->capacity) {
        trace->left_out++;
        trace->full = trace->reserve == 0;
        return !trace->full;
    }
    if (moat_codes_cover(moat_frame_lookup_pc(pc, flags)))
        frame.flags |= MOAT_FRAME_JIT;
    put(trace, &frame);
    return true;
}

static bool is_root(uintptr_t pc)
{
    return pc == (uintptr_t)moat_root_return;
}

static const moat_co *resumer_of(const moat_co *co)
{
    return (const moat_co *)(co->resumer & ~(uintptr_t)1);
}

static bool is_on_stack_of(const moat_co *co, uintptr_t sp)
{
    const struct moat_slot *slot = &co_of(co)->activation.slot;

    return sp >= slot->limit && sp < slot->base;
}

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
    return moat_backtrace_begin(MOAT_HOLD_UNWIND_BYTES);
}

static moat_status finish(struct trace *trace, size_t *count)
{
    moat_backtrace_end();
    store_batch(trace);
    *count = trace->count;
    return trace->full ? MOAT_E_LIMIT : MOAT_OK;
}

/* --- the live chain ------------------------------------------------------ */

struct live_walk {
    struct trace trace;
    uintptr_t
        from_sp; /* frames before the one with this sp are the library's */
    bool started;
    uintptr_t last_sp; /* of the frame before on this stack; 0: none */
    bool (*take)(struct live_walk *, const struct moat_unwind_frame *);
    /* moat_co_backtrace only: the resumer's frame that is looked for. */
    uintptr_t resumer_pc, resumer_sp;
    struct moat_unwind_frame held; /* the last frame, not yet taken     */
    moat_regs *held_regs;          /* its registers are wanted; or NULL */
    bool held_same, found;
    moat_regs root; /* where a walk is taken up again                  */
    bool at_root;   /* the next frame is that root, already taken      */
    const struct moat_visit *visit; /* the next call on a resumer's stack */
};

/* A frame of the live chain goes out; behind a root comes the resumer. */
static bool emit_live(struct live_walk *walk, uintptr_t pc, uintptr_t sp)
{
    struct trace *trace = &walk->trace;
    bool more = emit(trace, pc, sp, is_root(pc) ? MOAT_FRAME_ROOT : 0);

    if (is_root(pc) && trace->co != NULL)
        trace->co = resumer_of(trace->co);
    return more;
}

/* A chain that does not go up its stack is broken, and may be a circle. The
 * host's handlers may have stacks of their own. */
static bool goes_up(const struct live_walk *walk,
                    const struct moat_unwind_frame *frame)
{
    const moat_co *co = walk->trace.co;

    if (co != NULL && !is_on_stack_of(co, frame->sp))
        return false;
    return frame->sp > walk->last_sp ||
           (co == NULL && moat_unwind_is_interrupted(frame));
}

static bool is_visit(const struct live_walk *walk, uintptr_t pc)
{
    return pc == (uintptr_t)moat_arch_call_on_return && walk->visit != NULL;
}

/* Does another stack begin behind the frame? */
static bool is_border(const struct live_walk *walk, uintptr_t pc)
{
    return (is_root(pc) && walk->trace.co != NULL) || is_visit(walk, pc);
}

static bool visit_live(const struct moat_unwind_frame *frame, void *arg)
{
    struct live_walk *walk = arg;

    if (walk->at_root) {
        walk->at_root = false;
        return true;
    }
    if (!goes_up(walk, frame))
        return false;
    walk->last_sp = is_border(walk, frame->pc) ? 0 : frame->sp;
    if (!walk->started && frame->sp != walk->from_sp)
        return true;
    walk->started = true;
    /* Behind a call on the resumer's stack comes the guest that made it. */
    if (is_visit(walk, frame->pc)) {
        walk->trace.co = walk->visit->co;
        walk->visit = walk->visit->outer;
    }
    return walk->take(walk, frame);
}

static void walk_from_here(void *arg)
{
    moat_unwind_here(moat_codes_describe, visit_live, arg);
}

static void walk_from_root(void *arg)
{
    struct live_walk *walk = arg;

    moat_unwind_from(&walk->root, true, moat_codes_describe, visit_live, walk);
}

/* Is the walk past what it looks for, so that frames go out? */
static bool is_taking(const struct live_walk *walk)
{
    return walk->resumer_sp == 0 || walk->found;
}

/* The walk ended inside a coroutine: its root is known, and so is what lies
 * behind. */
static void take_up_at_root(struct live_walk *walk)
{
    const moat_co *co = walk->trace.co;
    uintptr_t base = co_of(co)->activation.slot.base;

    if (is_taking(walk))
        (void)emit(&walk->trace, (uintptr_t)moat_root_return,
                   moat_arch_root_sp(base),
                   MOAT_FRAME_ROOT | MOAT_FRAME_GUESSED);
    moat_arch_regs_from_root(co, base, &walk->root);
    walk->trace.co = resumer_of(co);
    walk->held.sp = 0;
    walk->last_sp = 0;
    walk->started = true;
    walk->at_root = true;
    (void)moat_trap_try(walk_from_root, walk);
}

static void walk_live(struct live_walk *walk)
{
    walk->visit = moat_call_visits();
    (void)moat_trap_try(walk_from_here, walk);
    while (walk->trace.co != NULL && !walk->trace.full)
        take_up_at_root(walk);
}

static bool take_all(struct live_walk *walk,
                     const struct moat_unwind_frame *frame)
{
    return emit_live(walk, frame->pc, frame->sp);
}

__attribute__((noinline)) moat_status
moat_backtrace(moat_frame *frames, size_t capacity, size_t *count)
{
    struct live_walk walk = {
        .trace = {.frames = frames,
                  .capacity = capacity,
                  .co = moat_co_current()},
        .from_sp = MOAT_CALLER_SP,
        .take = take_all,
    };
    moat_status status = check_request(frames, count);

    if (status != MOAT_OK)
        return status;
    walk_live(&walk);
    return finish(&walk.trace, count);
}

/* --- a suspended or trapped coroutine's own frames ----------------------- */

struct dead_walk {
    struct trace trace;
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

    if (is_root(frame->pc) && frame->sp == moat_arch_root_sp(walk->base)) {
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
    return emit(&walk->trace, frame->pc, frame->sp, flags);
}

static void walk_from_regs(void *arg)
{
    struct dead_walk *walk = arg;

    moat_unwind_from(&walk->regs, walk->exact, moat_codes_describe, visit_dead,
                     walk);
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
static void walk_frame_records(void *arg)
{
    struct dead_walk *walk = arg;

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
        (void)emit(&walk->trace, (uintptr_t)moat_root_return,
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
    (void)emit(&walk->trace, pc, sp, MOAT_FRAME_TRAP);
    walk->last_sp = sp;
    walk->exact = false;
}

static void walk_dead(struct dead_walk *walk)
{
    (void)moat_trap_try(walk_from_regs, walk);
    if (!walk->reached_root && !walk->trace.full)
        (void)moat_trap_try(walk_frame_records, walk);
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

/* --- the resumer's chain ------------------------------------------------- */

/* Does the frame that was held hold the resumer's stack pointer, and is it the
 * same function? Then the resume has not been left, and the frame is shown at
 * the place where it resumed. */
static bool is_resumer(const struct live_walk *walk, uintptr_t next_sp)
{
    const struct moat_unwind_frame *held = &walk->held;

    return held->sp != 0 && !is_root(held->pc) &&
           held->sp <= walk->resumer_sp && walk->resumer_sp < next_sp &&
           (held->sp == walk->resumer_sp || walk->held_same);
}

static bool take_from_resumer(struct live_walk *walk,
                              const struct moat_unwind_frame *frame)
{
    if (!walk->found && is_resumer(walk, frame->sp)) {
        walk->found = true;
        (void)emit(&walk->trace, walk->resumer_pc, walk->resumer_sp, 0);
    }
    if (walk->found)
        return emit_live(walk, frame->pc, frame->sp);
    if (is_root(frame->pc) && walk->trace.co != NULL)
        walk->trace.co = resumer_of(walk->trace.co);
    walk->held = *frame;
    if (walk->held_regs != NULL)
        moat_unwind_regs(frame, walk->held_regs);
    walk->held_same = moat_unwind_same_procedure(frame, walk->resumer_pc);
    return true;
}

/* Only to find it. */
static bool stop_at_resumer(struct live_walk *walk,
                            const struct moat_unwind_frame *frame)
{
    if (is_resumer(walk, frame->sp)) {
        walk->found = true;
        walk->trace.full = true;
        return false;
    }
    return take_from_resumer(walk, frame);
}

static void begin_resumer_walk(struct live_walk *walk, const struct co *co,
                               uintptr_t from_sp)
{
    const struct co_cold *cold = cold_of(co);

    memset(walk, 0, sizeof *walk);
    walk->trace.co = moat_co_current();
    walk->from_sp = from_sp;
    walk->resumer_pc = cold->resumer_pc;
    walk->resumer_sp = cold->resumer_sp;
    /* If it resumed inline, at the place of the switch, as every unwinder would
     * have shown it during the fault. */
    if (co->activation.co.resumer_sp == walk->resumer_sp)
        walk->resumer_pc = co->activation.co.resumer_pc;
}

moat_status moat_backtrace_resumer(const struct co *co, uintptr_t from_sp,
                                   moat_regs *out)
{
    struct live_walk walk;
    moat_status status = moat_backtrace_begin(MOAT_HOLD_UNWIND_BYTES);

    if (status != MOAT_OK)
        return status;
    begin_resumer_walk(&walk, co, from_sp);
    walk.take = stop_at_resumer;
    walk.held_regs = out;
    walk_live(&walk);
    moat_backtrace_end();
    if (!walk.found) {
        memset(out, 0, sizeof *out);
        return MOAT_OK;
    }
    out->pc = walk.resumer_pc;
    out->sp = walk.resumer_sp;
    return MOAT_OK;
}

/* Appends the caller's live chain from the frame that resumed `co`; nothing if
 * that frame is gone. */
static void append_resumers(const struct co *co, struct trace *trace,
                            uintptr_t from_sp)
{
    struct live_walk walk;

    begin_resumer_walk(&walk, co, from_sp);
    walk.take = take_from_resumer;
    walk.trace = *trace;
    walk.trace.co = moat_co_current();
    walk_live(&walk);
    *trace = walk.trace;
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
        append_resumers(co, &walk->trace, from_sp);
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
