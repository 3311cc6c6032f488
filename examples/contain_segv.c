/*
 * contain_segv.c: a fault three calls deep, and the report of it.
 *
 * Shows: a backtrace across both stacks, from the faulting function to main.
 * Run: build/debug/examples/contain_segv
 * Prints: the report, then a line from the host (expected/contain_segv.txt).
 * Try: moat_co_write_json instead of moat_co_print_report.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include <moat/moat.h>

struct account {
    const char *owner;
    int balance;
};

static struct account *volatile missing; /* NULL: not found. */
static volatile int booked;

/* noinline and the work after each call give every function its own frame in
 * the backtrace at any optimization level. */
__attribute__((noinline)) static void book(struct account *account, int amount)
{
    account->balance = amount;
    booked++;
}

__attribute__((noinline)) static void run_order(int amount)
{
    book(missing, amount);
    booked++;
}

static void *guest(moat_co *self, void *input)
{
    (void)self;
    run_order(*(int *)input);
    booked++;
    return NULL;
}

__attribute__((noinline)) static int run_guest(moat_co *co)
{
    int amount = 100;
    moat_event event;

    if (moat_co_resume(co, &amount, &event) != MOAT_OK)
        return 1;
    if (event.kind != MOAT_EVENT_TRAP)
        return 1;
    /* Not in main: the host's part is valid until run_guest returns. */
    return moat_co_print_report(co, STDOUT_FILENO) != MOAT_OK;
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;
    int failed;

    options.name = "orders";
    if (moat_co_create(&co, guest, &options) != MOAT_OK)
        return 1;
    failed = run_guest(co);
    printf("the host goes on\n");
    moat_co_destroy(co);
    return failed;
}
