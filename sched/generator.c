/*
 * generator.c: generators: their creation, their end, and what the inline
 * functions of moat/gen.h leave to the library.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/gen.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unwind.h>

#include <moat/guest.h>

#include "sched/bodies.h"
#include "sched/refuse.h"
#include "sched/run.h"
#include "sched/structs.h"

/* The stack that a creation needs: moat_notrap_call and malloc. */
#define STACK_FOR_CREATE ((size_t)8 << 10)

/* The first version of moat_co_options. */
#define LEAST_OPTIONS offsetof(moat_co_options, heap)

static moat_co *co_of(const moat_gen *gen)
{
    return (moat_co *)(uintptr_t)gen;
}

static struct gen_part *part_of(const moat_gen *gen)
{
    return moat_co_user(co_of(gen));
}

/* ---- Memory ---- */

/*
 * Calls the allocator. A guest stopped by a deadline in there would never
 * release the allocator's lock, so the deadline waits. A fault in the allocator
 * (a block freed twice) is still the guest's.
 */
static void allocator_call(void (*fn)(void *), void *arg)
{
    moat_status status = MOAT_E_STATE;

    if (moat_co_current() != NULL)
        status = moat_notrap_call(fn, arg, NULL);
    if (status == MOAT_E_FAULT)
        moat_trap_raise((int)MOAT_E_FAULT);
    if (status != MOAT_OK)
        fn(arg); /* on the host's stack; or little is left of a guest's */
}

static void allocate(void *out)
{
    *(struct gen_part **)out = calloc(1, sizeof(struct gen_part));
}

static void discard_exception(void *exception)
{
    _Unwind_DeleteException(exception);
}

/* ---- Threads ---- */

/* The task that runs on this thread, if it may change its thread. */
static const struct moat_task *mover(void)
{
    const struct worker *worker = moat_sched_worker;
    const struct moat_task *task = worker != NULL ? worker->running : NULL;

    return task != NULL && task->moves ? task : NULL;
}

static void note_maker(struct gen_part *part)
{
    part->maker = mover();
    part->number = part->maker != NULL ? part->maker->number : 0;
}

/* The task that has made it is on another thread by now. Returns whether the
 * body is this thread's. */
static bool claim(const moat_gen *gen)
{
    const struct gen_part *part = part_of(gen);

    return part->maker != NULL && part->maker == mover() &&
           part->number == part->maker->number &&
           moat_co_adopt(co_of(gen)) == MOAT_OK;
}

/* ---- Creation ---- */

/* Returns the spec of generators without options; NULL if it cannot be made.
 * It is made once, and stays. */
static moat_status find_default_spec(moat_spec **out)
{
    static _Atomic(moat_spec *) only;
    moat_spec *made, *found = atomic_load_explicit(&only, memory_order_acquire);
    moat_status status;

    if (found == NULL) {
        status = moat_spec_create(&made, NULL);
        if (status != MOAT_OK)
            return status;
        if (atomic_compare_exchange_strong(&only, &found, made))
            found = made;
        else
            moat_spec_destroy(made);
    }
    *out = found;
    return MOAT_OK;
}

/* Checks what both ways of a creation share, and makes the part. */
static moat_status prepare(moat_gen **out, moat_gen_body body, void *arg,
                           struct gen_part **part)
{
    moat_status status;

    if (out == NULL || body == NULL)
        return refuse(out == NULL ? "out is NULL" : "body is NULL");
    /* A guest's bad pointer faults here, before anything is made. */
    *(moat_gen *volatile *)out = *out;
    status = moat_stack_reserve(STACK_FOR_CREATE);
    if (status != MOAT_OK)
        return status;
    *part = NULL;
    allocator_call(allocate, part);
    if (*part == NULL)
        return MOAT_E_NOMEM;
    (*part)->body = body;
    (*part)->arg = arg;
    note_maker(*part);
    return MOAT_OK;
}

/* Completes a creation after that of its coroutine. */
static moat_status complete(moat_gen **out, moat_co *co, struct gen_part *part,
                            moat_status status)
{
    if (status == MOAT_OK)
        *out = (moat_gen *)co;
    else
        allocator_call(free, part);
    return status;
}

static moat_status create_with(moat_gen **out, moat_gen_body body, void *arg,
                               const moat_co_options *options)
{
    moat_co_options own;
    moat_co *co = NULL;
    struct gen_part *part;
    moat_status status =
        moat_sched_copy_in(&own, sizeof own, options, LEAST_OPTIONS);

    if (status == MOAT_OK)
        status = prepare(out, body, arg, &part);
    if (status != MOAT_OK)
        return status;
    own.struct_size = sizeof own;
    own.user = part;
    status = moat_co_create(&co, moat_body_enter, &own);
    return complete(out, co, part, status);
}

moat_status moat_gen_create(moat_gen **out, moat_gen_body body, void *arg,
                            const moat_co_options *options)
{
    moat_spec *spec;
    moat_status status;

    if (options != NULL)
        return create_with(out, body, arg, options);
    status = find_default_spec(&spec);
    return status == MOAT_OK ? moat_gen_create_from(out, spec, body, arg)
                             : status;
}

moat_status moat_gen_create_from(moat_gen **out, moat_spec *spec,
                                 moat_gen_body body, void *arg)
{
    moat_co *co = NULL;
    struct gen_part *part;
    moat_status status;

    if (spec == NULL)
        return refuse("spec is NULL");
    status = prepare(out, body, arg, &part);
    if (status != MOAT_OK)
        return status;
    status = moat_co_create_from(&co, spec, moat_body_enter, part);
    return complete(out, co, part, status);
}

