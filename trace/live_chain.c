/*
 * live_chain.c: the frames of the running thread, across coroutine borders.
 *
 * A live walk starts in its caller and steps outwards. Three things make it
 * more than a loop of steps:
 *
 * Borders: the root frame's unwind rules lead from a coroutine to its resumer,
 * so one step crosses. The walk keeps track of which coroutine it is in
 * (trace.co), and knows the two frames after which another stack begins: that
 * coroutine's root, and the return address of a host call.
 *
 * Broken chains: a frame that is not above the previous one, or is on no
 * plausible stack, means that code without unwind information misled the walk.
 * The walk restarts at the coroutine's root, whose address is known, so the
 * host's part is always complete.
 *
 * Handlers and switches: in a signal handler on a stack of its own, and in the
 * middle of a switch, the walk begins elsewhere (`elsewhere`) and reaches the
 * coroutine's stack, or that of one of its resumers, after some frames.
 *
 * The resumer's chain of a trapped coroutine is the same walk. Its frames are
 * emitted only from the frame that resumed, which is recognised by the stack
 * pointer noted when the trap was settled, if that frame still lives.
 *
 * Async-signal-safe and lock-free, unless a step has to fall back to guessing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/live_chain.h"

#include <string.h>

#include <moat/moat.h>

#include "engine/coroutine.h"
#include "engine/host_call.h"
#include "engine/nointr.h"
#include "engine/room.h"
#include "sys/refusal.h"
#include "unwind/objects.h"
#include "unwind/walk_libunwind.h"
#include "unwind/walks.h"

/* The maximum number of steps to a frame that is not above the previous one.
 * Each nested host handler on a stack of its own costs one, and there are fewer
 * signals than this. */
#define MAX_LEAPS 64u

struct live_walk {
    struct moat_trace trace;
    uintptr_t from_sp; /* frames before the one with this sp are not shown   */
    bool started;      /* that frame has been reached                        */
    uintptr_t last_sp; /* of the frame before on this stack; 0: none         */
    bool last_interrupted;
    unsigned leaps; /* made so far                                           */
    bool (*take)(struct live_walk *, const struct moat_unwind_frame *);

    /* Of a search for the resumer's frame only. */
    uintptr_t resumer_pc, resumer_sp;
    struct moat_unwind_frame held; /* the last frame, not yet taken          */
    moat_regs *held_regs;          /* NULL: its registers are not wanted     */
    bool held_same;                /* it is in the function that resumed     */
    bool found;

    const moat_co *current; /* the thread's; NULL: passed                    */
    bool elsewhere; /* not yet on the stack of trace.co or of a resumer      */
    bool at_root;   /* the next frame is a root that was already taken       */
    const struct moat_host_call *call; /* the next host call outwards        */
    struct moat_cursor cursor;         /* last: initialised apart            */
};

static uintptr_t root_sp_of(const moat_co *co)
{
    return moat_arch_root_sp(co_of(co)->slot.base);
}

/* Returns whether it is the root of the coroutine that the walk is in. */
static bool is_own_root(const struct live_walk *walk, uintptr_t pc,
                        uintptr_t sp)
{
    const moat_co *co = walk->trace.co;

    return moat_is_root(pc) && co != NULL && sp == root_sp_of(co);
}

/* Emits a frame; after a coroutine's root the walk is in its resumer. */
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

/* Ends `elsewhere` if the frame lies on the stack of the coroutine or of one of
 * its resumers. */
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

/* Returns whether the frame is the one that resumed the current coroutine, to
 * which a walk from the middle of a switch leads directly. */
