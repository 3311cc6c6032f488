/*
 * test_transfer.c: symmetric transfer: which coroutine an event belongs to, the
 * state that each side keeps, and everything that may go wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include <moat/moat.h>

#include "../support/cpu_state.h"
#include "../support/fixture.h"
#include "guests.h"

#define NUMBER(value) ((void *)(uintptr_t)(value))

/* Shared by the guests of a case. */
static moat_co *first, *second, *third;
static char notes[64];
static size_t noted;

static void note(char letter)
{
    if (noted + 1 < sizeof notes)
        notes[noted++] = letter;
}

static void expect_event(moat_event event, moat_event_kind kind,
                         const void *value, const moat_co *co)
{
    EXPECT_EQ(event.kind, kind);
    EXPECT(event.value == value);
    EXPECT(event.co == co);
}

static void *switch_to(moat_co *self, moat_co *other, void *value)
{
    void *input = NULL;

    EXPECT_EQ(moat_co_switch_to(self, other, value, &input), MOAT_OK);
    return input;
}

static void destroy_all(void)
{
    moat_co_destroy(first);
    moat_co_destroy(second);
    moat_co_destroy(third);
    EXPECT(moat_co_current() == NULL);
}

/* --- events --------------------------------------------------------------- */

/* Switches to `second` again and again, with the value it received. */
static void *to_second(moat_co *self, void *input)
{
    for (;;)
        input = switch_to(self, second, input);
    return NULL;
}

static void *return_it(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void *panic(moat_co *self, void *input)
{
    static struct _Unwind_Exception exception;

    (void)self;
    (void)_Unwind_RaiseException(&exception);
    return input;
}

static void events(const void *arg)
{
    moat_event event;

    (void)arg;
    first = guest_create(to_second);
    second = guest_create(guest_echo);
    expect_event(guest_resume(first, NUMBER(1)), MOAT_EVENT_YIELD, NUMBER(1),
                 second);
    EXPECT_EQ(moat_co_get_state(first), MOAT_CO_SUSPENDED);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_SUSPENDED);
    EXPECT(moat_co_current() == NULL);
    /* Either continues where it stopped. */
    expect_event(guest_resume(first, NUMBER(2)), MOAT_EVENT_YIELD, NUMBER(2),
                 second);
    expect_event(guest_resume(second, NUMBER(3)), MOAT_EVENT_YIELD, NUMBER(3),
                 second);
    moat_co_destroy(second);

    second = guest_create(return_it);
    expect_event(guest_resume(first, NUMBER(4)), MOAT_EVENT_RETURN, NUMBER(4),
                 second);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_DONE);
    moat_co_destroy(second);

    second = guest_create(guest_write_null);
    expect_event(guest_resume(first, NULL), MOAT_EVENT_TRAP, NULL, second);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_TRAPPED);
    EXPECT_EQ(moat_co_get_state(first), MOAT_CO_SUSPENDED);
    moat_co_destroy(second);

    second = guest_create(panic);
    event = guest_resume(first, NULL);
    EXPECT_EQ(event.kind, MOAT_EVENT_PANIC);
    EXPECT(event.co == second);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_DONE);
    destroy_all();
}

static void *count_up(moat_co *self, void *input)
{
    moat_co *other = self == first ? second : first;
    uintptr_t count = (uintptr_t)input;

    while (count < 100000) {
        EXPECT(moat_co_current() == self);
        EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
        EXPECT(moat_co_get_state(other) != MOAT_CO_RUNNING);
        count = (uintptr_t)switch_to(self, other, NUMBER(count + 1));
    }
    return NUMBER(count);
}

static void to_and_fro(const void *arg)
{
    (void)arg;
    first = guest_create(count_up);
    second = guest_create(count_up);
    expect_event(guest_resume(first, NULL), MOAT_EVENT_RETURN, NUMBER(100000),
                 first);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_SUSPENDED);
    destroy_all();
}

