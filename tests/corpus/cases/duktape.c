/*
 * duktape.c: a script in Duktape: SCRIPT is its file, CASE_nest and
 * CASE_negations stand for scripts too long for one. CASE_unprotected: errors
 * are not caught.
 *
 * SPDX-License-Identifier: MIT
 */
#include <duktape.h>

#include "hcase.h"

const char *hcase_name = NAME;
static char *script;

int hcase_setup(long n)
{
    (void)n;
#if defined CASE_nest
    script = hc_nest("(", 2000, "1", ")", 2000);
#elif defined CASE_negations
    script = hc_nest("!", 50000, "1", "", 0);
#else
    script = hc_read(SCRIPT, NULL);
#endif
    return script == NULL;
}

int hcase_run(void)
{
    duk_context *duk = duk_create_heap_default();
    int error = 0;

    if (duk == NULL)
        return 2;
#if defined CASE_unprotected
    duk_eval_lstring(duk, script, strlen(script));
#else
    error = duk_peval_lstring(duk, script, strlen(script));
#endif
    duk_destroy_heap(duk);
    return error;
}
