/*
 * guest_heap.c: a heap per guest, which the host empties when the guest dies.
 *
 * Shows: limits.memory_bytes and moat_co_heap. An interpreter takes such a heap
 * by its hook (moat_heap_lua, moat_heap_duk_alloc, ...). The guest may die
 * inside the allocator: the host's heap stays intact, the coroutine is not
 * poisoned, and moat_co_reset frees everything at once.
 * Run: build/debug/examples/guest_heap
 * Prints: how many guests died while allocating, how many of them left a lock
 * held: none; and what the heap has in use at the end
 * (expected/guest_heap.txt).
 * Try: malloc instead of moat_heap_alloc.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>

#include <moat/moat.h>

#define ROUNDS 100

/* A value of an interpreter: nested lists. */
struct list {
    struct list *inner;
    char text[40];
};

__attribute__((noinline)) static struct list *nest(moat_heap *heap, int depth)
{
    struct list *list = moat_heap_alloc(heap, sizeof *list);

    if (list != NULL)
        list->inner = depth > 0 ? nest(heap, depth - 1) : NULL;
    return list;
}

static void *guest(moat_co *self, void *input)
{
    (void)input;
    return nest(moat_co_heap(self), INT32_MAX);
}

int main(void)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;
    int died = 0, poisoned = 0;

    limits.memory_bytes = (size_t)64 << 20;
    options.limits = &limits;
    if (moat_co_create(&co, guest, &options) != MOAT_OK)
        return 1;
    for (int i = 0; i < ROUNDS; i++) {
        moat_event event;

        if (moat_co_resume(co, NULL, &event) != MOAT_OK)
            return 1;
        died += event.kind == MOAT_EVENT_TRAP;
        poisoned += moat_co_is_poisoned(co);
        if (moat_co_reset(co) != MOAT_OK)
            return 1;
    }
    printf("%d guests died while they built lists, %d left a lock held\n", died,
           poisoned);
    printf("%zu bytes are in use afterwards\n",
           moat_heap_used(moat_co_heap(co)));
    moat_co_destroy(co);
    return 0;
}
