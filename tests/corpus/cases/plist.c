/*
 * plist.c: libplist, which recurses into what it reads and copies. One case per
 * build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <plist/plist.h>

#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_xml
static char *input;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 20000;
    char *arrays = hc_nest("<array>", depth, "", "</array>", depth);
    size_t room = strlen(arrays) + 64;

    input = malloc(room);
    if (input == NULL)
        return 1;
    (void)snprintf(input, room, "<plist version=\"1.0\">%s</plist>", arrays);
    free(arrays);
    return 0;
}

int hcase_run(void)
{
    plist_t tree = NULL;

    plist_from_xml(input, (uint32_t)strlen(input), &tree);
    if (tree == NULL)
        return 1;
    plist_free(tree);
    return 0;
}
#elif defined CASE_copy
static plist_t tree;

int hcase_setup(long n)
{
    long depth = n != 0 ? n : 20000;
    plist_t innermost = plist_new_array();

    tree = innermost;
    for (long i = 0; i < depth; i++) {
        plist_t inner = plist_new_array();

        plist_array_append_item(innermost, inner);
        innermost = inner;
    }
    return tree == NULL;
}

int hcase_run(void)
{
    return plist_copy(tree) == NULL;
}
#endif
