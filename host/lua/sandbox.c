/*
 * sandbox.c: the parts of Lua's library that a script gets.
 *
 * Removed: dofile, loadfile, string.dump, package.loadlib and the searchers,
 * and the debug library except traceback. Changed: load (text only),
 * collectgarbage (queries and collections only), math.randomseed (the system's
 * random numbers), require (modules.c), print and io (io.c), os (os.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sandbox.h"

#include <sys/random.h>

#include <lauxlib.h>
#include <lualib.h>

#include "interpreter.h"
#include "io.h"

/* `package` is never opened, so scripts cannot reach its functions. */
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

/* load(chunk, name, mode, env) with the mode forced to "t", because a forged
 * binary chunk can make the interpreter do anything. */
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

/* Replaces a global by a function that has the old value as its upvalue. */
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

/* `package` contains only the table of loaded modules. */
static void open_package(lua_State *L)
{
    lua_createtable(L, 0, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_setfield(L, -2, "loaded");
    set_loaded(L, LUA_LOADLIBNAME);
    lua_pushcfunction(L, modules_require);
    lua_setglobal(L, "require");
}

static int seed_with(lua_State *L, const uint64_t random[2])
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushinteger(L, (lua_Integer)random[0]);
    lua_pushinteger(L, (lua_Integer)random[1]);
    lua_call(L, 2, LUA_MULTRET);
    return lua_gettop(L);
}

static bool take_random(lua_State *L, void *to, size_t bytes)
{
    ssize_t got;

    guest_host_enter(guest_of(L));
    got = getrandom(to, bytes, 0);
    guest_host_leave(guest_of(L));
    return got == (ssize_t)bytes;
}

/* math.randomseed: without arguments, Lua would take the time and an address,
 * which other scripts can know. */
static int randomseed(lua_State *L)
{
    uint64_t random[2];

    if (lua_gettop(L) == 0) {
        if (!take_random(L, random, sizeof random))
            luaL_error(L, "there are no random numbers");
        return seed_with(L, random);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int first_seed(lua_State *L)
{
    (void)seed_with(L, guest_of(L)->random);
    return 0;
}

/* Seeds the generator, which Lua has seeded like a call without arguments. */
static void seed_math(lua_State *L)
{
    lua_getglobal(L, LUA_MATHLIBNAME);
    lua_getfield(L, -1, "randomseed");
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, first_seed, 1);
    lua_call(L, 0, 0);
    lua_pushcclosure(L, randomseed, 1);
    lua_setfield(L, -2, "randomseed");
    lua_pop(L, 1);
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
    seed_math(L);
    wrap_global(L, "load", load_text);
    wrap_global(L, "collectgarbage", collect);
    open_debug(L);
    open_package(L);
    sandbox_io(L);
    set_loaded(L, LUA_IOLIBNAME);
    sandbox_os(L);
    set_loaded(L, LUA_OSLIBNAME);
}