/* A coroutine that has switched away is resumed by the one it switched to. */
static void *resume_first(moat_co *self, void *input)
{
    expect_event(guest_resume(first, input), MOAT_EVENT_RETURN, NUMBER(7),
                 first);
    EXPECT(moat_co_current() == self);
    return moat_co_yield(self, NUMBER(8));
}

static void *hand_on_and_return(moat_co *self, void *input)
{
    EXPECT(switch_to(self, second, input) == NUMBER(6));
    return NUMBER(7);
}

static void resumed_by_other(const void *arg)
{
    (void)arg;
    first = guest_create(hand_on_and_return);
    second = guest_create(resume_first);
    expect_event(guest_resume(first, NUMBER(6)), MOAT_EVENT_YIELD, NUMBER(8),
                 second);
    EXPECT(moat_co_current() == NULL);
    destroy_all();
}

static void *destroy_first(moat_co *self, void *input)
{
    moat_co_destroy(first);
    first = NULL;
    return moat_co_yield(self, input);
}

static void destroyed_by_other(const void *arg)
{
    (void)arg;
    first = guest_create(to_second);
    second = guest_create(destroy_first);
    expect_event(guest_resume(first, NUMBER(1)), MOAT_EVENT_YIELD, NUMBER(1),
                 second);
    EXPECT(first == NULL);
    expect_event(guest_resume(second, NUMBER(2)), MOAT_EVENT_RETURN, NUMBER(2),
                 second);
    destroy_all();
}

static void *to_third(moat_co *self, void *input)
{
    for (;;)
        input = switch_to(self, third, input);
    return NULL;
}

/* A resumer that is a guest. */
static void *run_first(moat_co *self, void *input)
{
    moat_event event = guest_resume(first, input);

    EXPECT(moat_co_current() == self);
    expect_event(event, MOAT_EVENT_YIELD, input, third);
    EXPECT_EQ(moat_co_get_state(first), MOAT_CO_SUSPENDED);
    return NUMBER(9);
}

static void under_a_guest(const void *arg)
{
    moat_co *outer = guest_create(run_first);

    (void)arg;
    first = guest_create(to_second);
    second = guest_create(to_third);
    third = guest_create(guest_echo);
    expect_event(guest_resume(outer, NUMBER(5)), MOAT_EVENT_RETURN, NUMBER(9),
                 outer);
    moat_co_destroy(outer);
    destroy_all();
}

static void stopped_ones(const void *arg)
{
    (void)arg;
    first = guest_create(to_second);
    second = guest_create(guest_echo);
    (void)guest_resume(first, NUMBER(1));
    EXPECT_EQ(moat_co_reset(first), MOAT_OK);
    EXPECT_EQ(moat_co_get_state(first), MOAT_CO_FRESH);
    expect_event(guest_resume(first, NUMBER(2)), MOAT_EVENT_YIELD, NUMBER(2),
                 second);
    EXPECT_EQ(moat_co_reset(second), MOAT_OK);
    expect_event(guest_resume(first, NUMBER(3)), MOAT_EVENT_YIELD, NUMBER(3),
                 second);
    destroy_all();
}

/* --- refusals ------------------------------------------------------------- */

static moat_status refused(moat_co *self, moat_co *other, void **input)
{
    moat_co_state self_before = moat_co_get_state(self);
    moat_co_state other_before = moat_co_get_state(other);
    moat_co *current = moat_co_current();
    moat_status status = moat_co_switch_to(self, other, NUMBER(1), input);

    EXPECT_EQ(moat_co_get_state(self), self_before);
    EXPECT_EQ(moat_co_get_state(other), other_before);
    EXPECT(moat_co_current() == current);
    return status;
}

static moat_co *other_threads;

static void *own_one(void *barrier)
{
    other_threads = guest_create(guest_echo);
    (void)pthread_barrier_wait(barrier);
    (void)pthread_barrier_wait(barrier);
    moat_co_destroy(other_threads);
    return NULL;
}

