/*
 * live_chain.c: the frames of the running thread, across coroutine borders.
 *
 * The root frames' unwind rules lead from each coroutine to its resumer. Where
 * the walk ends inside a coroutine (code without unwind information), it is
 * taken up again at the root.
 *
 * Async-signal-safe, and nothing is locked, as long as no step is a guess.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/trace.h"

/* Stacks that the host's handlers, each interrupted by the next, are on: there
 * are not so many signals. */
#define LEAPS_MOST 64u

struct live_walk {
    struct moat_trace trace;
    uintptr_t
        from_sp; /* frames before the one with this sp are the library's */
    bool started;
    uintptr_t last_sp; /* of the frame before on this stack; 0: none */
    bool last_interrupted;
    unsigned leaps; /* to a frame that is not above the one before     */
    bool (*take)(struct live_walk *, const struct moat_unwind_frame *);
    /* moat_co_backtrace only: the resumer's frame that is looked for. */
    uintptr_t resumer_pc, resumer_sp;
    struct moat_unwind_frame held; /* the last frame, not yet taken     */
    moat_regs *held_regs;          /* its registers are wanted; or NULL */
    bool held_same, found;
    const moat_co *current; /* the thread's; NULL: left behind           */
    bool elsewhere; /* not yet on the stack of trace.co, nor of a resumer  */
    bool at_root;   /* the next frame is that root, already taken      */
    const struct moat_visit *visit; /* the next call on a resumer's stack */
    struct moat_cursor cursor;      /* last: set apart                    */
};

static uintptr_t root_sp_of(const moat_co *co)
{
    return moat_arch_root_sp(co_of(co)->activation.slot.base);
}

/* Is it the root of the coroutine that the walk is in? */
static bool is_own_root(const struct live_walk *walk, uintptr_t pc,
                        uintptr_t sp)
{
    const moat_co *co = walk->trace.co;

    return moat_is_root(pc) && co != NULL && sp == root_sp_of(co);
}

/* A frame of the live chain goes out; behind a root comes the resumer. */
static bool emit_live(struct live_walk *walk, uintptr_t pc, uintptr_t sp)
{
    struct moat_trace *trace = &walk->trace;
    bool leaves = is_own_root(walk, pc, sp);
    bool more =
        moat_trace_emit(trace, pc, sp, moat_is_root(pc) ? MOAT_FRAME_ROOT : 0);

    if (leaves)
        trace->co = moat_resumer_of(trace->co);
    return more;
}

/* In a handler that has a stack of its own, and in the middle of a switch, the
 * walk begins elsewhere, and comes to the coroutine's stack or a resumer's. */
static bool comes_home(struct live_walk *walk, uintptr_t sp)
{
    const moat_co *co = walk->trace.co;

    while (co != NULL && !moat_is_on_stack_of(co, sp))
        co = moat_resumer_of(co);
    if (co == NULL)
        return false;
    walk->trace.co = co;
    walk->elsewhere = false;
    return true;
}

/* In the middle of a switch, too, the way leads to where the record says. */
static bool is_behind_switch(struct live_walk *walk,
                             const struct moat_unwind_frame *frame)
{
    const moat_co *co = walk->current;

    if (co == NULL || frame->pc != co->resumer_pc ||
        frame->sp != co->resumer_sp)
        return false;
    walk->trace.co = moat_resumer_of(co);
    walk->elsewhere = false;
    walk->current = NULL;
    return true;
}

/* A chain that does not go up its stack is broken, and may be a circle. The
 * host's handlers may have stacks of their own. */
static bool goes_up(struct live_walk *walk,
                    const struct moat_unwind_frame *frame)
{
    const moat_co *co = walk->trace.co;

    if (is_behind_switch(walk, frame) ||
        (walk->elsewhere && comes_home(walk, frame->sp)))
        return true;
    if (co != NULL && !walk->elsewhere && !moat_is_on_stack_of(co, frame->sp))
        return false;
    if (frame->sp > walk->last_sp)
        return true;
    /* The switch gives its stack back before it leaves. */
    return ((frame->sp == walk->last_sp && walk->last_interrupted) ||
            ((co == NULL || walk->elsewhere) && frame->interrupted)) &&
           walk->leaps++ < LEAPS_MOST;
}

