/*
 * guests.c: guests in C, compiled with -fexceptions: cleanup attributes run
 * when a frame is unwound.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "../support/frame.h"
#include "guests.h"

#define NOINLINE   __attribute__((noinline))
#define CLEANUP(f) __attribute__((cleanup(f)))

static void note_digit(const int *depth)
{
    note((char)('0' + *depth));
}

NOINLINE void c_descend(moat_co *self, int depth)
{
    CLEANUP(note_digit) int mine = depth;

    if (depth > 1)
        c_descend(self, depth - 1);
    else
        (void)moat_co_yield(self, NULL);
    note('!'); /* Not reached by an unwinding. */
    KEEP_FRAME();
    (void)mine;
}

void *c_nested(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;

    c_descend(self, 5);
    (void)mine;
    return input;
}

void *c_outline(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;

    outline_descend(self, 3);
    (void)mine;
    return input;
}

/* --- cleanup code that does more than clean up --------------------------- */

static void note_and_yield(moat_co **self)
{
    CLEANUP(note_digit) int mine = 4;

    note('y');
    (void)moat_co_yield(*self, self);
    note('Y');
    (void)mine;
}

void *c_yield_in_cleanup(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;
    CLEANUP(note_and_yield) moat_co *co = self;

    c_descend(self, 1);
    (void)mine;
    (void)co;
    return input;
}

static int *volatile nowhere;

static void note_and_fault(const int *depth)
{
    note_digit(depth);
    *nowhere = 1;
}

void *c_trap_in_cleanup(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;
    CLEANUP(note_and_fault) int faulty = 8;

    c_descend(self, 1);
    (void)mine;
    (void)faulty;
    return input;
}

static void descend_over_a_trap(void *self)
{
    CLEANUP(note_digit) int dropped = 7;
    CLEANUP(note_and_fault) int faulty = 8;

    c_descend(self, 1);
    (void)dropped;
    (void)faulty;
}

/* The call that would survive the fault is itself unwound. */
void *c_trap_in_call(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;

    if (moat_notrap_call(descend_over_a_trap, self, NULL) == MOAT_E_FAULT)
        note('!');
    KEEP_FRAME();
    (void)mine;
    return input;
}

static void fault(void *arg)
{
    (void)arg;
    *nowhere = 1;
}

static void note_a_survived_call(const int *depth)
{
    if (moat_notrap_call(fault, NULL, NULL) == MOAT_E_FAULT)
        note_digit(depth);
}

/* A call that survives faults works in cleanup code as elsewhere. */
void *c_call_in_cleanup(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;
    CLEANUP(note_a_survived_call) int surviving = 8;

    c_descend(self, 1);
    (void)mine;
    (void)surviving;
    return input;
}

static void note_the_end(_Unwind_Reason_Code reason,
                         struct _Unwind_Exception *exception)
{
    (void)reason;
    note('X');
    free(exception);
}

static void note_and_panic(const int *depth)
{
    struct _Unwind_Exception *exception = NULL;

    note_digit(depth);
    if (posix_memalign((void **)&exception, 16, sizeof *exception) != 0)
        abort();
    memset(exception, 0, sizeof *exception);
    exception->exception_cleanup = note_the_end;
    (void)_Unwind_RaiseException(exception);
    abort();
}

void *c_panic_in_cleanup(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;
    CLEANUP(note_and_panic) int faulty = 8;

    c_descend(self, 1);
    (void)mine;
    (void)faulty;
    return input;
}

static void note_and_spin(const int *depth)
{
    note_digit(depth);
    for (;;)
        KEEP_FRAME();
}

void *c_endless_cleanup(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;
    CLEANUP(note_and_spin) int endless = 8;

    c_descend(self, 1);
    (void)mine;
    (void)endless;
    return input;
}

/* --- frames without unwinding support ------------------------------------- */

void *c_over_plain(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;

    plain_frame(self, c_descend);
    (void)mine;
    return input;
}

void *c_over_no_tables(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;

    no_tables_frame(self, c_descend);
    (void)mine;
    return input;
}

void *c_over_no_exceptions(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;

    no_exceptions_frame(self, c_descend);
    (void)mine;
    return input;
}

/* --- coroutines of coroutines -------------------------------------------- */

static void destroy(moat_co **inner)
{
    note('(');
    moat_co_destroy(*inner);
    note(')');
}

/* Owns a coroutine that is suspended three frames deep. */
void *c_owner(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;
    CLEANUP(destroy) moat_co *inner = NULL;
    moat_event event;

    if (moat_co_create(&inner, c_nested, NULL) != MOAT_OK ||
        moat_co_resume(inner, NULL, &event) != MOAT_OK)
        note('?');
    c_descend(self, 2);
    (void)mine;
    return input;
}

/* Cancels the coroutine passed as its input. */
void *c_canceller(moat_co *self, void *input)
{
    moat_event event;

    (void)self;
    if (moat_co_cancel(input, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        note('?');
    note('c');
    return NULL;
}

/* --- special cases -------------------------------------------------------- */

/* Does by itself what a cancel makes the yield do. */
void *c_ends_itself(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;

    (void)moat_co_yield(self, input);
    moat_co_unwind(self);
    (void)mine;
}

static void note_letter(void *letter)
{
    note(*(const char *)letter);
}

/* With deferred functions, which run after the cleanup code. */
void *c_with_handlers(moat_co *self, void *input)
{
    static char first = 'a', second = 'b';

    if (moat_co_defer(self, note_letter, &first) != MOAT_OK ||
        moat_co_defer(self, note_letter, &second) != MOAT_OK)
        note('?');
    c_descend(self, 1);
    return input;
}

/* --- on the resumer's stack ----------------------------------------------- */

static void *note_host(void *unused)
{
    note(moat_co_current() == NULL ? 'h' : '?');
    return unused;
}

static void visit_host(moat_co **self)
{
    (void)moat_call_on_parent(*self, note_host, NULL);
}

/* Its cleanup code makes a host call. */
void *c_visits_host(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;
    CLEANUP(visit_host) moat_co *co = self;

    c_descend(self, 1);
    (void)mine;
    (void)co;
    return input;
}

/* The guest is in the middle of its host call, so it is running. Others can be
 * cancelled. */
static void *cancel_both(void *self)
{
    moat_co *other = NULL;
    moat_event event;

    note(moat_co_cancel(self, &event) == MOAT_E_STATE ? 's' : '?');
    if (moat_co_create(&other, c_nested, NULL) != MOAT_OK ||
        moat_co_resume(other, NULL, &event) != MOAT_OK ||
        moat_co_cancel(other, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        note('?');
    moat_co_destroy(other);
    return NULL;
}

void *c_cancelled_from_service(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 8;

    (void)moat_co_yield(self, NULL);
    (void)moat_call_on_parent(self, cancel_both, self);
    c_descend(self, 1);
    (void)mine;
    return input;
}

/* Yields repeatedly from its cleanup code. */
static void yield_twice(moat_co **self)
{
    note('1');
    (void)moat_co_yield(*self, NULL);
    note('2');
    (void)moat_co_yield(*self, NULL);
    note('3');
}

void *c_restless(moat_co *self, void *input)
{
    CLEANUP(note_digit) int mine = 9;
    CLEANUP(yield_twice) moat_co *co = self;

    (void)moat_co_yield(self, NULL);
    (void)mine;
    (void)co;
    return input;
}