static void *try_all(moat_co *self, void *input)
{
    void *got = &got;

    (void)input;
    EXPECT_EQ(refused(NULL, second, &got), MOAT_E_INVAL);
    EXPECT_EQ(refused(self, NULL, &got), MOAT_E_INVAL);
    EXPECT_EQ(refused(self, second, NULL), MOAT_E_INVAL);
    EXPECT_EQ(refused(self, self, &got), MOAT_E_STATE);
    EXPECT_EQ(refused(second, third, &got), MOAT_E_STATE);
    EXPECT_EQ(refused(second, self, &got), MOAT_E_STATE);
    EXPECT_EQ(refused(self, other_threads, &got), MOAT_E_THREAD);
    (void)guest_resume(second, NULL);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_DONE);
    EXPECT_EQ(refused(self, second, &got), MOAT_E_STATE);
    guest_expect_trap(third, NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(refused(self, third, &got), MOAT_E_STATE);
    EXPECT_EQ(refused(self, moat_co_user(self), &got), MOAT_E_STATE);
    EXPECT(got == &got);
    return NUMBER(1);
}

static void *resume_user(moat_co *self, void *input)
{
    (void)input;
    return guest_resume(moat_co_user(self), NULL).value;
}

static void refusals(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    pthread_barrier_t barrier;
    pthread_t thread;
    moat_co *outer;
    void *got;

    (void)arg;
    REQUIRE(pthread_barrier_init(&barrier, NULL, 2) == 0);
    REQUIRE(pthread_create(&thread, NULL, own_one, &barrier) == 0);
    (void)pthread_barrier_wait(&barrier);
    second = guest_create(return_it);
    third = guest_create(guest_write_null);
    EXPECT_EQ(refused(second, third, &got), MOAT_E_STATE);
    /* Each is the other's user pointer. */
    REQUIRE(moat_co_create(&outer, resume_user, NULL) == MOAT_OK);
    options.user = outer;
    REQUIRE(moat_co_create(&first, try_all, &options) == MOAT_OK);
    moat_co_destroy(outer);
    options.user = first;
    REQUIRE(moat_co_create(&outer, resume_user, &options) == MOAT_OK);
    EXPECT(moat_co_user(first) == outer); /* the same slot again */
    EXPECT(guest_resume(outer, NULL).value == NUMBER(1));
    moat_co_destroy(outer);
    destroy_all();
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_join(thread, NULL);
}

static void *try_in_service(void *self)
{
    void *got;

    EXPECT_EQ(refused(self, second, &got), MOAT_E_STATE);
    /* The coroutine on whose stack the host call runs. */
    EXPECT_EQ(refused(third, second, &got), MOAT_E_STATE);
    return self;
}

static void *call_service(moat_co *self, void *input)
{
    (void)input;
    return moat_call_on_parent(self, try_in_service, self);
}

static void *resume_caller(moat_co *self, void *input)
{
    (void)self;
    return guest_resume(first, input).value;
}

static void in_a_service(const void *arg)
{
    (void)arg;
    first = guest_create(call_service);
    second = guest_create(guest_echo);
    third = guest_create(resume_caller);
    EXPECT(guest_resume(third, NULL).value == first);
    EXPECT_EQ(moat_co_reset(first), MOAT_OK);
    EXPECT(guest_resume(first, NULL).value == first);
    destroy_all();
}

/* A host call by a coroutine that was entered by a transfer. */
static void *tell_current(void *arg)
{
    EXPECT(moat_co_current() == third);
    return arg;
}

static void *call_and_return(moat_co *self, void *input)
{
    return moat_call_on_parent(self, tell_current, input);
}

static void *resume_switcher(moat_co *self, void *input)
{
    moat_event event = guest_resume(first, input);

    (void)self;
    EXPECT(event.co == second);
    return event.value;
}

static void service_after_transfer(const void *arg)
{
    (void)arg;
    first = guest_create(to_second);
    second = guest_create(call_and_return);
    third = guest_create(resume_switcher);
    EXPECT(guest_resume(third, NUMBER(3)).value == NUMBER(3));
    destroy_all();
}

/* --- state that each side keeps ------------------------------------------- */

static void *switch_in_section(moat_co *self, void *input)
{
    moat_notrap_enter();
    input = switch_to(self, second, input);
    moat_notrap_leave();
    write_null();
    return input;
}

