/*
 * frame_records.c: the live chain by frame pointers alone: a few nanoseconds a
 * frame, for profilers and allocators that want a chain each time.
 *
 * Each function that was compiled with frame pointers leaves a frame record,
 * and a coroutine's control record begins with one that leads to its resumer.
 * The frame pointer of other code holds anything; it is followed only if it
 * leads to a record on the stack that the walk is on, above the one before.
 *
 * The walk is on one stack at a time. climb follows the records of that stack.
 * It stops at a border: the root of a coroutine, after which the walk goes on
 * at its resumer, or a host call, which runs on the resumer's stack and after
 * which it goes on at the guest that made the call. A walk that begins on a
 * handler's own stack has no bounds: it peeks at the records until one lies on
 * a stack that is known.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "engine/host_call.h"
#include "engine/thread.h"
#include "stack/annotate.h"
#include "sys/refusal.h"
#include "trace/trace.h"
#include "unwind/frame_record.h"

struct walk {
    moat_frame *frames;
    size_t capacity, count;
    const moat_co *co;                 /* its stack; NULL: the host's       */
    const struct moat_host_call *call; /* the next that is passed           */
    struct moat_frame_chain chain; /* on the stack, above the last record  */
    bool elsewhere; /* on a handler's own stack, whose bounds are not known */
};

/* The largest distance from a record to the next where the base of the stack is
 * not known. */
#define MAX_FRAME_BYTES ((uintptr_t)64 << 10)

/* Moves to that coroutine's stack, or the host's. */
static void move_to(struct walk *walk, const moat_co *co)
{
    const struct moat_thread *thread;

    walk->co = co;
    if (co != NULL) {
        walk->chain.limit = co_of(co)->slot.limit;
        walk->chain.base = co_of(co)->slot.base;
    } else {
        thread = moat_thread_self();
        walk->chain.limit = thread->own_stack.limit;
        walk->chain.base = thread->own_stack.base;
    }
}

/* False: there is no room. */
static bool put(struct walk *walk, uintptr_t pc, uintptr_t sp, unsigned flags)
{
    moat_frame *frame = &walk->frames[walk->count];

    if (walk->count == walk->capacity)
        return false;
    frame->pc = pc;
    frame->sp = sp;
    frame->co = walk->co;
    frame->flags = flags;
    walk->count++;
    return true;
}

static bool is_of(const moat_co *co, uintptr_t fp)
{
    return fp == (uintptr_t)co || moat_is_on_stack_of(co, fp);
}

/* Moves to the stack that the next record lies on. False: it is on none that is
 * known. In the middle of a switch the frame pointer is still that of the side
 * that is left: of the coroutine, which no longer runs, in a yield or a return;
 * of the resumer, while the coroutine runs already, in a resume. */
static bool comes_home(struct walk *walk)
{
    const moat_co *current = moat_co_current(), *was = walk->co, *co = was;

    if (current != NULL && current != co && is_of(current, walk->chain.fp))
        co = current;
    else if (co != NULL && walk->chain.fp == co->resumer_fp)
        co = moat_resumer_of(co);
    move_to(walk, co);
    if (moat_frame_chain_continues(&walk->chain) ||
        (co != NULL && walk->chain.fp == (uintptr_t)co))
        return true;
    /* The comparison was equal by chance: the value is no frame pointer. */
    move_to(walk, was);
    return false;
}

/* Peeks at the next record, for want of bounds. */
static bool peek_record(struct walk *walk, struct moat_frame_record *out)
{
    if (!moat_frame_record_peek(walk->chain.fp, out))
        return false;
    walk->chain.limit = walk->chain.fp + sizeof *out;
    return true;
}

/* On a handler's own stack records go up, and are not far apart. */
static bool read_elsewhere(struct walk *walk, struct moat_frame_record *out)
{
    uintptr_t above = walk->chain.limit, fp = walk->chain.fp;

    walk->elsewhere = !comes_home(walk);
    if (walk->elsewhere) {
        walk->chain.limit = above;
        return fp >= above && fp - above <= MAX_FRAME_BYTES &&
               peek_record(walk, out);
    }
    /* How far down this stack is mapped is not known yet; what lies above a
     * mapped word of it is mapped. */
    return moat_frame_chain_continues(&walk->chain) && peek_record(walk, out);
}

