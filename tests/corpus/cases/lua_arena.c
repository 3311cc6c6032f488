/*
 * lua_arena.c: a Lua script whose memory is an arena of its own. SCRIPT is its
 * file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "arena.h"

const char *hcase_name = NAME;
static char *script;
static size_t length;

static void *allocate(void *user, void *block, size_t old, size_t bytes)
{
    (void)user;
    (void)old;
    return arena_resize(block, bytes);
}

int hcase_setup(long n)
{
    (void)n;
    script = hc_read(SCRIPT, &length);
    return script == NULL || arena_reset() != 0;
}

int hcase_run(void)
{
    lua_State *lua;
    int error;

    (void)arena_reset();
    lua = lua_newstate(allocate, NULL);
    if (lua == NULL)
        return 9;
    luaL_openlibs(lua);
    error = luaL_loadbuffer(lua, script, length, "=in");
    if (error == 0)
        error = lua_pcall(lua, 0, 0, 0);
    lua_close(lua);
    return error;
}
