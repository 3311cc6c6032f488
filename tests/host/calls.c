/*
 * calls.c: a C module of scripts that makes system calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

/* parent(): the number of the parent process. */
static int parent(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getppid());
    return 1;
}

/* open(path, write): whether the file was opened. */
static int open_file(lua_State *L)
{
    int flags = lua_toboolean(L, 2) ? O_WRONLY | O_CREAT : O_RDONLY;
    int fd = open(luaL_checkstring(L, 1), flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        (void)close(fd);
    lua_pushboolean(L, fd >= 0);
    return 1;
}

/* large(): whether there is memory for a large block. */
static int large(lua_State *L)
{
    char *block = malloc((size_t)64 << 20);

    if (block != NULL)
        memset(block, 1, 4096);
    lua_pushboolean(L, block != NULL);
    free(block);
    return 1;
}

__attribute__((visibility("default"))) int luaopen_calls(lua_State *L);

int luaopen_calls(lua_State *L)
{
    static const luaL_Reg functions[] = {{"parent", parent},
                                         {"open", open_file},
                                         {"large", large},
                                         {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
