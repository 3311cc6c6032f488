/*
 * yajl.c: YAJL, which recurses into the tree that it frees. One case per build,
 * by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "documents.h"
#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_work
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

static int generate(yajl_gen to)
{
    static const unsigned char word[] = "a word";

    return yajl_gen_array_open(to) != yajl_gen_status_ok ||
           yajl_gen_string(to, word, 6) != yajl_gen_status_ok ||
           yajl_gen_double(to, 12.5) != yajl_gen_status_ok ||
           yajl_gen_array_close(to) != yajl_gen_status_ok;
}

int hcase_run(void)
{
    yajl_val tree = yajl_tree_parse(JSON_DOCUMENT, NULL, 0);
    yajl_gen to = yajl_gen_alloc(NULL);
    int failed = tree == NULL || to == NULL || generate(to);

    yajl_gen_free(to);
    yajl_tree_free(tree);
    return failed;
}
#else
static char *input;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 20000;

    input = hc_nest("[", depth, "1", "]", depth);
    return input == NULL;
}

int hcase_run(void)
{
    yajl_val tree = yajl_tree_parse(input, NULL, 0);

    if (tree == NULL)
        return 1;
    yajl_tree_free(tree);
    return 0;
}
#endif
