/*
 * ruin.c: a Lua module that destroys the state of its interpreter, and then
 * faults.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

static char *volatile nowhere;

/* Overwrites the state's own fields, which lead to the call stack. */
static int ruin(lua_State *L)
{
    memset((void *)L, 0xa5, 128);
    *nowhere = 1;
    return 0;
}

/* Looked up by name. */
__attribute__((visibility("default"))) int luaopen_ruin(lua_State *L);

int luaopen_ruin(lua_State *L)
{
    lua_pushcfunction(L, ruin);
    return 1;
}
