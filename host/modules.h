/*
 * modules.h: the C modules given with --module, and what `require` finds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_MODULES_H
#define HOST_MODULES_H

#include <stdbool.h>

#include <lua.h>

#include "options.h"

/* Loads a module's shared object, on the host's stack and before any script
 * runs: the dynamic linker's locks must never be held by a guest. Says on
 * stderr what is wrong. */
bool modules_open(struct module *module);

/* The `require` of the sandbox. */
int modules_require(lua_State *L);

#endif