static void no_trap_sections(const void *arg)
{
    (void)arg;
    first = guest_create(switch_in_section);
    second = guest_create(guest_write_null);
    expect_event(guest_resume(first, NULL), MOAT_EVENT_TRAP, NULL, second);
    expect_event(guest_resume(first, NULL), MOAT_EVENT_TRAP, NULL, first);
    destroy_all();
}

static void note_a(void *arg)
{
    (void)arg;
    note('a');
}

static void note_b(void *arg)
{
    (void)arg;
    note('b');
}

static void defers(const void *arg)
{
    (void)arg;
    first = guest_create(hand_on_and_return);
    second = guest_create(return_it);
    EXPECT_EQ(moat_co_defer(first, note_a, NULL), MOAT_OK);
    EXPECT_EQ(moat_co_defer(second, note_b, NULL), MOAT_OK);
    expect_event(guest_resume(first, NUMBER(1)), MOAT_EVENT_RETURN, NUMBER(1),
                 second);
    EXPECT_STR(notes, "b");
    expect_event(guest_resume(first, NUMBER(6)), MOAT_EVENT_RETURN, NUMBER(7),
                 first);
    EXPECT_STR(notes, "ba");
    destroy_all();
}

/* Rounds up, with other exceptions masked. */
#define OTHER_MXCSR 0x5f80u
#define OTHER_FCW   0x0b7fu

static void *change_mode_and_switch(moat_co *self, void *input)
{
    cpu_set_fp_mode(OTHER_MXCSR, OTHER_FCW);
    return switch_to(self, second, input);
}

static void *yield_and_trap(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    write_null();
    return input;
}

static void resume_as_call(void *co)
{
    (void)guest_resume(co, NULL);
}

/* After a trap, the resumer has its own control words, not those of the guest
 * that switched away, whether the guest it switched to was fresh or not. */
static void control_words(const void *arg)
{
    struct cpu_state before, after;

    (void)arg;
    first = guest_create(change_mode_and_switch);
    second = guest_create(guest_write_null);
    cpu_watch(resume_as_call, first, &before, &after);
    cpu_expect_kept(&before, &after);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_TRAPPED);
    moat_co_destroy(first);
    moat_co_destroy(second);

    /* The second guest was last resumed in another mode. */
    first = guest_create(change_mode_and_switch);
    second = guest_create(yield_and_trap);
    cpu_set_fp_mode(OTHER_MXCSR, OTHER_FCW);
    (void)guest_resume(second, NULL);
    cpu_set_fp_mode(CPU_MXCSR_DEFAULT, CPU_FCW_DEFAULT);
    cpu_watch(resume_as_call, first, &before, &after);
    cpu_expect_kept(&before, &after);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_TRAPPED);
    destroy_all();
}

/* --- cancel --------------------------------------------------------------- */

static void note_cleanup(const char *letter)
{
    note(*letter);
}

__attribute__((noinline)) static void switch_below(moat_co *self, char letter)
{
    __attribute__((cleanup(note_cleanup))) char mine = letter;

    if (letter > 'a')
        switch_below(self, (char)(letter - 1));
    else
        (void)switch_to(self, second, NULL);
    note('!');
    (void)mine;
}

static void *switch_deep(moat_co *self, void *input)
{
    switch_below(self, 'c');
    return input;
}

/* With a limit, the guest is entered through the slow resume. */
static void cancelled(const void *limited)
{
    first = limited ? guest_create_limited(switch_deep, 0, 60000 * MS)
                    : guest_create(switch_deep);
    second = guest_create(guest_echo);
    EXPECT(guest_resume(first, NULL).co == second);
    {
        moat_event event = {.kind = MOAT_EVENT_PREEMPT};

        EXPECT_EQ(moat_co_cancel(first, &event), MOAT_OK);
        expect_event(event, MOAT_EVENT_RETURN, NULL, first);
    }
    EXPECT_STR(notes, "abc");
    EXPECT_EQ(moat_co_get_state(first), MOAT_CO_DONE);
    expect_event(guest_resume(second, NUMBER(4)), MOAT_EVENT_YIELD, NUMBER(4),
                 second);
    destroy_all();
}