static bool is_after_switch(struct live_walk *walk,
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

/* Returns whether the chain is still sound. One that does not ascend is broken
 * and may loop. The one exception is a host's signal handler, whose stack may
 * be anywhere. */
static bool goes_up(struct live_walk *walk,
                    const struct moat_unwind_frame *frame)
{
    const moat_co *co = walk->trace.co;

    if (is_after_switch(walk, frame) ||
        (walk->elsewhere && comes_home(walk, frame->sp)))
        return true;
    if (co != NULL && !walk->elsewhere && !moat_is_on_stack_of(co, frame->sp))
        return false;
    if (frame->sp > walk->last_sp)
        return true;
    /* A switch pops its frame before its last instruction. */
    return ((frame->sp == walk->last_sp && walk->last_interrupted) ||
            ((co == NULL || walk->elsewhere) && frame->interrupted)) &&
           walk->leaps++ < MAX_LEAPS;
}

static bool is_host_call(const struct live_walk *walk, uintptr_t pc)
{
    return pc == (uintptr_t)moat_arch_call_on_return && walk->call != NULL;
}

/* Returns whether another stack begins after the frame. */
static bool is_border(const struct live_walk *walk,
                      const struct moat_unwind_frame *frame)
{
    return is_own_root(walk, frame->pc, frame->sp) ||
           is_host_call(walk, frame->pc);
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
    /* After a host call comes the guest that made it. */
    if (is_host_call(walk, frame->pc)) {
        walk->trace.co = walk->call->co;
        walk->call = walk->call->outer;
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
    if (step == MOAT_STEP_LOST && walk->trace.ends != NULL)
        walk->trace.ends->starved |= !moat_room_for(MOAT_STACK_FOR_GUESS);
    /* From the middle of a switch it led to the thread's first function. */
    if (step == MOAT_STEP_END && walk->elsewhere)
        walk->trace.co = NULL;
}

/* Returns whether frames are emitted: no search for the resumer's frame is in
 * progress. */
static bool is_taking(const struct live_walk *walk)
{
    return walk->resumer_sp == 0 || walk->found;
}

/* The walk ended inside a coroutine: continue at its root, which is known. */
static void resume_at_root(struct live_walk *walk)
{
    const moat_co *co = walk->trace.co;
    moat_regs root;

    if (is_taking(walk))
        (void)moat_trace_emit(&walk->trace, (uintptr_t)moat_root_return,
                              root_sp_of(co),
                              MOAT_FRAME_ROOT | MOAT_FRAME_GUESSED);
    moat_arch_regs_from_root(co, co_of(co)->slot.base, &root);
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
        resume_at_root(walk);
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
    walk->call = moat_host_calls();
}

static bool take_all(struct live_walk *walk,
                     const struct moat_unwind_frame *frame)
{
    return emit_live(walk, frame->pc, frame->sp);
}

/* A handler on a stack of its own uses none of the guest's: there is nothing to
 * check. */
static moat_status check_room(const moat_co *co)
{
    return co != NULL && moat_is_on_stack_of(
                             co, (uintptr_t)__builtin_frame_address(0))
               ? moat_stack_reserve(MOAT_STACK_FOR_ENTRY)
               : MOAT_OK;
}

__attribute__((noinline)) moat_status
moat_backtrace(moat_frame *frames, size_t capacity, size_t *count)
{
    struct live_walk walk;
    moat_regs here;
    moat_status status;

    if (frames == NULL || count == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           frames == NULL ? "frames is NULL" : "count is NULL");
    *count = 0;
    if (!moat_unwind_available())
        return moat_refuse(MOAT_E_UNSUPPORTED, MOAT_NO_UNWINDER);
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
    return walk.trace.full ? moat_trace_refuse_full(capacity) : MOAT_OK;
}

/* --- the resumer's chain ------------------------------------------------- */

/* Returns whether the held frame is the one that resumed: it contains the noted
 * stack pointer and belongs to the same function. It is then shown at the
 * address where it resumed. */
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

/* Stops at the resumer instead of emitting its chain. */
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
    /* After an inline resume: the address of the switch, as every unwinder
     * would have shown it during the fault. */
    if (co->control.resumer_sp == walk->resumer_sp)
        walk->resumer_pc = co->control.resumer_pc;
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

__attribute__((noinline)) void
moat_live_resumer(const struct co *co, uintptr_t from_sp, moat_regs *out)
{
    struct live_walk walk;
    moat_regs here;

    begin_at_resumer(&walk, co, from_sp, stop_at_resumer);
    walk.held_regs = out;
    moat_arch_capture(&here);
    moat_cursor_set(&walk.cursor, &here, false);
    walk_live(&walk);
    if (!walk.found) {
        memset(out, 0, sizeof *out);
        return;
    }
    out->pc = walk.resumer_pc;
    out->sp = walk.resumer_sp;
}
