/*
 * crimes.c: what a guest may do wrong, and the kind of trap that it must be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "play.h"

/* The sanitizers would report these faults themselves. */
#define WRONG \
    __attribute__((noinline, no_sanitize("address"), no_sanitize("undefined")))

/* An inaccessible page. */
static volatile char *nowhere(void)
{
    static volatile char *page;

    if (page == NULL)
        page = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page;
}

static WRONG void read_null(void)
{
    volatile char *volatile null = NULL;

    (void)null[input_u8(&play.in)];
}

static WRONG void write_null(void)
{
    volatile char *volatile null = NULL;

    null[8] = 1;
}

static WRONG void write_nowhere(void)
{
    nowhere()[input_u8(&play.in)] = 1;
}

static WRONG void read_high(void)
{
    volatile char *volatile high = (volatile char *)(UINT64_C(1) << 60);

    (void)*high;
}

static WRONG void jump_nowhere(void)
{
    void (*volatile code)(void) = (void (*)(void))(uintptr_t)nowhere();

    code();
}

static WRONG void execute_illegal(void)
{
    __builtin_trap();
}

static WRONG void divide(void)
{
    volatile int one = 100, zero = 0;

    one = one / zero;
}

static WRONG void send_self(void)
{
    (void)raise(SIGBUS);
}

static WRONG int recurse(int depth)
{
    volatile char frame[200];

    frame[0] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

static WRONG void overflow(void)
{
    (void)recurse(0);
}

static void raise_trap(void)
{
    moat_trap_raise(play.user_code);
}

static const struct {
    void (*commit)(void);
    moat_trap_kind kind;
} crimes[] = {
    {raise_trap, MOAT_TRAP_RAISED},
    {read_null, MOAT_TRAP_NULL},
    {write_null, MOAT_TRAP_NULL},
    {write_nowhere, MOAT_TRAP_MEMORY},
    {read_high, MOAT_TRAP_MEMORY},
    {jump_nowhere, MOAT_TRAP_EXEC},
    {execute_illegal, MOAT_TRAP_ILLEGAL},
    {divide, MOAT_TRAP_ARITHMETIC},
    {abort, MOAT_TRAP_ABORT},
    {send_self, MOAT_TRAP_BUS},
    {overflow, MOAT_TRAP_STACK_OVERFLOW},
};

#define CRIMES (sizeof crimes / sizeof crimes[0])

/* One that would be fatal is not committed. */
bool play_crime(void)
{
    unsigned which = input_below(&play.in, CRIMES);
    bool raised = crimes[which].kind == MOAT_TRAP_RAISED;
    enum outcome outcome = model_fault(&play.m, raised);

    if (outcome == OUTCOME_FATAL)
        return true;
    play.kind = crimes[which].kind;
    play.user_code = raised ? (int)(++play.serial) : 0;
    if (outcome == OUTCOME_RECOVERED)
        play.recovered = true;
    else
        model_trap(&play.m, play.kind, play.user_code);
    crimes[which].commit();
    target_fail("a fault has not stopped a guest");
}