static void try_to_leave(moat_co *const *self)
{
    void *got;

    EXPECT_EQ(refused(*self, second, &got), MOAT_E_STATE);
    note('r');
}

static void *switch_with_cleanup(moat_co *self, void *input)
{
    __attribute__((cleanup(try_to_leave))) moat_co *mine = self;

    return switch_to(mine, second, input);
}

/* The canceller waits for this guest, so its cleanup code cannot switch
 * away. */
static void cancel_hands_nothing_on(const void *arg)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    (void)arg;
    first = guest_create(switch_with_cleanup);
    second = guest_create(guest_echo);
    (void)guest_resume(first, NULL);
    EXPECT_EQ(moat_co_cancel(first, &event), MOAT_OK);
    expect_event(event, MOAT_EVENT_RETURN, NULL, first);
    EXPECT_STR(notes, "r");
    destroy_all();
}

/* --- limits --------------------------------------------------------------- */

static void expect_deadline(moat_event event, const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    expect_event(event, MOAT_EVENT_TRAP, NULL, co);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_DEADLINE);
}

static void *spin_and_yield(moat_co *self, void *input)
{
    for (;;) {
        spin_until(clock_ns(CLOCK_MONOTONIC) + 100 * MS);
        input = moat_co_yield(self, input);
    }
    return NULL;
}

/* The limits of the guest that is entered hold, although the inline resume was
 * for a guest without limits. */
static void limits_of_other(const void *arg)
{
    (void)arg;
    first = guest_create(to_second);
    second = guest_create_limited(guest_loop, 30 * MS, 0);
    expect_deadline(guest_resume(first, NULL), second);
    moat_co_destroy(second);
    second = guest_create_limited(guest_loop, 0, 30 * MS);
    expect_deadline(guest_resume(first, NULL), second);
    EXPECT_EQ(moat_co_get_state(first), MOAT_CO_SUSPENDED);
    destroy_all();
}

/* The limits of the guest that switched away do not. */
static void limits_of_self(const void *arg)
{
    (void)arg;
    first = guest_create_limited(to_second, 0, 90 * MS);
    second = guest_create(spin_and_yield);
    for (uintptr_t i = 0; i < 3; i++)
        expect_event(guest_resume(first, NUMBER(i)), MOAT_EVENT_YIELD,
                     NUMBER(i), second);
    EXPECT_EQ(moat_co_get_state(first), MOAT_CO_SUSPENDED);
    destroy_all();
}

static void *work_to_and_fro(moat_co *self, void *input)
{
    uintptr_t count = (uintptr_t)input;

    while (count < 6) {
        uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 100 * MS;

        while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
            ;
        count = (uintptr_t)switch_to(self, self == first ? second : first,
                                     NUMBER(count + 1));
    }
    return NUMBER(count);
}

/* A switch starts the limits anew, as a resume does. */
static void limits_begin_anew(const void *arg)
{
    (void)arg;
    first = guest_create_limited(work_to_and_fro, 250 * MS, 0);
    second = guest_create_limited(work_to_and_fro, 250 * MS, 0);
    expect_event(guest_resume(first, NULL), MOAT_EVENT_RETURN, NUMBER(6),
                 first);
    destroy_all();
}

/* A limit ends with its coroutine's event, and then stops no other code. */
static void *resume_and_spin(moat_co *self, void *input)
{
    (void)self;
    for (uintptr_t i = 0; i < 3; i++)
        expect_event(guest_resume(first, NUMBER(i)), MOAT_EVENT_YIELD,
                     NUMBER(i), second);
    spin_until(clock_ns(CLOCK_MONOTONIC) + 200 * MS);
    return input;
}

