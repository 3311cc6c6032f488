/*
 * guest.h: one script as it lives on its coroutine: its interpreter, its
 * memory, its output.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_GUEST_H
#define HOST_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>
#include <moat/co.h>

#include "options.h"
#include "quota.h"

/* What the script has printed, up to a bound; the rest is only counted. */
struct capture {
    char *text;
    size_t bytes;
    size_t capacity;
    size_t dropped;
};

enum guest_phase {
    GUEST_STARTING, /* the interpreter and its library are being made */
    GUEST_LOADING,  /* the script's text is being compiled            */
    GUEST_RUNNING,
    GUEST_CLOSING /* it has ended; its finalizers run               */
};

struct guest {
    const struct run_options *options;
    const char *chunk_name; /* "@file" */
    const char *source;
    size_t source_bytes;
    int folder; /* the script's own, for require; -1: unknown */
    struct quota quota;
    struct capture capture;

    /* Written on the guest's stack, read by the host afterwards, and, wherever
     * the guest may stand, by lua_frames.c. */
    lua_State *state;
    enum guest_phase phase;
    int status;          /* of lua_pcall; valid once the guest has returned */
    const char *message; /* in the arena; NULL unless status is an error    */
    size_t message_bytes;
};

/* The coroutine's entry function; `input` is the struct guest. The interpreter
 * is made, used and closed on the coroutine's stack. */
void *guest_main(moat_co *self, void *input);

/* Each interpreter knows its guest; so do the threads made in it. */
static inline struct guest *guest_of(lua_State *L)
{
    return *(struct guest **)lua_getextraspace(L);
}

#endif
