/*
 * duktape_arena.c: a script in Duktape whose memory is an arena of its own.
 * SCRIPT is its file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <duktape.h>

#include "arena.h"

const char *hcase_name = NAME;
static char *script;

static void *allocate(void *user, duk_size_t bytes)
{
    (void)user;
    return arena_resize(NULL, bytes);
}

static void *resize(void *user, void *block, duk_size_t bytes)
{
    (void)user;
    return arena_resize(block, bytes);
}

static void release(void *user, void *block)
{
    (void)user;
    (void)block;
}

int hcase_setup(long n)
{
    (void)n;
    script = hc_read(SCRIPT, NULL);
    return script == NULL || arena_reset() != 0;
}

int hcase_run(void)
{
    duk_context *duk;
    int error;

    (void)arena_reset();
    duk = duk_create_heap(allocate, resize, release, NULL, NULL);
    if (duk == NULL)
        return 9;
    error = duk_peval_lstring(duk, script, strlen(script));
    duk_destroy_heap(duk);
    return error;
}