static void limits_end(const void *arg)
{
    (void)arg;
    first = guest_create(to_second);
    second = guest_create_limited(guest_echo, 150 * MS, 150 * MS);
    third = guest_create(resume_and_spin);
    expect_event(guest_resume(third, NUMBER(1)), MOAT_EVENT_RETURN, NUMBER(1),
                 third);
    /* Its own deadline can stop it later: no section is left open. */
    moat_co_destroy(third);
    third = guest_create_limited(resume_and_spin, 0, 100 * MS);
    expect_deadline(guest_resume(third, NULL), third);
    destroy_all();
}

/* The resumer's own time runs, whichever guest is running: that one is stopped
 * first. */
static void *resume_for_ever(moat_co *self, void *input)
{
    while (guest_resume(first, input).kind == MOAT_EVENT_YIELD)
        continue;
    return guest_loop(self, input);
}

static void limits_of_resumer(const void *arg)
{
    moat_event event;

    (void)arg;
    first = guest_create_limited(to_second, 0, 60000 * MS);
    second = guest_create_limited(spin_and_yield, 0, 60000 * MS);
    third = guest_create_limited(resume_for_ever, 0, 50 * MS);
    event = guest_resume(third, NULL);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    destroy_all();
}

/* From a guest with limits, through one without, to another with limits. */
static void limits_in_a_chain(const void *arg)
{
    (void)arg;
    first = guest_create_limited(to_second, 0, 60000 * MS);
    second = guest_create(to_third);
    third = guest_create_limited(guest_loop, 30 * MS, 0);
    expect_deadline(guest_resume(first, NULL), third);
    moat_co_destroy(first);
    first = guest_create(to_second);
    EXPECT_EQ(moat_co_reset(third), MOAT_OK);
    expect_deadline(guest_resume(first, NULL), third);
    destroy_all();
}

static void *switch_and_loop(moat_co *self, void *input)
{
    return guest_loop(self, switch_to(self, second, input));
}

static void *to_first(moat_co *self, void *input)
{
    return switch_to(self, first, input);
}

/* A switch delays deadlines only until it is complete. */
static void limits_after_coming_back(const void *arg)
{
    (void)arg;
    first = guest_create_limited(switch_and_loop, 0, 50 * MS);
    second = guest_create_limited(to_first, 0, 60000 * MS);
    expect_deadline(guest_resume(first, NULL), first);
    destroy_all();
}

static void *poll_and_yield(moat_co *self, void *input)
{
    EXPECT(!moat_poll());
    return moat_co_yield(self, input);
}

static void *outstay_in_section(moat_co *self, void *input)
{
    moat_notrap_enter();
    while (!moat_poll())
        ;
    return switch_to(self, second, input);
}

/* A deadline noted for the guest that switched away must not make moat_poll
 * return true in the next one: code that then waits for its deadline would wait
 * for ever. */
static void deadline_noted_for_self(const void *arg)
{
    (void)arg;
    first = guest_create_limited(outstay_in_section, 0, 20 * MS);
    second = guest_create(poll_and_yield);
    EXPECT(guest_resume(first, NULL).co == second);
    destroy_all();
}

static void *lose_signal_and_switch(moat_co *self, void *input)
{
    EXPECT(lose_deadline_signal());
    return switch_to(self, second, input);
}

/* The timer had been set for the guest that switched away, and its signal was
 * lost. */
static void limits_after_a_lost_signal(const void *arg)
{
    (void)arg;
    first = guest_create_limited(lose_signal_and_switch, 0, 500 * MS);
    second = guest_create(guest_loop);
    third = guest_create_limited(resume_for_ever, 0, 1500 * MS);
    EXPECT_EQ(guest_resume(third, NULL).kind, MOAT_EVENT_TRAP);
    destroy_all();
}

/* --- deadlines of the resumer ---------------------------------------------
 * A chain of transfers delays them once, and ends the delay once.
 */

static void expect_resumer_is_cut(moat_entry entry)
{
    moat_co *outer = guest_create_limited(entry, 0, 1000 * MS);

    expect_deadline(guest_resume(outer, NULL), outer);
    moat_co_destroy(outer);
    destroy_all();
}

