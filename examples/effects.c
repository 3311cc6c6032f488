/*
 * effects.c: a small library of effect handlers.
 *
 * A function performs effects: it asks for something by name and argument, and
 * does not know who answers. A handler, further out, answers: it resumes the
 * function with a result, or does not resume it at all, or more than once. This
 * is how exceptions, generators, state and nondeterminism are one and the same
 * thing (Plotkin and Pretnar, 2009).
 *
 * Shows: moat_co_clone, for handlers that resume more than once. A resumption
 * is a coroutine that waits. resume_again leaves it as it is and continues a
 * clone; resume_last continues it for good.
 * Run: build/debug/examples/effects
 * Prints: the same function under three handlers (expected/effects.txt): one
 * that answers from a variable, one that stops at the first question, and one
 * that tries every answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <moat/moat.h>

/* --- the library ---------------------------------------------------------- */

enum effect { FLIP, GET, PUT };

/* The question of a function. It lies in the function's frame, so a handler
 * reads it before it resumes. */
struct request {
    enum effect effect;
    int argument;
};

static int perform(enum effect effect, int argument)
{
    moat_co *self = moat_co_current();
    /* The number of the effect, and its argument. */
    uintptr_t question = (uintptr_t)effect << 32 | (uint32_t)argument;

    return (int)(intptr_t)moat_co_yield(self, (void *)question);
}

struct handler;
typedef int handle(struct handler *handler, struct request request,
                   moat_co *resumption);

struct handler {
    handle *handle; /* its result is that of `run`          */
    int state;
};

/* Resumes a function until its next request, and hands that to the handler.
 * Takes the coroutine over. */
static int run(struct handler *handler, moat_co *co, int answer)
{
    struct request request;
    moat_event event;
    int result = 0;

    if (moat_co_resume(co, (void *)(intptr_t)answer, &event) != MOAT_OK)
        abort();
    if (event.kind == MOAT_EVENT_YIELD) {
        request.effect = (enum effect)((uintptr_t)event.value >> 32);
        request.argument = (int)(uint32_t)(uintptr_t)event.value;
        return handler->handle(handler, request, co);
    }
    if (event.kind == MOAT_EVENT_RETURN)
        result = (int)(intptr_t)event.value;
    moat_co_destroy(co);
    return result;
}

static int resume_last(struct handler *handler, moat_co *resumption, int answer)
{
    return run(handler, resumption, answer);
}

static int resume_again(struct handler *handler, const moat_co *resumption,
                        int answer)
{
    moat_co *clone;

    if (moat_co_clone(resumption, &clone) != MOAT_OK)
        abort();
    return run(handler, clone, answer);
}

static int with_handler(struct handler *handler, moat_entry function)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_kind = MOAT_STACK_COPIED;
    if (moat_co_create(&co, function, &options) != MOAT_OK)
        abort();
    return run(handler, co, 0);
}

/* --- a function ----------------------------------------------------------- */

/* Three flips; each that shows 1 adds to the sum that is kept by the handler.
 */
static void *flip_coins(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    for (int weight = 1; weight <= 4; weight *= 2) {
        if (perform(FLIP, weight))
            (void)perform(PUT, perform(GET, 0) + weight);
    }
    return (void *)(intptr_t)perform(GET, 0);
}

/* --- handlers ------------------------------------------------------------- */

/* Answers 1 and 0 in turns, and keeps the sum. */
static int answer_all(struct handler *handler, struct request request,
                      moat_co *resumption)
{
    static int flips;
    int answer = 0;

    if (request.effect == FLIP)
        answer = ++flips % 2;
    else if (request.effect == GET)
        answer = handler->state;
    else
        handler->state = request.argument;
    return resume_last(handler, resumption, answer);
}

/* Stops the function, as an exception would: its frames are unwound. */
static int stop_at_once(struct handler *handler, struct request request,
                        moat_co *resumption)
{
    (void)handler;
    moat_co_destroy(resumption);
    return -request.argument;
}

/* Tries both sides of each coin, each with the sum as it was, and returns the
 * sum of all results. */
static int try_both(struct handler *handler, struct request request,
                    moat_co *resumption)
{
    int before = handler->state, heads;

    if (request.effect == GET)
        return resume_last(handler, resumption, handler->state);
    if (request.effect == PUT) {
        handler->state = request.argument;
        return resume_last(handler, resumption, 0);
    }
    heads = resume_again(handler, resumption, 1);
    handler->state = before;
    return heads + resume_last(handler, resumption, 0);
}

int main(void)
{
    struct handler plain = {answer_all, 0}, stop = {stop_at_once, 0};
    struct handler both = {try_both, 0};

    printf("answered: %d\n", with_handler(&plain, flip_coins));
    printf("stopped: %d\n", with_handler(&stop, flip_coins));
    printf("every way, added up: %d\n", with_handler(&both, flip_coins));
    return 0;
}
