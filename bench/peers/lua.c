/*
 * lua.c: the coroutines of Lua or LuaJIT, with both sides of the switch in a
 * script.
 *
 * A plug-in, built once for each of the two, which have the same symbols.
 *
 * SPDX-License-Identifier: MIT
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/peers.h"

#ifdef BENCH_LUAJIT
#    define NAME "LuaJIT, in a script"
#else
#    define NAME "Lua, in a script"
#endif

#define ECHO                                               \
    "local co = coroutine.wrap(function(value)\n"          \
    "  while true do value = coroutine.yield(value) end\n" \
    "end)\n"

static const char *const scripts[CASE_COUNT] = {
    /* clang-format off */
    [CASE_FLAT] = ECHO
        "for _ = 1, count do co(0) end\n"
        "return count\n",
    [CASE_ACCUMULATE] = ECHO
        "local sum = 0\n"
        "for i = 0, count - 1 do sum = sum + co(i) end\n"
        "return sum\n",
    [CASE_ONE_DOWN] =
        "local function below(value)\n"
        "  local input = coroutine.yield(value)\n"
        "  return input\n"
        "end\n"
        "local co = coroutine.wrap(function(value)\n"
        "  while true do value = below(value) end\n"
        "end)\n"
        "local sum = 0\n"
        "for i = 0, count - 1 do sum = sum + co(i) end\n"
        "return sum\n",
    [CASE_TREE] =
        "local function walk(depth, key)\n"
        "  if depth == 0 then return key end\n"
        "  key = walk(depth - 1, key)\n"
        "  coroutine.yield(key)\n"
        "  return walk(depth - 1, key + 1)\n"
        "end\n"
        "local co = coroutine.wrap(function()\n"
        "  while true do walk(depth, 0) end\n"
        "end)\n"
        "local sum = 0\n"
        "for _ = 1, count do sum = sum + co() end\n"
        "return sum\n",
    [CASE_SITES] = ECHO
        "local sum = 0\n"
        "for i = 0, count - 8, 8 do\n"
        "  sum = sum + co(i)\n"
        "  sum = sum + co(i + 1)\n"
        "  sum = sum + co(i + 2)\n"
        "  sum = sum + co(i + 3)\n"
        "  sum = sum + co(i + 4)\n"
        "  sum = sum + co(i + 5)\n"
        "  sum = sum + co(i + 6)\n"
        "  sum = sum + co(i + 7)\n"
        "end\n"
        "return sum\n",
    [CASE_LIFE] =
        "local function guest(value) return value + 1 end\n"
        "local sum = 0\n"
        "for i = 0, count - 1 do\n"
        "  local done, value = coroutine.resume(coroutine.create(guest), i)\n"
        "  if not done then error(value) end\n"
        "  sum = sum + value\n"
        "end\n"
        "return sum\n",
    /* clang-format on */
};

static uint64_t run(const char *script, size_t count)
{
    lua_State *state = luaL_newstate();
    uint64_t sum;

    if (state == NULL)
        abort();
    luaL_openlibs(state);
    lua_pushnumber(state, (lua_Number)count);
    lua_setglobal(state, "count");
    lua_pushnumber(state, TREE_DEPTH);
    lua_setglobal(state, "depth");
    if (luaL_dostring(state, script) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(state, -1));
        exit(1);
    }
    sum = (uint64_t)lua_tonumber(state, -1);
    lua_close(state);
    return sum;
}

#define BODY(name, number)                  \
    static uint64_t name(size_t count)      \
    {                                       \
        return run(scripts[number], count); \
    }
BODY(run_flat, CASE_FLAT)
BODY(run_accumulate, CASE_ACCUMULATE)
BODY(run_one_down, CASE_ONE_DOWN)
BODY(run_tree, CASE_TREE)
BODY(run_sites, CASE_SITES)
BODY(run_life, CASE_LIFE)

/* The collector owns its stacks, so no life has a new one. */
const struct bench_peer bench_plugin = {
    .name = NAME,
    .share = 0.1,
    .bodies = {run_flat, run_accumulate, run_one_down, run_tree, run_sites,
               NULL, run_life, NULL}};