static bool read_record(struct walk *walk, struct moat_frame_record *out)
{
    if (walk->elsewhere)
        return read_elsewhere(walk, out);
    return moat_frame_chain_next(&walk->chain, out);
}

/* Crosses to the resumer: the root frame, then the frame that resumed. */
static bool cross(struct walk *walk, unsigned flags)
{
    const moat_co *co = walk->co;
    uintptr_t base = co_of(co)->slot.base;

    if (!put(walk, (uintptr_t)moat_root_return, moat_arch_root_sp(base),
             MOAT_FRAME_ROOT | flags))
        return false;
    move_to(walk, moat_resumer_of(co));
    walk->elsewhere = false;
    walk->chain.fp = co->resumer_fp;
    if (!put(walk, co->resumer_pc, co->resumer_sp, 0))
        return false;
    if (walk->chain.limit < co->resumer_sp)
        walk->chain.limit = co->resumer_sp;
    return true;
}

static bool follow(struct walk *walk, const struct moat_frame_record *record)
{
    uintptr_t sp = walk->chain.fp + sizeof *record;

    if (record->pc == (uintptr_t)moat_root_return && walk->co != NULL)
        return cross(walk, 0);
    if (record->pc == (uintptr_t)moat_arch_call_on_return &&
        walk->call != NULL) {
        move_to(walk, walk->call->co);
        walk->call = walk->call->outer;
        walk->chain.fp = record->fp;
    } else {
        (void)moat_frame_chain_pass(&walk->chain, record);
    }
    return put(walk, record->pc, sp, 0);
}

static inline bool is_border(uintptr_t pc)
{
    return pc == (uintptr_t)moat_root_return ||
           pc == (uintptr_t)moat_arch_call_on_return;
}

/* Follows the records of one stack, up to one that leads off it. */
static MOAT_NO_SANITIZE void climb(struct walk *walk)
{
    struct moat_frame_chain chain = walk->chain;
    const moat_co *co = walk->co;
    moat_frame *frame = walk->frames + walk->count,
               *end = walk->frames + walk->capacity;
    struct moat_frame_record record;

    while (frame < end && moat_frame_chain_next(&chain, &record) &&
           !is_border(record.pc)) {
        (void)moat_frame_chain_pass(&chain, &record);
        *frame++ = (moat_frame){record.pc, chain.limit, co, 0};
    }
    walk->chain = chain;
    walk->count = (size_t)(frame - walk->frames);
}

/* False: the array is full. */
static bool run(struct walk *walk)
{
    struct moat_frame_record record;

    for (;;) {
        if (!walk->elsewhere)
            climb(walk);
        if (read_record(walk, &record) && record.pc != 0) {
            if (!follow(walk, &record))
                return false;
        } else if (walk->co == NULL) {
            return true;
        } else if (!cross(walk, MOAT_FRAME_GUESSED)) {
            return false;
        }
    }
}

__attribute__((noinline)) moat_status
moat_backtrace_fp(moat_frame *frames, size_t capacity, size_t *count)
{
    struct walk walk;
    bool all;

    if (frames == NULL || count == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           frames == NULL ? "frames is NULL" : "count is NULL");
    *count = 0;
    if (!MOAT_ARCH_KNOWS_REGISTERS)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "without a port to this CPU its frame records are "
                           "not known");
    if (moat_thread_self() == NULL)
        return MOAT_E_THREAD;
    walk.frames = frames;
    walk.capacity = capacity;
    walk.count = 0;
    walk.call = moat_host_calls();
    walk.chain.fp = (uintptr_t)__builtin_frame_address(0);
    move_to(&walk, moat_co_on_stack());
    walk.elsewhere = !moat_frame_chain_continues(&walk.chain);
    walk.chain.limit = walk.chain.fp;
    all = run(&walk);
    *count = walk.count;
    return all ? MOAT_OK : moat_trace_refuse_full(capacity);
}
