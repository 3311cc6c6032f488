/*
 * lua_handler.h: handlers in Lua.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_LUA_HANDLER_H
#define EXAMPLES_HTTP_LUA_HANDLER_H

#include "exchange.h"

/* The text of a script, which is compiled anew for each request. */
struct script {
    char name[64];
    char *text;
    size_t length;
};

/* Reads the scripts of a folder, NAME.lua; exits if that fails. */
void scripts_read(const char *folder);
void scripts_free(void);
/* NULL: there is none of this name. */
const struct script *script_find(struct span name);

/* Runs the exchange's script. */
void lua_handle(struct exchange *exchange);

/* How reports find the functions of a script. */
extern const moat_script lua_frames;

#endif
