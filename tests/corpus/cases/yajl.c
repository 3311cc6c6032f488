/*
 * yajl.c: YAJL, which recurses into the tree that it frees.
 *
 * SPDX-License-Identifier: MIT
 */
#include <yajl/yajl_tree.h>

#include "hcase.h"

const char *hcase_name = NAME;
static yajl_val tree;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 20000;
    char *input = hc_nest("[", depth, "1", "]", depth);
    char error[256];

    tree = yajl_tree_parse(input, error, sizeof error);
    free(input);
    return tree == NULL;
}

int hcase_run(void)
{
    yajl_tree_free(tree);
    return 0;
}
