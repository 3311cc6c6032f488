/*
 * edge.c: a script that calls C, yields, starts or resumes a generator that
 * calls C, or is cancelled, with less and less stack left. The overflow must
 * always happen in the script's own code: under these coroutines' policy only
 * registered code may be stopped, so an overflow in C would kill the host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "examples/jit/program.h"
#include "examples/jit/service.h"

#define STACK_BYTES ((size_t)64 << 10)
#define LONG_NS     ((uint64_t)60 * 1000 * 1000 * 1000)
#define LAST        900 /* calls before the overflow: deeper than C needs */

static const char printing[] =
    "func down(n) { print n; return 1 + down(n + 1); }"
    "func main() { return down(0); }";
static const char yielding[] =
    "func down(n) { yield n; return 1 + down(n + 1); }"
    "func main() { return down(0); }";

/* The generator prints on its resumer's stack. */
static const char resuming[] = "func give() { while 1 { print 1; yield 2; } }"
                               "func down(g) { next g; return 1 + down(g); }"
                               "func main() { return down(start give()); }";
static const char starting[] =
    "func give() { yield 1; }"
    "func down(n) { if n % 32 == 0 { start give(); } return 1 + down(n + 1); }"
    "func main() { return down(0); }";

static struct program program;

static void *no_print(void *unused)
{
    return unused;
}

static void print(moat_co *self, int64_t value)
{
    (void)self;
    (void)value;
    (void)service_call(no_print, NULL);
}

static moat_co *create(uint64_t wall_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    limits.wall_ns = wall_ns;
    options.limits = &limits;
    options.stack_bytes = STACK_BYTES;
    options.flags = MOAT_CO_RECOVER_CODE;
    if (moat_co_create(&co, program.entry, &options) != MOAT_OK)
        exit(1);
    return co;
}

/* Resumes a coroutine until it stops yielding, at most `most` times. Returns
 * the number of yields. */
static unsigned run(moat_co *co, unsigned most, moat_event *event)
{
    unsigned yields = 0;

    event->kind = MOAT_EVENT_YIELD;
    while (yields < most) {
        if (moat_co_resume(co, NULL, event) != MOAT_OK)
            exit(1);
        if (event->kind != MOAT_EVENT_YIELD)
            break;
        yields++;
    }
    return yields;
}

static bool has_overflowed(const moat_co *co)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    return moat_co_trap_info(co, &trap) == MOAT_OK &&
           trap.kind == MOAT_TRAP_STACK_OVERFLOW &&
           trap.pc - (uintptr_t)program.code < program.code_bytes;
}

/* Returns the number of yields before the overflow; exits if the coroutine ends
 * in any other way. */
static unsigned overflow(uint64_t wall_ns)
{
    moat_co *co = create(wall_ns);
    moat_event event;
    unsigned yields = run(co, UINT32_MAX, &event);

    if (!has_overflowed(co)) {
        printf("it did not end by an overflow in the script's code\n");
        exit(1);
    }
    moat_co_destroy(co);
    return yields;
}

/* Cancels the coroutine after so many yields. Returns whether it was cancelled,
 * or overflowed before. Under a limit a yield may call C, whenever the thread's
 * timer has been by, and then overflows where another run did not. */
static bool cancel(uint64_t wall_ns, unsigned yields, unsigned *overflows)
{
    moat_co *co = create(wall_ns);
    moat_event event;
    unsigned done = run(co, yields, &event);
    bool passed =
        done == yields ? moat_co_cancel(co, &event) == MOAT_OK : wall_ns != 0;

    if (event.kind == MOAT_EVENT_TRAP) {
        passed = passed && has_overflowed(co);
        *overflows += 1;
    } else {
        passed = passed && event.kind == MOAT_EVENT_RETURN;
    }
    moat_co_destroy(co);
    return passed;
}

static void load(const char *text)
{
    struct parse_error error;

    if (!program_load(&program, "edge", text, print, &error))
        exit(1);
}

int main(void)
{
    static const char *const texts[] = {printing, resuming, starting};
    unsigned failures = 0;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        load(texts[i]);
        (void)overflow(0);
        (void)overflow(LONG_NS);
        program_unload(&program);
    }

    load(yielding);
    for (int limited = 0; limited < 2; limited++) {
        uint64_t wall_ns = limited ? LONG_NS : 0;
        unsigned most = overflow(wall_ns);
        unsigned overflows = 0;

        for (unsigned yields = most - LAST; yields <= most; yields++)
            failures += !cancel(wall_ns, yields, &overflows);
        printf("%u yields, then an overflow; %u cancels overflowed\n", most,
               overflows);
    }
    program_unload(&program);
    printf("%u failures\n", failures);
    return failures > 0;
}
