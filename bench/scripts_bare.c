/*
 * scripts_bare.c: a host that only runs its scripts, one after the other, on
 * the same Lua library as the command moat.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static int run(const char *file)
{
    lua_State *state = luaL_newstate();
    int status;

    if (state == NULL)
        return 2;
    luaL_openlibs(state);
    status = luaL_dofile(state, file);
    if (status != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(state, -1));
    lua_close(state);
    return status == LUA_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    int status = argc < 2 ? 2 : 0;

    for (int i = 1; i < argc && status == 0; i++)
        status = run(argv[i]);
    return status;
}
