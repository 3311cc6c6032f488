/*
 * io.c: print and io for scripts.
 *
 * A script's output goes to its own buffer. There is no system call and no
 * stdio, whose locks a trapped script would keep. The host writes the buffer
 * out after the script has ended. Output beyond the buffer's size is dropped
 * and counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <lauxlib.h>

#include "interpreter.h"
#include "io.h"

static void capture(lua_State *L, const char *text, size_t bytes)
{
    struct capture *to = &guest_of(L)->capture;
    size_t room = to->capacity - to->bytes;
    size_t kept = bytes < room ? bytes : room;

    memcpy(to->text.start + to->bytes, text, kept);
    to->bytes += kept;
    to->dropped += bytes - kept;
}

static int print(lua_State *L)
{
    int n = lua_gettop(L);

    for (int i = 1; i <= n; i++) {
        size_t bytes;
        const char *text = luaL_tolstring(L, i, &bytes);

        if (i > 1)
            capture(L, "\t", 1);
        capture(L, text, bytes);
        lua_pop(L, 1);
    }
    capture(L, "\n", 1);
    return 0;
}

static void write_from(lua_State *L, int first)
{
    int n = lua_gettop(L);

    for (int i = first; i <= n; i++) {
        size_t bytes;
        const char *text = luaL_checklstring(L, i, &bytes);

        capture(L, text, bytes);
    }
}

static int io_write(lua_State *L)
{
    write_from(L, 1);
    lua_getfield(L, lua_upvalueindex(1), "stdout");
    return 1;
}

static int stream_write(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    write_from(L, 2);
    lua_settop(L, 1);
    return 1;
}

static int stream_nothing(lua_State *L)
{
    lua_settop(L, 1);
    return 1;
}

/* io.stdout and io.stderr are write-only tables. */
static void add_stream(lua_State *L, const char *name)
{
    static const luaL_Reg methods[] = {{"write", stream_write},
                                       {"flush", stream_nothing},
                                       {"setvbuf", stream_nothing},
                                       {NULL, NULL}};

    luaL_newlib(L, methods);
    lua_setfield(L, -2, name);
}

void sandbox_io(lua_State *L)
{
    lua_pushcfunction(L, print);
    lua_setglobal(L, "print");
    lua_createtable(L, 0, 5);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, io_write, 1);
    lua_setfield(L, -2, "write");
    add_stream(L, "stdout");
    add_stream(L, "stderr");
    if (guest_of(L)->options->read_fd >= 0)
        files_add_to_io(L);
}
