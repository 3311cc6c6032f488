/*
 * cjson.c: cJSON, which recurses into what it reads, copies and frees. One case
 * per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <cjson/cJSON.h>

#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_parse
static char *input;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 999;

    input = hc_nest("{\"a\":", depth, "1", "}", depth);
    return input == NULL;
}

int hcase_run(void)
{
    cJSON *tree = cJSON_Parse(input);

    if (tree == NULL)
        return 1;
    free(cJSON_Print(tree));
    cJSON_Delete(tree);
    return 0;
}
#else
static cJSON *tree;

int hcase_setup(long n)
{
    long depth = n != 0 ? n : 30000;
    cJSON *innermost = cJSON_CreateArray();

    tree = innermost;
    for (long i = 0; i < depth; i++) {
        cJSON *inner = cJSON_CreateArray();

        cJSON_AddItemToArray(innermost, inner);
        innermost = inner;
    }
    return tree == NULL;
}

int hcase_run(void)
{
#    if defined CASE_delete
    cJSON_Delete(tree);
    return 0;
#    else
    return cJSON_Duplicate(tree, 1) == NULL;
#    endif
}
#endif
