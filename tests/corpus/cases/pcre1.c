/*
 * pcre1.c: PCRE 1, whose matcher and compiler recurse on the C stack. One case
 * per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <pcre.h>

#include "hcase.h"

const char *hcase_name = NAME;
static char *input;

#if defined CASE_exec
static pcre *compiled;

int hcase_setup(long n)
{
    const char *error;
    int offset;

    input = hc_nest("ab", n != 0 ? (size_t)n : 20000, "", "", 0);
    compiled = pcre_compile("^(?:a|b|c)*d$", 0, &error, &offset, NULL);
    return input == NULL || compiled == NULL;
}

int hcase_run(void)
{
    int found[30];

    return pcre_exec(compiled, NULL, input, (int)strlen(input), 0, 0, found,
                     30) < 0;
}

void hcase_teardown(void)
{
    pcre_free(compiled);
    free(input);
}
#elif defined CASE_compile
int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 250;

    input = hc_nest("(", depth, "a", ")", depth);
    return input == NULL;
}

int hcase_run(void)
{
    const char *error;
    int offset;
    pcre *compiled = pcre_compile(input, 0, &error, &offset, NULL);

    if (compiled != NULL)
        pcre_free(compiled);
    return compiled == NULL;
}
#endif
