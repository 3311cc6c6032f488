/*
 * amb.c: a search that is written as if it always guessed right.
 *
 * Shows: moat_co_clone. A guest calls amb(n) for a number from 0 to n - 1, and
 * fail() if its numbers were no good. The host continues the guest once for
 * each number: in a clone, and for the last one in the coroutine itself. So
 * what the guest does between two guesses is straight code: eight queens are a
 * loop over the columns. A trail of undone moves, as in a search written by
 * hand, is not needed, since each continuation has its own copy of the board.
 * Run: build/debug/examples/amb
 * Prints: the first solution, how many there are, and a sum of three squares
 * (expected/amb.txt).
 * Try: options.name, and a report of a guest that traps in the middle.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>

#include <moat/moat.h>

#define QUEENS 8

/* --- the guest's side ----------------------------------------------------- */

static unsigned amb(unsigned choices)
{
    void *chosen = moat_co_yield(moat_co_current(), (void *)(uintptr_t)choices);

    return (unsigned)(uintptr_t)chosen;
}

/* No choice is left: it is not continued. */
static void fail(void)
{
    (void)amb(0);
}

/* --- the host's side ------------------------------------------------------ */

typedef void found(void *value);

static void search(moat_co *co, void *input, found *each);

/* The coroutine waits in amb(choices). */
static void try_all(moat_co *co, uintptr_t choices, found *each)
{
    moat_co *clone;

    for (uintptr_t i = 0; i + 1 < choices; i++) {
        moat_status status = moat_co_clone(co, &clone);

        if (status != MOAT_OK) {
            printf("%s\n", moat_error_str(status));
            break;
        }
        search(clone, (void *)i, each);
    }
    if (choices != 0)
        search(co, (void *)(choices - 1), each);
    else
        moat_co_destroy(co);
}

/* Runs a continuation to its next guess, or its end, and ends it. */
static void search(moat_co *co, void *input, found *each)
{
    moat_event event;
    moat_status status = moat_co_resume(co, input, &event);

    if (status != MOAT_OK)
        printf("%s\n", moat_error_str(status));
    else if (event.kind == MOAT_EVENT_YIELD) {
        try_all(co, (uintptr_t)event.value, each);
        return;
    } else if (event.kind == MOAT_EVENT_RETURN)
        each(event.value);
    moat_co_destroy(co);
}

static void search_from(moat_entry entry, found *each)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_kind = MOAT_STACK_COPIED;
    if (moat_co_create(&co, entry, &options) == MOAT_OK)
        search(co, NULL, each);
}

/* --- queens --------------------------------------------------------------- */

static int attacks(const unsigned *rows, unsigned column, unsigned row)
{
    for (unsigned i = 0; i < column; i++) {
        unsigned distance = column - i;

        if (rows[i] == row || rows[i] + distance == row ||
            rows[i] == row + distance)
            return 1;
    }
    return 0;
}

/* The rows are digits of the result: it is a copy, not a pointer to the frame.
 */
static void *place_queens(moat_co *self, void *input)
{
    unsigned rows[QUEENS];
    uintptr_t result = 0;

    (void)self;
    (void)input;
    for (unsigned column = 0; column < QUEENS; column++) {
        rows[column] = amb(QUEENS);
        if (attacks(rows, column, rows[column]))
            fail();
        result = result * 10 + rows[column] + 1;
    }
    return (void *)result;
}

static unsigned solutions;

static void count_solution(void *value)
{
    if (solutions++ == 0)
        printf("queens in the rows %u\n", (unsigned)(uintptr_t)value);
}

/* --- squares -------------------------------------------------------------- */

static void *find_squares(moat_co *self, void *input)
{
    unsigned a = amb(20), b = amb(a + 1), c = amb(b + 1);

    (void)self;
    (void)input;
    if (a * a + b * b + c * c != 370 || c == 0)
        fail();
    return (void *)(uintptr_t)(a * 10000 + b * 100 + c);
}

static void print_squares(void *value)
{
    unsigned found_now = (unsigned)(uintptr_t)value;

    printf("370 is the sum of the squares of %u, %u and %u\n",
           found_now / 10000, found_now / 100 % 100, found_now % 100);
}

int main(void)
{
    search_from(place_queens, count_solution);
    printf("%u solutions\n", solutions);
    search_from(find_squares, print_squares);
    return 0;
}
