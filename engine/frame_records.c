/*
 * frame_records.c: the live chain by frame pointers alone: a few nanoseconds a
 * frame, for profilers and allocators that want a chain each time.
 *
 * Each function that was compiled with frame pointers leaves a record {its
 * caller's frame pointer, its return address}, and a coroutine's control record
 * begins with one that leads to its resumer. A register that holds anything
 * else is no way to the next record: each must lie on the stack that the walk
 * is on, above the one before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/trace.h"

struct record {
    uintptr_t fp, pc;
};

struct walk {
    moat_frame *frames;
    size_t capacity, count;
    const moat_co *co; /* whose stack it is on; NULL: the host's            */
    const struct moat_visit *visit; /* the next call on a resumer's stack   */
    uintptr_t limit, base; /* the stack, above the last record              */
    uintptr_t fp;          /* the next record                               */
    bool elsewhere; /* on a handler's own stack, whose bounds nobody knows  */
};

/* What belongs to a frame at most, where no base says how far it may go. */
#define MOST_FRAME_BYTES ((uintptr_t)64 << 10)

/* Onto that coroutine's stack, or the host's. */
static void move_to(struct walk *walk, const moat_co *co)
{
    const struct moat_thread *thread;

    walk->co = co;
    if (co != NULL) {
        walk->limit = co_of(co)->activation.slot.limit;
        walk->base = co_of(co)->activation.slot.base;
    } else {
        thread = moat_thread_self();
        walk->limit = thread->stack_limit;
        walk->base = thread->stack_base;
    }
}

static inline bool is_between(uintptr_t fp, uintptr_t limit, uintptr_t base)
{
    return fp >= limit && fp < base && base - fp >= sizeof(struct record) &&
           fp % sizeof(uintptr_t) == 0;
}

static inline bool is_on_stack(const struct walk *walk, uintptr_t fp)
{
    return is_between(fp, walk->limit, walk->base);
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

/* Does the next record lie on a stack that is known? The middle of a switch
 * keeps the frame pointer of the side that it leaves: a yield or a return with
 * the coroutine no longer running, a resume with it running already. */
static bool comes_home(struct walk *walk)
{
    const moat_co *current = moat_co_current(), *was = walk->co, *co = was;

    if (current != NULL && current != co && is_of(current, walk->fp))
        co = current;
    else if (co != NULL && walk->fp == co->resumer_fp)
        co = moat_resumer_of(co);
    move_to(walk, co);
    if (is_on_stack(walk, walk->fp) ||
        (co != NULL && walk->fp == (uintptr_t)co))
        return true;
    /* Equal by chance: neither was a frame pointer. */
    move_to(walk, was);
    return false;
}

/* A handler's stack may lie anywhere, and leads to one that is known. */
static bool read_elsewhere(struct walk *walk, struct record *out)
{
    uintptr_t fp = walk->fp;

    if (fp < walk->limit || fp - walk->limit > MOST_FRAME_BYTES ||
        !moat_arch_peek(fp, &out->fp) ||
        !moat_arch_peek(fp + sizeof fp, &out->pc))
        return false;
    walk->limit = fp + sizeof *out;
    return true;
}

/* The first on the stack that a handler has left: nothing says yet how far down
 * that one is mapped. What lies above a mapped word of it is. */
static bool read_first(struct walk *walk, struct record *out)
{
    if (!moat_arch_peek(walk->fp, &out->fp) ||
        !moat_arch_peek(walk->fp + sizeof out->fp, &out->pc))
        return false;
    walk->limit = walk->fp + sizeof *out;
    return true;
}

static MOAT_NO_SANITIZE bool read_record(struct walk *walk, struct record *out)
{
    const struct record *record = (const struct record *)walk->fp;

    if (walk->elsewhere) {
        uintptr_t above = walk->limit;

        walk->elsewhere = !comes_home(walk);
        if (walk->elsewhere) {
            walk->limit = above;
            return read_elsewhere(walk, out);
        }
        return is_on_stack(walk, walk->fp) && read_first(walk, out);
    }
    if (!is_on_stack(walk, walk->fp))
        return false;
    *out = *record;
    walk->limit = walk->fp + sizeof *record;
    return true;
}

/* The root frame, and behind it the place where the resumer did so. */
static bool cross(struct walk *walk, unsigned flags)
{
    const moat_co *co = walk->co;
    uintptr_t base = co_of(co)->activation.slot.base;

    if (!put(walk, (uintptr_t)moat_root_return, moat_arch_root_sp(base),
             MOAT_FRAME_ROOT | flags))
        return false;
    move_to(walk, moat_resumer_of(co));
    walk->elsewhere = false;
    walk->fp = co->resumer_fp;
    if (!put(walk, co->resumer_pc, co->resumer_sp, 0))
        return false;
    walk->limit = co->resumer_sp > walk->limit ? co->resumer_sp : walk->limit;
    return true;
}

/* Behind the call on a resumer's stack comes the guest that made it. */
static bool leave_visit(struct walk *walk, const struct record *record)
{
    uintptr_t sp = walk->fp + sizeof *record;

    move_to(walk, walk->visit->co);
    walk->visit = walk->visit->outer;
    walk->fp = record->fp;
    return put(walk, record->pc, sp, 0);
}

static bool follow(struct walk *walk, const struct record *record)
{
    uintptr_t sp = walk->fp + sizeof *record;

    if (record->pc == (uintptr_t)moat_root_return && walk->co != NULL)
        return cross(walk, 0);
    if (record->pc == (uintptr_t)moat_arch_call_on_return &&
        walk->visit != NULL)
        return leave_visit(walk, record);
    walk->fp = record->fp;
    return put(walk, record->pc, sp, 0);
}

static inline bool is_border(uintptr_t pc)
{
    return pc == (uintptr_t)moat_root_return ||
           pc == (uintptr_t)moat_arch_call_on_return;
}

/* The records of one stack, up to one that leads off it. */
static MOAT_NO_SANITIZE void climb(struct walk *walk)
{
    uintptr_t fp = walk->fp, limit = walk->limit;
    const uintptr_t base = walk->base;
    const moat_co *co = walk->co;
    moat_frame *frame = walk->frames + walk->count,
               *end = walk->frames + walk->capacity;

    while (frame < end && is_between(fp, limit, base)) {
        const struct record *record = (const struct record *)fp;
        uintptr_t pc = record->pc;

        if (pc == 0 || is_border(pc))
            break;
        limit = fp + sizeof *record;
        *frame++ = (moat_frame){pc, limit, co, 0};
        fp = record->fp;
    }
    walk->fp = fp;
    walk->limit = limit;
    walk->count = (size_t)(frame - walk->frames);
}

/* False: the array is full. */
static MOAT_NO_SANITIZE bool run(struct walk *walk)
{
    struct record record;

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
        return MOAT_E_INVAL;
    *count = 0;
    if (moat_thread_self() == NULL)
        return MOAT_E_THREAD;
    walk.frames = frames;
    walk.capacity = capacity;
    walk.count = 0;
    walk.visit = moat_call_visits();
    walk.fp = (uintptr_t)__builtin_frame_address(0);
    move_to(&walk, moat_co_on_stack());
    walk.elsewhere = !is_on_stack(&walk, walk.fp);
    walk.limit = walk.fp;
    all = run(&walk);
    *count = walk.count;
    return all ? MOAT_OK : MOAT_E_LIMIT;
}
