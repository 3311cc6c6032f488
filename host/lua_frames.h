/*
 * lua_frames.h: what a stopped script was doing, in its own terms.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_LUA_FRAMES_H
#define HOST_LUA_FRAMES_H

#include <moat/script.h>

/* For coroutines whose `user` is a struct guest. */
extern const moat_script lua_frames;

#endif
