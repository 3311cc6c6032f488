/*
 * interpreter.h: the Lua interpreter of a guest: its frames and its modules.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_LUA_INTERPRETER_H
#define HOST_LUA_INTERPRETER_H

#include <lua.h>

#include "guest.h"

/* Returns the guest of an interpreter. Lua copies the pointer to each thread
 * that is created in it. */
static inline struct guest *guest_of(lua_State *L)
{
    return *(struct guest **)lua_getextraspace(L);
}

/* Reads the call stacks of the interpreter and of its running coroutines. */
extern const moat_script lua_frames;

/* Loads a module's shared object, on the host's stack and before any script
 * runs, because a guest must never hold the dynamic linker's locks. Returns
 * false after an error message. */
bool modules_open(struct module *module);

/* The `require` of the sandbox. */
int modules_require(lua_State *L);

#endif
