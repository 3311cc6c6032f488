/*
 * trace.c: finds the interpreter's frames in a backtrace by their names.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 8192u
#define KNOWN_MAX  64u

/* What a frame is to the interpreter. */
enum role { ROLE_OTHER, ROLE_LOOP, ROLE_ENTRY };

/* A deep recursion repeats a few addresses thousands of times, and naming one
 * is slow. */
struct known {
    uintptr_t pc[KNOWN_MAX];
    enum role role[KNOWN_MAX];
    size_t count;
};

static bool begins_with(const char *text, const char *name)
{
    size_t bytes = strlen(name);

    return strncmp(text, name, bytes) == 0 &&
           (text[bytes] == '+' || text[bytes] == ' ' || text[bytes] == '\0');
}

static enum role name_role(const moat_frame *frame)
{
    char text[256];

    if ((frame->flags & MOAT_FRAME_ROOT) ||
        moat_frame_describe(frame, text, sizeof(text)) != MOAT_OK)
        return ROLE_OTHER;
    if (begins_with(text, "luaV_execute"))
        return ROLE_LOOP;
    if (begins_with(text, "lua_pcallk") || begins_with(text, "lua_callk") ||
        begins_with(text, "lua_resume"))
        return ROLE_ENTRY;
    return ROLE_OTHER;
}

static enum role role_of(struct known *known, const moat_frame *frame)
{
    size_t i;

    for (i = 0; i < known->count; i++)
        if (known->pc[i] == frame->pc)
            return known->role[i];
    if (known->count < KNOWN_MAX) {
        known->pc[i] = frame->pc;
        known->role[i] = name_role(frame);
        return known->role[known->count++];
    }
    return name_role(frame);
}

/* After which C frame all that is left of the Lua frames belongs: the outermost
 * activation of the loop; without names the outermost call into the
 * interpreter; without that the frame before the root. */
static size_t last_place(const struct trace *trace, struct known *known)
{
    size_t place = 0;
    enum role best = ROLE_OTHER;

    for (size_t i = 0; i < trace->frame_count; i++) {
        enum role role = role_of(known, &trace->frames[i]);

        if (trace->frames[i].flags & MOAT_FRAME_ROOT)
            return best == ROLE_OTHER && i > 0 ? i - 1 : place;
        if (role == ROLE_LOOP || (role == ROLE_ENTRY && best != ROLE_LOOP)) {
            place = i;
            best = role;
        }
    }
    return place;
}

static void add(struct trace *trace, bool is_lua, size_t index)
{
    trace->lines[trace->line_count++] =
        (struct trace_line){.is_lua = is_lua, .index = index};
}

static void merge(struct trace *trace, struct lua_frames *lua)
{
    struct known known = {.count = 0};
    size_t last = last_place(trace, &known);
    size_t next = 0;

    for (size_t i = 0; i < trace->frame_count; i++) {
        bool all = i == last;
        bool entered = false;

        add(trace, false, i);
        if (!all &&
            (i > last || role_of(&known, &trace->frames[i]) != ROLE_LOOP))
            continue;
        for (; next < lua->count && (all || !entered); next++) {
            add(trace, true, next);
            lua->frames[next].c_frame = i;
            entered = lua->frames[next].entered;
        }
    }
    while (next < lua->count)
        add(trace, true, next++);
}

bool trace_take(struct trace *trace, const moat_co *co, struct lua_frames *lua)
{
    *trace = (struct trace){0};
    trace->frames = calloc(FRAMES_MAX, sizeof(*trace->frames));
    if (trace->frames == NULL)
        return false;
    trace->cut = moat_co_backtrace(co, trace->frames, FRAMES_MAX,
                                   &trace->frame_count) == MOAT_E_LIMIT;
    trace->lines =
        calloc(trace->frame_count + lua->count + 1, sizeof(*trace->lines));
    if (trace->lines == NULL)
        return false;
    merge(trace, lua);
    return true;
}

void trace_free(struct trace *trace)
{
    free(trace->frames);
    free(trace->lines);
}
