/*
 * files.h: reading whole files for a script, below one folder and no other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_FILES_H
#define HOST_FILES_H

#include <stdbool.h>

#include <lua.h>

/* Pushes the contents of a regular file below `folder` and returns true, or
 * pushes why not and returns false. Paths that lead out of the folder, by '..',
 * by '/' or by a symbolic link, are refused by the kernel. */
bool files_push(lua_State *L, int folder, const char *path);

/* Adds the read-only `io.open` and `io.lines` to the table on top. */
void files_add_to_io(lua_State *L);

#endif
