/*
 * jsonc.c: json-c, which recurses into what it prints and frees. One case per
 * build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>

#include "hcase.h"

const char *hcase_name = NAME;
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
#if defined CASE_print
    return json_object_to_json_string(tree) == NULL;
#elif defined CASE_put
    return json_object_put(tree) == 0;
#endif
}
