/*
 * nested.c: a guest that hosts a guest of its own.
 *
 * Shows: a trap belongs to the innermost running coroutine, and its resumer,
 * here a coroutine too, gets the event. A backtrace from the inner guest
 * crosses both coroutines and ends in main.
 * Run: build/debug/examples/nested
 * Prints: one line per step, indented by nesting depth; the plugin divides by
 * zero, the supervisor and main continue (expected/nested.txt).
 * Try: let the supervisor fault. Then main gets the event.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

#define FRAMES 64

static volatile int zero;

static unsigned borders(void)
{
    moat_frame frames[FRAMES];
    size_t count = 0;
    unsigned found = 0;

    (void)moat_backtrace(frames, FRAMES, &count);
    for (size_t i = 0; i < count; i++)
        if (frames[i].flags & MOAT_FRAME_ROOT)
            found++;
    return found;
}

static void *plugin(moat_co *self, void *input)
{
    printf("    plugin: %u borders between me and main\n", borders());
    moat_co_yield(self, input);
    printf("    plugin: about to divide by zero\n");
    zero = 100 / zero;
    return NULL;
}

static void *supervisor(moat_co *self, void *input)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_co *inner;
    moat_event event;

    if (moat_co_create(&inner, plugin, NULL) != MOAT_OK)
        return NULL;
    while (moat_co_resume(inner, input, &event) == MOAT_OK) {
        printf("  supervisor: the plugin %s\n",
               event.kind == MOAT_EVENT_YIELD ? "yielded" : "ended");
        moat_co_yield(self, NULL);
    }
    if (moat_co_trap_info(inner, &trap) == MOAT_OK)
        printf("  supervisor: it ended by an %s\n",
               moat_trap_kind_str(trap.kind));
    moat_co_destroy(inner);
    return NULL;
}

int main(void)
{
    moat_co *co;
    moat_event event;

    if (moat_co_create(&co, supervisor, NULL) != MOAT_OK)
        return 1;
    while (moat_co_resume(co, NULL, &event) == MOAT_OK &&
           event.kind == MOAT_EVENT_YIELD)
        printf("main: the supervisor is well\n");
    printf("main: the supervisor is %s\n",
           moat_co_state_str(moat_co_get_state(co)));
    moat_co_destroy(co);
    return 0;
}
