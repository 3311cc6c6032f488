/*
 * cjson.c: cJSON, which recurses into what it reads, copies and frees. One case
 * per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <cjson/cJSON.h>

#include "documents.h"
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
#elif defined CASE_work
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    cJSON *tree = cJSON_Parse(JSON_DOCUMENT);
    cJSON *copy = cJSON_Duplicate(tree, 1);
    char *text = cJSON_Print(copy);
    int failed = text == NULL || !cJSON_Compare(tree, copy, 1);

    free(text);
    cJSON_Delete(copy);
    cJSON_Delete(tree);
    return failed;
}
#elif defined CASE_guest
/* All in one run: the tree is the guest's. */
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    cJSON *tree = cJSON_CreateArray(), *innermost = tree;

    for (int i = 0; i < 30000; i++) {
        cJSON *inner = cJSON_CreateArray();

        cJSON_AddItemToArray(innermost, inner);
        innermost = inner;
    }
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
