/*
 * guest_malloc.c: a guest that allocates on its parent's stack: it may overflow
 * where it likes, and never inside malloc.
 *
 * Shows: moat_call_on_parent for a service that holds a lock; what
 * moat_co_is_poisoned says without it and with it.
 * Try this: printf instead of malloc.
 * Expected output: expected/guest_malloc.txt.
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

/* The nodes are the host's to give back, as the guest's frames are dropped. */
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

/* A parser of nested lists, as deep as its input is: it overflows. */
__attribute__((noinline)) static int parse(moat_co *self, int depth)
{
    if (moat_call_on_parent(self, make_node, NULL) == NULL)
        return depth;
    return depth < 1000000 ? parse(self, depth + 1) + 1 : 0;
}

/* Every guest overflows at another place: its stack begins `*input` lower. */
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
