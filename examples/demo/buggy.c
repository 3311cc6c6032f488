/*
 * buggy.c: a Lua module in C with one bug per function, for the demo's scripts.
 *
 * Build it with -fstack-clash-protection, as Debian builds its packages' C
 * code. Then a frame larger than the guard cannot skip it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>

#define BIG_FRAME_BYTES ((size_t)1024 * 1024)

/* The bugs are intentional: sanitizers must not report them, and the compiler
 * must not optimize them away. */
#define ON_PURPOSE \
    __attribute__((noinline, no_sanitize("address"), no_sanitize("undefined")))

struct record {
    char name[40];
    int value;
};

static struct record *volatile nobody = NULL;
static volatile uintptr_t wild = 0x123456789000u;
static volatile int zero = 0;
static int (*volatile no_function)(void) = NULL;

ON_PURPOSE static int null_write(lua_State *L)
{
    *(volatile int *)nobody = 42;
    lua_pushinteger(L, 42);
    return 1;
}

ON_PURPOSE static int null_read(lua_State *L)
{
    lua_pushinteger(L, nobody->value);
    return 1;
}

ON_PURPOSE static int wild_write(lua_State *L)
{
    *(volatile int *)wild = 42;
    lua_pushinteger(L, 42);
    return 1;
}

ON_PURPOSE static int divide(lua_State *L)
{
    lua_pushinteger(L, 42 / zero);
    return 1;
}

ON_PURPOSE static int call_abort(lua_State *L)
{
    if (zero == 0)
        abort();
    return lua_gettop(L);
}

ON_PURPOSE static int jump_null(lua_State *L)
{
    lua_pushinteger(L, no_function());
    return 1;
}

ON_PURPOSE static int big_frame(lua_State *L)
{
    volatile char frame[BIG_FRAME_BYTES];

    /* Keeps the compiler from shrinking the frame to the two bytes in use. */
    __asm__ volatile("" : : "r"(frame) : "memory");
    frame[0] = 1;
    frame[BIG_FRAME_BYTES - 1] = 1;
    lua_pushinteger(L, frame[0] + frame[BIG_FRAME_BYTES - 1]);
    return 1;
}

__attribute__((visibility("default"))) int luaopen_buggy(lua_State *L);

int luaopen_buggy(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"null_write", null_write}, {"null_read", null_read},
        {"wild_write", wild_write}, {"divide", divide},
        {"abort", call_abort},      {"jump_null", jump_null},
        {"big_frame", big_frame},   {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
