/*
 * jansson.c: Jansson, which recurses into what it reads and copies. One case
 * per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>

#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_load
static char *input;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 2047;

    input = hc_nest("[", depth, "1", "]", depth);
    return input == NULL;
}

int hcase_run(void)
{
    json_error_t error;
    json_t *tree = json_loads(input, 0, &error);

    if (tree == NULL)
        return 1;
    json_decref(tree);
    return 0;
}
#elif defined CASE_copy
static json_t *tree;

int hcase_setup(long n)
{
    long depth = n != 0 ? n : 20000;
    json_t *innermost = json_array();

    tree = innermost;
    for (long i = 0; i < depth; i++) {
        json_t *inner = json_array();

        (void)json_array_append_new(innermost, inner);
        innermost = inner;
    }
    return tree == NULL;
}

int hcase_run(void)
{
    return json_deep_copy(tree) == NULL;
}
#endif
