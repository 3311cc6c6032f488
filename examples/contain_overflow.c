/*
 * contain_overflow.c: an endless recursion, and its stack used again.
 *
 * Shows: a stack overflow as an event. moat_co_reset then makes the coroutine
 * fresh again without a system call, so a supervisor can restart its guest.
 * Run: build/debug/examples/contain_overflow
 * Prints: how a recursion of a million calls ended, then how one of 20 calls
 * ended on the same stack (expected/contain_overflow.txt).
 * Try: options.stack_bytes = 1 << 20, and print how many calls fit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static volatile unsigned long calls;

/* Each call uses a kilobyte. The frame is read after the inner call, so the
 * compiler cannot turn the recursion into a loop. */
__attribute__((noinline)) static unsigned long descend(unsigned long depth)
{
    volatile char frame[1024];
    unsigned long below = 0;

    calls++;
    frame[0] = 1;
    if (depth != 0)
        below = descend(depth - 1);
    return below + (unsigned long)frame[0];
}

static void *guest(moat_co *self, void *input)
{
    (void)self;
    calls = 0;
    descend(*(const unsigned long *)input);
    return NULL;
}

static void run(moat_co *co, unsigned long depth)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;

    if (moat_co_resume(co, &depth, &event) != MOAT_OK)
        return;
    if (moat_co_trap_info(co, &trap) != MOAT_OK) {
        printf("depth %lu: fine after %lu calls\n", depth, calls);
        return;
    }
    printf("depth %lu: %s, %s the guard below its stack\n", depth,
           moat_trap_kind_str(trap.kind),
           trap.access == MOAT_ACCESS_WRITE &&
                   trap.region == MOAT_REGION_OWN_GUARD
               ? "a write to"
               : "not in");
    printf("more than 50 calls fitted: %s\n", calls > 50 ? "yes" : "no");
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_bytes = (size_t)128 * 1024;
    if (moat_co_create(&co, guest, &options) != MOAT_OK)
        return 1;
    run(co, 1000000);
    if (moat_co_reset(co) != MOAT_OK)
        return 1;
    run(co, 20);
    moat_co_destroy(co);
    return 0;
}
