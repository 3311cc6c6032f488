/*
 * lua_frames.h: what a dead script was doing, in its own terms.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_LUA_FRAMES_H
#define HOST_LUA_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#define LUA_FRAMES_MAX 1024

struct lua_frame {
    char source[LUA_IDSIZE];
    char name[48];  /* "function 'f'", "main chunk"; never empty */
    int line;       /* -1: not known                             */
    bool entered;   /* called from C: its caller is another activation of the
                       interpreter's loop                        */
    size_t c_frame; /* the C frame that ran it; trace_take fills it in */
};

struct lua_frames {
    struct lua_frame *frames; /* malloc'ed; innermost first; NULL if none */
    size_t count;
    bool cut; /* there were more, or the walk itself was trapped */
};

/*
 * Walks the call stack of an interpreter that was stopped anywhere, through the
 * Lua coroutines that were running in it. It may be in any state, so it is
 * walked on a coroutine with a time limit: a walk that faults ends there, with
 * what it had found.
 */
void lua_frames_take(lua_State *state, struct lua_frames *out);

void lua_frames_free(struct lua_frames *frames);

#endif
