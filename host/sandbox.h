/*
 * sandbox.h: the standard library that scripts get.
 *
 * docs/lua-sandbox.md lists every name that is missing or changed, and why.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_SANDBOX_H
#define HOST_SANDBOX_H

#include <lua.h>

/* Opens the library in a new interpreter; raises an error if memory runs out.
 */
void sandbox_open(lua_State *L);

/* Push the tables `io` and `os`; sandbox_io also sets the global `print`. */
void sandbox_io(lua_State *L);
void sandbox_os(lua_State *L);

#endif
