/*
 * trace.h: C frames and Lua frames in one order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_TRACE_H
#define HOST_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include <moat/backtrace.h>

#include "lua_frames.h"

struct trace_line {
    bool is_lua;
    size_t index; /* into lua_frames.frames or trace.frames */
};

struct trace {
    moat_frame *frames;
    size_t frame_count;
    bool cut; /* there were more frames than room */
    struct trace_line *lines;
    size_t line_count;
};

/* Takes the backtrace of a trapped coroutine and sorts the Lua frames into it;
 * telling each of those its c_frame; false without memory. trace_free is due in
 * any case. */
bool trace_take(struct trace *trace, const moat_co *co, struct lua_frames *lua);

void trace_free(struct trace *trace);

#endif
