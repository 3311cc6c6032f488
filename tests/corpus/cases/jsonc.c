/*
 * jsonc.c: json-c, which recurses into what it prints and frees. One case per
 * build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>

#include "documents.h"
#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_work
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    json_object *tree = json_tokener_parse(JSON_DOCUMENT), *copy = NULL;
    int failed = json_object_deep_copy(tree, &copy, NULL) != 0 ||
                 json_object_to_json_string_ext(copy, 0) == NULL ||
                 !json_object_equal(tree, copy);

    (void)json_object_put(copy);
    (void)json_object_put(tree);
    return failed;
}
#elif defined CASE_guest_print || defined CASE_guest_put
/* All in one run: the tree is the guest's. */
static char *input;
static const int depth = 20000;

int hcase_setup(long n)
{
    (void)n;
    input = hc_nest("[", (size_t)depth, "1", "]", (size_t)depth);
    return input == NULL;
}

int hcase_run(void)
{
    json_tokener *tokener = json_tokener_new_ex(depth + 10);
    json_object *tree =
        json_tokener_parse_ex(tokener, input, (int)strlen(input));

    if (tree == NULL)
        return 1;
#    if defined CASE_guest_print
    return json_object_to_json_string(tree) == NULL;
#    else
    return json_object_put(tree) == 0;
#    endif
}
#else
static json_object *tree;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 20000;
    struct json_tokener *tokener = json_tokener_new_ex((int)depth + 10);
    char *input = hc_nest("[", depth, "1", "]", depth);

    tree = json_tokener_parse_ex(tokener, input, (int)strlen(input));
    return tree == NULL;
}

int hcase_run(void)
{
#    if defined CASE_print
    return json_object_to_json_string(tree) == NULL;
#    elif defined CASE_put
    return json_object_put(tree) == 0;
#    endif
}
#endif
