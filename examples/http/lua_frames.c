/*
 * lua_frames.c: the functions of a Lua handler, for the report of its trap.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "guest.h"
#include "lua_handler.h"

/* Whether this function was called by C: the interpreter's loop was entered. */
static bool is_entered(lua_State *lua, int level)
{
    lua_Debug caller;

    return !lua_getstack(lua, level + 1, &caller) ||
           !lua_getinfo(lua, "S", &caller) || strcmp(caller.what, "C") == 0;
}

/* May fault: the interpreter was stopped anywhere. */
static void walk(const moat_co *co, moat_script_walk *out)
{
    const struct guest *guest = moat_co_user(co);
    lua_State *lua = guest->exchange != NULL ? guest->exchange->lua : NULL;
    lua_Debug ar;

    if (lua == NULL)
        return;
    for (int level = 0; lua_getstack(lua, level, &ar); level++) {
        moat_script_frame frame = {0};

        (void)lua_getinfo(lua, "Sln", &ar);
        if (strcmp(ar.what, "C") == 0)
            continue;
        frame.function = ar.name != NULL ? ar.name : ar.what;
        frame.source = ar.short_src;
        frame.line = ar.currentline;
        frame.flags = is_entered(lua, level) ? MOAT_SCRIPT_ENTERED : 0;
        moat_script_put(out, &frame);
    }
}

static bool runs(const moat_frame *frame, const char *function)
{
    (void)frame;
    return function != NULL && strcmp(function, "luaV_execute") == 0;
}

const moat_script lua_frames = {sizeof lua_frames, "lua", walk, runs};
