/*
 * lua.c: a Lua script, in Lua 5.1, 5.3, 5.4 or LuaJIT by the headers' path.
 * SCRIPT is its file. CASE_unprotected: errors are not caught.
 *
 * SPDX-License-Identifier: MIT
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "hcase.h"

const char *hcase_name = NAME;
static char *script;
static size_t length;

int hcase_setup(long n)
{
    (void)n;
    script = hc_read(SCRIPT, &length);
    return script == NULL;
}

int hcase_run(void)
{
    lua_State *lua = luaL_newstate();
    int error;

    if (lua == NULL)
        return 2;
    luaL_openlibs(lua);
    error = luaL_loadbuffer(lua, script, length, "=in");
#if defined CASE_unprotected
    if (error == 0)
        lua_call(lua, 0, 0);
#else
    if (error == 0)
        error = lua_pcall(lua, 0, 0, 0);
#endif
    lua_close(lua);
    return error;
}