/* ---- The end of a sequence ---- */

/* Drops the frames of a body that has yielded while it was unwound. */
static void drop(moat_gen *gen)
{
    moat_event event;
    moat_status status = moat_co_reset(co_of(gen));

    if (status == MOAT_OK)
        status = moat_co_cancel(co_of(gen), &event);
    (void)status; /* if it failed, the rest does nothing: see
                     moat_body_enter */
}

/* Records the event with which the body has ended. */
static moat_status end(moat_gen *gen, const moat_event *event)
{
    struct gen_part *part = part_of(gen);

    part->ended = true;
    switch (event->kind) {
    case MOAT_EVENT_RETURN:
        part->status = MOAT_OK;
        break;
    case MOAT_EVENT_PANIC:
        part->status = MOAT_E_EXCEPTION;
        part->exception = event->value;
        break;
    case MOAT_EVENT_YIELD:
        part->status = MOAT_E_STATE;
        drop(gen);
        break;
    default:
        part->status = MOAT_E_FAULT;
    }
    return part->status;
}

/* Returns whether the sequence is over. If a limit of the consumer passes, the
 * body is stopped as well, and no moat_gen_next has seen that event. */
static bool is_over(const moat_gen *gen)
{
    struct gen_part *part = part_of(gen);

    if (!part->ended && moat_co_get_state(co_of(gen)) == MOAT_CO_TRAPPED) {
        part->ended = true;
        part->status = MOAT_E_FAULT;
    }
    return part->ended;
}

/* The task may be on another thread after the wait. */
static void pass_on(const moat_gen *gen)
{
    moat_body_pass_on(moat_sched_worker);
    (void)claim(gen);
}

/* Resumes a body whose time slice has ended, or which asks its task for
 * something: the consumer still waits for an item, or for the end. */
static moat_status run_on(moat_gen *gen, moat_event *event)
{
    moat_status status = MOAT_OK;

    while (status == MOAT_OK) {
        if (moat_body_asks(part_of(gen), co_of(gen), event))
            pass_on(gen);
        else if (event->kind != MOAT_EVENT_PREEMPT)
            break;
        status = moat_co_resume(co_of(gen), gen, event);
    }
    return status;
}

bool moat_gen_next_slow(moat_gen *gen, void **item, moat_status status,
                        moat_event *event)
{
    if (gen == NULL || is_over(gen))
        return false;
    if (status == MOAT_E_THREAD && claim(gen))
        status = moat_co_resume(co_of(gen), gen, event);
    if (status == MOAT_OK)
        status = run_on(gen, event);
    if (status != MOAT_OK) {
        part_of(gen)->status = status;
        return false;
    }
    if (event->kind == MOAT_EVENT_YIELD) {
        *item = event->value;
        return true;
    }
    (void)end(gen, event);
    return false;
}

void moat_gen_yield_slow(void)
{
    moat_trap_raise((int)MOAT_E_STATE);
}

moat_status moat_gen_cancel(moat_gen *gen)
{
    moat_event event;
    moat_status status;

    if (gen == NULL)
        return refuse("gen is NULL");
    if (is_over(gen))
        return part_of(gen)->status;
    (void)claim(gen);
    part_of(gen)->asks = false; /* the wait is over */
    status = moat_co_cancel(co_of(gen), &event);
    if (status == MOAT_OK)
        status = run_on(gen, &event);
    return status == MOAT_OK ? end(gen, &event) : status;
}

void moat_gen_leave(struct moat_gen_loop *loop)
{
    if (loop->gen != NULL)
        (void)moat_gen_cancel(loop->gen);
}

void moat_gen_destroy(moat_gen *gen)
{
    moat_co_state state;
    struct gen_part *part;

    if (gen == NULL)
        return;
    part = part_of(gen);
    (void)claim(gen);
    (void)moat_gen_cancel(gen); /* its cleanup code may ask for something */
    state = moat_co_get_state(co_of(gen));
    moat_co_destroy(co_of(gen));
    if (state == MOAT_CO_RUNNING || state == MOAT_CO_RESUMING)
        return; /* the caller's bug, at which moat_co_destroy may abort */
    if (part->exception != NULL)
        allocator_call(discard_exception, part->exception);
    allocator_call(free, part);
}

/* ---- What it is asked ---- */

moat_status moat_gen_status(const moat_gen *gen)
{
    if (gen == NULL)
        return refuse("gen is NULL");
    (void)is_over(gen);
    return part_of(gen)->status;
}

moat_co *moat_gen_co(const moat_gen *gen)
{
    return co_of(gen);
}

void *moat_gen_take_exception(moat_gen *gen)
{
    struct gen_part *part;
    void *exception;

    if (gen == NULL)
        return NULL;
    part = part_of(gen);
    exception = part->exception;
    part->exception = NULL;
    return exception;
}

/* ---- Out of line ---- */

MOAT_API bool next_outline(moat_gen *gen, void **item) __asm__("moat_gen_next");
MOAT_API void yield_outline(moat_gen *gen,
                            void *item) __asm__("moat_gen_yield");

bool next_outline(moat_gen *gen, void **item)
{
    return moat_gen_next(gen, item);
}

void yield_outline(moat_gen *gen, void *item)
{
    moat_gen_yield(gen, item);
}