static void *resume_and_loop(moat_co *self, void *input)
{
    expect_event(guest_resume(first, NUMBER(1)), MOAT_EVENT_YIELD, NUMBER(1),
                 third);
    return guest_loop(self, input);
}

/* The slow resume delays them, and the later transfers belong to that
 * resume. */
static void resumer_of_a_chain(const void *arg)
{
    (void)arg;
    first = guest_create_limited(to_second, 0, 60000 * MS);
    second = guest_create(to_third);
    third = guest_create_limited(guest_echo, 0, 60000 * MS);
    expect_resumer_is_cut(resume_and_loop);
}

static void *through_third(moat_co *self, void *input)
{
    return moat_co_yield(self, switch_to(self, third, input));
}

static void *by_second(moat_co *self, void *input)
{
    return switch_to(self, second, input);
}

static void *resume_both_and_loop(moat_co *self, void *input)
{
    expect_event(guest_resume(first, NUMBER(1)), MOAT_EVENT_YIELD, NUMBER(1),
                 second);
    expect_event(guest_resume(third, NUMBER(2)), MOAT_EVENT_RETURN, NUMBER(2),
                 third);
    return guest_loop(self, input);
}

/* A guest that switched away has no delay left to end. */
static void resumer_of_one_that_had_the_place(const void *arg)
{
    (void)arg;
    first = guest_create(to_second);
    second = guest_create_limited(through_third, 0, 60000 * MS);
    third = guest_create(by_second);
    expect_resumer_is_cut(resume_both_and_loop);
}

/* --- little stack --------------------------------------------------------- */

/* The engine needs 8 KiB. */
__attribute__((noinline)) static void resume_near_the_end(moat_event *event)
{
    moat_stack_info info;
    volatile char room[256];

    room[0] = 1;
    REQUIRE(moat_stack_bounds(&info) == MOAT_OK);
    if ((uintptr_t)room - info.limit > 7168)
        resume_near_the_end(event);
    else
        EXPECT_EQ(moat_co_resume(first, NULL, event), MOAT_OK);
    room[0] = 0;
}

static void *go_near_the_end(moat_co *self, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    (void)self;
    (void)input;
    resume_near_the_end(&event);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.co == first);
    return NUMBER(1);
}

static void *try_accounted(moat_co *self, void *input)
{
    void *got = NULL;

    (void)input;
    /* To add its time up, the engine would have to run on the resumer's
     * stack. */
    EXPECT_EQ(refused(self, second, &got), MOAT_E_LIMIT);
    /* Others can be entered. */
    EXPECT_EQ(moat_co_switch_to(self, third, self, &got), MOAT_OK);
    return got;
}

static void *switch_back(moat_co *self, void *input)
{
    void *got = NULL;

    EXPECT_EQ(moat_co_switch_to(self, input, NUMBER(1), &got), MOAT_OK);
    return got;
}

static void resumer_without_stack(const void *arg)
{
    moat_co *outer = guest_create_on(go_near_the_end, (size_t)64 << 10);

    (void)arg;
    first = guest_create(try_accounted);
    second = guest_create_accounted(guest_echo);
    third = guest_create(switch_back);
    expect_event(guest_resume(outer, NULL), MOAT_EVENT_RETURN, NUMBER(1),
                 outer);
    moat_co_destroy(outer);
    destroy_all();
}

static char own_stack[64 << 10] __attribute__((aligned(64)));

static void resume_first_plainly(void)
{
    EXPECT_EQ(guest_resume(first, NULL).kind, MOAT_EVENT_RETURN);
}

static void *resume_on_own_stack(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %0, %%rsp\n\t"
                     "call *%1\n\t"
                     "movq %%rbx, %%rsp"
                     :
                     : "r"(own_stack + sizeof own_stack),
                       "r"(resume_first_plainly)
                     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9",
                       "r10", "r11", "cc", "memory");
    return input;
}

