/*
 * scripts_bare.c: a host that does nothing for its script but run it, on the
 * same Lua library as the command moat.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int main(int argc, char **argv)
{
    lua_State *state = luaL_newstate();
    int status = 1;

    if (state == NULL || argc != 2)
        return 2;
    luaL_openlibs(state);
    status = luaL_dofile(state, argv[1]);
    if (status != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(state, -1));
    lua_close(state);
    return status == LUA_OK ? 0 : 1;
}
