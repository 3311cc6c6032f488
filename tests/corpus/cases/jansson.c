/*
 * jansson.c: Jansson, which recurses into what it reads and copies. One case
 * per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>

#include "documents.h"
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
#elif defined CASE_work
/* The seed of its hashes, of which a guest's fault must leave no half. */
int hcase_setup(long n)
{
    json_object_seed((size_t)n);
    return 0;
}

int hcase_run(void)
{
    json_t *tree = json_loads(JSON_DOCUMENT, 0, NULL);
    json_t *copy = json_deep_copy(tree);
    char *text = json_dumps(copy, JSON_INDENT(2));
    int failed = text == NULL || !json_equal(tree, copy);

    free(text);
    json_decref(copy);
    json_decref(tree);
    return failed;
}
#endif
