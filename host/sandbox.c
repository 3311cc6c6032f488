/*
 * sandbox.c: which parts of Lua's library a script gets.
 *
 * Removed: dofile, loadfile, string.dump, package.loadlib and the searchers,
 * the debug library but for traceback. Changed: load (text only),
 * collectgarbage (asking and collecting only), require (modules.c), print and
 * io (sandbox_io.c), os (sandbox_os.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sandbox.h"

#include <lauxlib.h>
#include <lualib.h>

#include "modules.h"

/* `package` is never opened: what is not there cannot be reached. */
static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base},       {LUA_COLIBNAME, luaopen_coroutine},
    {LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string},
    {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8}};

static const struct {
    const char *table;
    const char *name;
} removed[] = {
    {LUA_GNAME, "dofile"}, {LUA_GNAME, "loadfile"}, {LUA_STRLIBNAME, "dump"}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void set_loaded(lua_State *L, const char *name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
    lua_setglobal(L, name);
}

/* load(chunk, name, mode, env) with the mode "t" whatever the caller says: a
 * forged binary chunk can make the interpreter do anything. */
static int load_text(lua_State *L)
{
    if (lua_gettop(L) < 3)
        lua_settop(L, 3);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int collect(lua_State *L)
{
    static const char *const allowed[] = {"collect", "count", "step",
                                          "isrunning", NULL};

    luaL_checkoption(L, 1, "collect", allowed);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Puts a function in front of the global it replaces. */
static void wrap_global(lua_State *L, const char *name, lua_CFunction wrapper)
{
    lua_getglobal(L, name);
    lua_pushcclosure(L, wrapper, 1);
    lua_setglobal(L, name);
}

static void open_debug(lua_State *L)
{
    lua_createtable(L, 0, 1);
    luaL_requiref(L, LUA_DBLIBNAME, luaopen_debug, 0);
    lua_getfield(L, -1, "traceback");
    lua_remove(L, -2);
    lua_setfield(L, -2, "traceback");
    set_loaded(L, LUA_DBLIBNAME);
}

/* `package` has nothing but the table of what is loaded. */
static void open_package(lua_State *L)
{
    lua_createtable(L, 0, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_setfield(L, -2, "loaded");
    set_loaded(L, LUA_LOADLIBNAME);
    lua_pushcfunction(L, modules_require);
    lua_setglobal(L, "require");
}

void sandbox_open(lua_State *L)
{
    for (size_t i = 0; i < COUNT(libraries); i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < COUNT(removed); i++) {
        lua_getglobal(L, removed[i].table);
        lua_pushnil(L);
        lua_setfield(L, -2, removed[i].name);
        lua_pop(L, 1);
    }
    wrap_global(L, "load", load_text);
    wrap_global(L, "collectgarbage", collect);
    open_debug(L);
    open_package(L);
    sandbox_io(L);
    set_loaded(L, LUA_IOLIBNAME);
    sandbox_os(L);
    set_loaded(L, LUA_OSLIBNAME);
}
