/*
 * moat_gen_next.c: A walk over a tree yields from its depth; the loop takes the
 * keys up to the first above 4, and the rest of the walk is unwound.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/gen.h>

struct node {
    const struct node *left, *right;
    int key;
};

static void walk(moat_gen *gen, const struct node *node)
{
    if (node == NULL)
        return;
    walk(gen, node->left);
    moat_gen_yield(gen, (void *)&node->key);
    walk(gen, node->right);
}

static void walk_tree(moat_gen *gen, void *root)
{
    walk(gen, root);
}

int main(void)
{
    const struct node one = {NULL, NULL, 1}, four = {NULL, NULL, 4};
    const struct node two = {&one, &four, 2}, nine = {NULL, NULL, 9};
    struct node root = {&two, &nine, 5};
    moat_gen *gen;
    int sum = 0;

    if (moat_gen_create(&gen, walk_tree, &root, NULL) != MOAT_OK)
        return 1;
    MOAT_FOR_EACH(key, gen)
    {
        if (*(const int *)key > 4)
            break;
        sum += *(const int *)key;
    }
    printf("%d, %s\n", sum, moat_status_name(moat_gen_status(gen)));
    moat_gen_destroy(gen);
    return sum == 7 ? 0 : 1;
}
