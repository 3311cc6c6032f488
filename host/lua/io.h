/*
 * io.h: the output of a script, and the files that it can read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_LUA_IO_H
#define HOST_LUA_IO_H

#include <stdbool.h>

#include <lua.h>

/* Pushes the table `io` and sets the global `print`. */
void sandbox_io(lua_State *L);

/* Pushes the contents of a regular file below `folder` and returns true, or
 * pushes the reason of a failure and returns false. The kernel refuses paths
 * that leave the folder through '..', '/' or a symbolic link. */
bool files_push(lua_State *L, int folder, const char *path);

/* Adds the read-only `io.open` and `io.lines` to the table on top. */
void files_add_to_io(lua_State *L);

#endif
