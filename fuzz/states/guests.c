/*
 * guests.c: a guest: it performs operations as the host does, until it returns,
 * traps or is unwound.
 *
 * SPDX-License-Identifier: MIT
 */
#include "play.h"

/* The values of different coroutines differ in what remains of a division. */
void *play_value_for(int co)
{
    play.serial++;
    return (void *)(uintptr_t)(play.serial * (CO_MAX + 1) + (unsigned)(co + 1));
}

void play_entered(int co, const void *input)
{
    if (play.transferring)
        model_transfer(&play.m, co);
    else
        model_enter(&play.m, co);
    play.transferring = false;
    TARGET_CHECK(moat_co_current() == play.handle[co]);
    TARGET_CHECK((uintptr_t)input % (CO_MAX + 1) == (unsigned)(co + 1));
}

static int number_of(const moat_co *self)
{
    for (int i = 0; i < CO_MAX; i++) {
        if (play.m.co[i].exists && play.handle[i] == self)
            return i;
    }
    target_fail("a guest runs that was not created");
}

/* Its time limit has passed, but its policy lets nothing stop it. */
static void wait_for_limit(int co)
{
    void *value = play_value_for(co);

    while (!moat_poll())
        continue;
    if (input_below(&play.in, 2) == 0)
        return;
    model_leave(&play.m, MOAT_EVENT_YIELD, value);
    play_entered(co, moat_co_yield(play.handle[co], value));
}

struct frame {
    int co;
    bool returns;
};

/* Cleanup code may do what other code does: it yields or traps. */
static void clean_up(int co)
{
    switch (input_below(&play.in, 4)) {
    case 1:
        play.m.co[co].unwinding = true;
        model_leave(&play.m, MOAT_EVENT_YIELD, NULL);
        play_entered(co, moat_co_yield(play.handle[co], NULL));
        break;
    case 2:
        if (model_fault(&play.m, true) != OUTCOME_TRAP)
            break;
        model_trap(&play.m, MOAT_TRAP_RAISED, 77);
        moat_trap_raise(77);
    default:
        break;
    }
}

/* Runs at a return, too. */
static void on_end(struct frame *frame)
{
    if (frame->returns)
        return;
    model_enter(&play.m, frame->co);
    model_drop_points(&play.m, frame->co);
    if (play.m.co[frame->co].limit != LIMIT_SHORT)
        clean_up(frame->co);
    model_leave(&play.m, MOAT_EVENT_RETURN, NULL);
}

void *play_guest(moat_co *self, void *input)
{
    __attribute__((cleanup(on_end))) struct frame frame = {number_of(self),
                                                           false};
    int co = frame.co;
    void *value;

    for (volatile bool doomed = model_is_doomed(&play.m, co); doomed;)
        continue;
    play.depth[co + 1] = 0;
    play.m.event_count[co + 1] = 0;
    play_entered(co, input);
    if (play.m.co[co].limit == LIMIT_SHORT)
        wait_for_limit(co);
    else
        play_on();
    value = play_value_for(co);
    model_leave(&play.m, MOAT_EVENT_RETURN, value);
    frame.returns = true;
    return value;
}
