/*
 * generator.c: walks a binary tree in order, one key per resume.
 *
 * Shows: a yield from inside a recursive function. The walk is written as if it
 * printed the keys itself, but the host takes them one at a time.
 * Run: build/debug/examples/generator
 * Prints: six animals in alphabetical order, then the coroutine's final state
 * (expected/generator.txt).
 * Try: stop after three keys. moat_co_destroy discards the rest of the walk.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <stdio.h>

#include <moat/moat.h>

struct node {
    const struct node *left, *right;
    const char *key;
};

static const struct node ant = {NULL, NULL, "ant"};
static const struct node cat = {NULL, NULL, "cat"};
static const struct node bee = {&ant, &cat, "bee"};
static const struct node elk = {NULL, NULL, "elk"};
static const struct node fox = {&elk, NULL, "fox"};
static const struct node dog = {&bee, &fox, "dog"};

static void walk(moat_co *self, const struct node *node)
{
    if (node == NULL)
        return;
    walk(self, node->left);
    moat_co_yield(self, (void *)(ptrdiff_t)node->key);
    walk(self, node->right);
}

static void *walk_tree(moat_co *self, void *tree)
{
    walk(self, tree);
    return NULL;
}

int main(void)
{
    moat_co *co;
    moat_event event;

    if (moat_co_create(&co, walk_tree, NULL) != MOAT_OK)
        return 1;
    while (moat_co_resume(co, (void *)(ptrdiff_t)&dog, &event) == MOAT_OK &&
           event.kind == MOAT_EVENT_YIELD)
        printf("%s\n", (const char *)event.value);
    printf("the coroutine is %s\n", moat_co_state_str(moat_co_get_state(co)));
    moat_co_destroy(co);
    return 0;
}
