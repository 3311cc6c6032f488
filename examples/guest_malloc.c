/*
 * guest_malloc.c: a guest that allocates memory on its parent's stack.
 *
 * Shows: moat_call_on_parent for a function that takes a lock. The guest may
 * overflow its own stack at any point, but never inside malloc, so it never
 * leaves the heap locked. moat_co_is_poisoned checks that.
 * Run: build/debug/examples/guest_malloc
 * Prints: how many guests overflowed, and how many of them inside malloc: none
 * (expected/guest_malloc.txt).
 * Try: call make_node directly. Guests then overflow inside malloc.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <moat/moat.h>

#define PHASES 256

struct node {
    struct node *next;
    char text[3000];
};

/* Owned by the host, because a trap discards the guest's frames. */
static struct node *nodes;

static void *make_node(void *unused)
{
    struct node *node = malloc(sizeof *node);

    (void)unused;
    if (node == NULL)
        return NULL;
    node->next = nodes;
    nodes = node;
    return node;
}

static void drop_nodes(void)
{
    while (nodes != NULL) {
        struct node *next = nodes->next;

        free(nodes);
        nodes = next;
    }
}

/* A parser of nested lists that recurses as deep as its input, and overflows.
 * Without volatile the compiler would turn it into a loop. */
__attribute__((noinline)) static int parse(moat_co *self, int depth)
{
    volatile int below;

    if (moat_call_on_parent(self, make_node, NULL) == NULL)
        return depth;
    below = depth < 1000000 ? parse(self, depth + 1) : 0;
    return below + 1;
}

/* Its frames begin `*input` bytes lower, so each guest overflows at a different
 * instruction. */
static void *guest(moat_co *self, void *input)
{
    char *used = __builtin_alloca(*(size_t *)input);

    __asm__ volatile("" : : "r"(used) : "memory");
    return parse(self, 0) != 0 ? input : NULL;
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    int overflows = 0, poisoned = 0;
    moat_event event;
    moat_co *co;

    options.stack_bytes = (size_t)16 << 10;
    if (moat_co_create(&co, guest, &options) != MOAT_OK)
        return 1;
    for (size_t i = 0; i < PHASES; i++) {
        size_t offset = 16 + 16 * i;

        if (moat_co_resume(co, &offset, &event) != MOAT_OK)
            return 1;
        overflows += event.kind == MOAT_EVENT_TRAP;
        poisoned += moat_co_is_poisoned(co);
        if (moat_co_reset(co) != MOAT_OK)
            return 1;
        drop_nodes();
    }
    moat_co_destroy(co);
    printf("%d guests overflowed, %d of them inside malloc\n", overflows,
           poisoned);
    return 0;
}