/* Only its upper part is registered. */
static void resumer_on_a_stack_of_its_own_making(const void *arg)
{
    const size_t bytes = 4096;
    moat_co *outer = guest_create(resume_on_own_stack);
    moat_stack_id id;

    (void)arg;
    REQUIRE(moat_stack_register(own_stack + sizeof own_stack - bytes, bytes,
                                &id) == MOAT_OK);
    first = guest_create(try_accounted);
    second = guest_create_accounted(guest_echo);
    third = guest_create(switch_back);
    expect_event(guest_resume(outer, NUMBER(2)), MOAT_EVENT_RETURN, NUMBER(2),
                 outer);
    EXPECT_EQ(moat_stack_unregister(id), MOAT_OK);
    moat_co_destroy(outer);
    destroy_all();
}

__attribute__((noinline)) static void switch_near_the_end(moat_co *self)
{
    moat_stack_info info;
    volatile char room[256];
    void *got;

    room[0] = 1;
    REQUIRE(moat_stack_bounds(&info) == MOAT_OK);
    if ((uintptr_t)room - info.limit > 7168)
        switch_near_the_end(self);
    else
        EXPECT_EQ(refused(self, second, &got), MOAT_E_LIMIT);
    room[0] = 0;
}

static void *try_near_the_end(moat_co *self, void *input)
{
    switch_near_the_end(self);
    return input;
}

static void self_without_stack(const void *arg)
{
    (void)arg;
    first = guest_create_on(try_near_the_end, (size_t)64 << 10);
    second = guest_create(guest_echo);
    expect_event(guest_resume(first, NUMBER(3)), MOAT_EVENT_RETURN, NUMBER(3),
                 first);
    destroy_all();
}

#define NO_DEADLINES \
    (UNDER_TSAN ? "the sanitizer delays signals that were sent" : NULL)
#define NO_INLINE (UNDER_ASAN || UNDER_TSAN ? "no resume is inline" : NULL)

int main(int argc, char **argv)
{
    static const char limited;
    const struct child_case cases[] = {
        CHILD_CASE(events),
        CHILD_CASE(to_and_fro),
        CHILD_CASE(resumed_by_other),
        CHILD_CASE(destroyed_by_other),
        CHILD_CASE(under_a_guest),
        CHILD_CASE(stopped_ones),
        CHILD_CASE(refusals),
        CHILD_CASE(in_a_service),
        CHILD_CASE(service_after_transfer),
        CHILD_CASE(no_trap_sections),
        CHILD_CASE(defers),
        CHILD_CASE(control_words),
        CHILD_CASE(cancelled),
        {"cancelled, with a limit", cancelled, &limited, NULL, 0, 0},
        CHILD_CASE(cancel_hands_nothing_on),
        {"limits_of_other", limits_of_other, NULL, NO_DEADLINES, 0, 0},
        CHILD_CASE(limits_of_self),
        CHILD_CASE(limits_begin_anew),
        {"limits_end", limits_end, NULL, NO_DEADLINES, 0, 0},
        {"limits_of_resumer", limits_of_resumer, NULL, NO_DEADLINES, 0, 0},
        {"limits_in_a_chain", limits_in_a_chain, NULL, NO_DEADLINES, 0, 0},
        {"limits_after_coming_back", limits_after_coming_back, NULL,
         NO_DEADLINES, 0, 0},
        {"deadline_noted_for_self", deadline_noted_for_self, NULL, NO_DEADLINES,
         0, 0},
        {"limits_after_a_lost_signal", limits_after_a_lost_signal, NULL,
         NO_DEADLINES, 0, 0},
        {"resumer_of_a_chain", resumer_of_a_chain, NULL, NO_DEADLINES, 0, 0},
        {"resumer_of_one_that_had_the_place", resumer_of_one_that_had_the_place,
         NULL, NO_DEADLINES, 0, 0},
        {"resumer_without_stack", resumer_without_stack, NULL, NO_INLINE, 0, 0},
        {"resumer_on_a_stack_of_its_own_making",
         resumer_on_a_stack_of_its_own_making, NULL, NO_INLINE, 0, 0},
        {"self_without_stack", self_without_stack, NULL, NO_INLINE, 0, 0},
    };

    return child_cases_run("transfer", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