static bool is_visit(const struct live_walk *walk, uintptr_t pc)
{
    return pc == (uintptr_t)moat_arch_call_on_return && walk->visit != NULL;
}

/* Does another stack begin behind the frame? */
static bool is_border(const struct live_walk *walk,
                      const struct moat_unwind_frame *frame)
{
    return is_own_root(walk, frame->pc, frame->sp) || is_visit(walk, frame->pc);
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
    walk->last_sp = is_border(walk, frame) ? 0 : frame->sp;
    walk->last_interrupted = frame->interrupted;
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

static void follow(struct live_walk *walk)
{
    const struct moat_cursor *cursor = &walk->cursor;
    enum moat_step step = MOAT_STEP_MADE;

    while (step == MOAT_STEP_MADE) {
        struct moat_unwind_frame frame = {cursor->pc, cursor->sp,
                                          cursor->exact};

        if (frame.pc == 0 || !visit_live(&frame, walk))
            return;
        step = moat_trace_step(&walk->cursor, false);
    }
    /* The thread's first function, by way of a switch's middle. */
    if (step == MOAT_STEP_END && walk->elsewhere)
        walk->trace.co = NULL;
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
    moat_regs root;

    if (is_taking(walk))
        (void)moat_trace_emit(&walk->trace, (uintptr_t)moat_root_return,
                              root_sp_of(co),
                              MOAT_FRAME_ROOT | MOAT_FRAME_GUESSED);
    moat_arch_regs_from_root(co, co_of(co)->activation.slot.base, &root);
    moat_cursor_set(&walk->cursor, &root, true);
    walk->trace.co = moat_resumer_of(co);
    walk->held.sp = 0;
    walk->last_sp = 0;
    walk->started = true;
    walk->at_root = true;
    walk->elsewhere = false;
    follow(walk);
}

static void walk_live(struct live_walk *walk)
{
    follow(walk);
    while (walk->trace.co != NULL && !walk->trace.full)
        take_up_at_root(walk);
}

static void begin(struct live_walk *walk, uintptr_t from_sp,
                  bool (*take)(struct live_walk *,
                               const struct moat_unwind_frame *))
{
    memset(walk, 0, offsetof(struct live_walk, cursor));
    walk->current = moat_co_current();
    walk->trace.co = moat_co_on_stack();
    walk->elsewhere =
        walk->trace.co != NULL &&
        !moat_is_on_stack_of(walk->trace.co,
                             (uintptr_t)__builtin_frame_address(0));
    walk->from_sp = from_sp;
    walk->take = take;
    walk->visit = moat_call_visits();
}

static bool take_all(struct live_walk *walk,
                     const struct moat_unwind_frame *frame)
{
    return emit_live(walk, frame->pc, frame->sp);
}

/* In a handler on another stack than the guest's there is room. */
static moat_status check_room(const moat_co *co)
{
    return co != NULL && moat_is_on_stack_of(
                             co, (uintptr_t)__builtin_frame_address(0))
               ? moat_stack_reserve(MOAT_HOLD_BYTES)
               : MOAT_OK;
}

__attribute__((noinline)) moat_status
moat_backtrace(moat_frame *frames, size_t capacity, size_t *count)
{
    struct live_walk walk;
    moat_regs here;
    moat_status status;

    if (frames == NULL || count == NULL)
        return MOAT_E_INVAL;
    *count = 0;
    if (!moat_unwind_available())
        return MOAT_E_UNSUPPORTED;
    status = check_room(moat_co_current());
    if (status != MOAT_OK)
        return status;
    begin(&walk, MOAT_CALLER_SP, take_all);
    walk.trace.frames = frames;
    walk.trace.capacity = capacity;
    moat_arch_capture(&here);
    moat_cursor_set(&walk.cursor, &here, false);
    walk_live(&walk);
    *count = walk.trace.count;
    return walk.trace.full ? MOAT_E_LIMIT : MOAT_OK;
}

/* --- the resumer's chain ------------------------------------------------- */

/* Does the frame that was held hold the resumer's stack pointer, and is it the
 * same function? Then the resume has not been left, and the frame is shown at
 * the place where it resumed. */
static bool is_resumer(const struct live_walk *walk, uintptr_t next_sp)
{
    const struct moat_unwind_frame *held = &walk->held;

    return held->sp != 0 && !moat_is_root(held->pc) &&
           held->sp <= walk->resumer_sp && walk->resumer_sp < next_sp &&
           (held->sp == walk->resumer_sp || walk->held_same);
}

static bool is_same_procedure(uintptr_t pc, uintptr_t other)
{
    uintptr_t start, end;
    bool same;

    if (moat_unwind_procedure(pc - 1, &start, &end))
        return other - start < end - start;
    moat_walk_begin();
    same = moat_unwind_same_procedure(pc, other);
    moat_walk_end();
    return same;
}

static bool take_from_resumer(struct live_walk *walk,
                              const struct moat_unwind_frame *frame)
{
    if (!walk->found && is_resumer(walk, frame->sp)) {
        walk->found = true;
        (void)moat_trace_emit(&walk->trace, walk->resumer_pc, walk->resumer_sp,
                              0);
    }
    if (walk->found)
        return emit_live(walk, frame->pc, frame->sp);
    if (is_own_root(walk, frame->pc, frame->sp))
        walk->trace.co = moat_resumer_of(walk->trace.co);
    walk->held = *frame;
    if (walk->held_regs != NULL)
        moat_cursor_get(&walk->cursor, walk->held_regs);
    walk->held_same = is_same_procedure(frame->pc, walk->resumer_pc);
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

static void begin_at_resumer(struct live_walk *walk, const struct co *co,
                             uintptr_t from_sp,
                             bool (*take)(struct live_walk *,
                                          const struct moat_unwind_frame *))
{
    const struct co_cold *cold = cold_of(co);

    begin(walk, from_sp, take);
    walk->resumer_pc = cold->resumer_pc;
    walk->resumer_sp = cold->resumer_sp;
    /* If it resumed inline, at the place of the switch, as every unwinder would
     * have shown it during the fault. */
    if (co->activation.co.resumer_sp == walk->resumer_sp)
        walk->resumer_pc = co->activation.co.resumer_pc;
}

__attribute__((noinline)) void moat_live_append(const struct co *co,
                                                struct moat_trace *trace,
                                                uintptr_t from_sp)
{
    struct live_walk walk;
    moat_regs here;

    begin_at_resumer(&walk, co, from_sp, take_from_resumer);
    walk.trace = *trace;
    walk.trace.co = moat_co_on_stack();
    moat_arch_capture(&here);
    moat_cursor_set(&walk.cursor, &here, false);
    walk_live(&walk);
    *trace = walk.trace;
}

__attribute__((noinline)) moat_status
moat_backtrace_resumer(const struct co *co, uintptr_t from_sp, moat_regs *out)
{
    struct live_walk walk;
    moat_regs here;
    moat_status status = moat_hold_begin(MOAT_HOLD_UNWIND_BYTES);

    if (status != MOAT_OK)
        return status;
    begin_at_resumer(&walk, co, from_sp, stop_at_resumer);
    walk.held_regs = out;
    moat_arch_capture(&here);
    moat_cursor_set(&walk.cursor, &here, false);
    walk_live(&walk);
    moat_hold_end();
    if (!walk.found) {
        memset(out, 0, sizeof *out);
        return MOAT_OK;
    }
    out->pc = walk.resumer_pc;
    out->sp = walk.resumer_sp;
    return MOAT_OK;
}
