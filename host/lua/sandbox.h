/*
 * sandbox.h: the standard library that scripts get.
 *
 * docs/lua-sandbox.md lists every name that is missing or changed, and why.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_LUA_SANDBOX_H
#define HOST_LUA_SANDBOX_H

#include <lua.h>

/* Opens the library in a new interpreter. Raises an error without memory. */
void sandbox_open(lua_State *L);

/* Pushes the table `os`. */
void sandbox_os(lua_State *L);

#endif
