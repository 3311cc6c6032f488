/*
 * pcre2.c: PCRE2, which recurses into groups, compiles to machine code, and
 * calls functions of the program's. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "hcase.h"

const char *hcase_name = NAME;

static char *pattern;
static char *text;
static pcre2_code *ready; /* of the case jit: the host compiles it */

int hcase_setup(long n)
{
    (void)n;
#if defined CASE_compile
    pattern = hc_nest("(", 240, "a", ")", 240);
    text = strdup("a");
#elif defined CASE_callout
    pattern = strdup("(a|b(?C1))*c");
    text = strdup("aaaabbbbd c");
#else
    int number;
    PCRE2_SIZE at;

    pattern = strdup("^(a|aa|a?a)+$");
    text = hc_nest("a", 60, "c", "", 0);
    ready = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0,
                          &number, &at, NULL);
    if (pcre2_jit_compile(ready, PCRE2_JIT_COMPLETE) != 0)
        return 1;
#endif
    return pattern == NULL || text == NULL;
}

static int *volatile bad __attribute__((unused)) = (int *)0x10;

__attribute__((unused)) static int stop(pcre2_callout_block *block, void *data)
{
    (void)block;
    (void)data;
    return *bad;
}

int hcase_run(void)
{
    int number;
    PCRE2_SIZE at;
    pcre2_code *code = ready != NULL ? ready
                                     : pcre2_compile((PCRE2_SPTR)pattern,
                                                     PCRE2_ZERO_TERMINATED, 0,
                                                     &number, &at, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data;
    int result;

    if (code == NULL || context == NULL)
        return 2;
    data = pcre2_match_data_create_from_pattern(code, NULL);
#if defined CASE_callout
    (void)pcre2_set_callout(context, stop, NULL);
#endif
#if defined CASE_jit
    (void)pcre2_set_match_limit(context, UINT32_MAX);
#endif
    result =
        pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, 0, data, context);
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    if (code != ready)
        pcre2_code_free(code);
    return result < 0;
}
