/*
 * report.h: what a trap looked like, C and Lua frames together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include <jansson.h>
#include <moat/co.h>
#include <moat/trap.h>

#include "lua_frames.h"

/* The report for people, as indented lines; malloc'ed; NULL without memory. */
char *report_text(const moat_co *co, const moat_trap_info *info,
                  struct lua_frames *lua);

/* What moat_co_write_json says, as an object; NULL if that fails. Tells the Lua
 * frames which C frames ran them. */
json_t *report_json(const moat_co *co, struct lua_frames *lua);

#endif
