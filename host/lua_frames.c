/*
 * lua_frames.c: the inspection of a dead interpreter, itself a guest.
 *
 * Only calls that allocate nothing are made: the allocator may be as broken as
 * the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lua_frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moat/co.h>

#define INSPECTION_NS ((uint64_t)200 * 1000 * 1000)
#define THREADS_MAX   256 /* Lua's own limit on nested C calls is 200 */

struct inspection {
    lua_State *main;
    struct lua_frames *out;
    lua_State *threads[THREADS_MAX]; /* main first; each resumed the next */
    size_t thread_count;
};

static bool is_known(const struct inspection *inspection, lua_State *thread)
{
    for (size_t i = 0; i < inspection->thread_count; i++)
        if (inspection->threads[i] == thread)
            return true;
    return false;
}

/* The value on top, popped, if it is a thread that is being run. */
static lua_State *running_thread(const struct inspection *inspection,
                                 lua_State *state)
{
    lua_State *thread = lua_tothread(state, -1);
    lua_Debug ar;

    lua_pop(state, 1);
    if (thread == NULL || is_known(inspection, thread) ||
        lua_status(thread) != LUA_OK || !lua_getstack(thread, 0, &ar))
        return NULL;
    return thread;
}

/*
 * The thread that `state` has resumed. Nothing needs to be noted for this while
 * scripts run: the innermost call of a state that resumed another one is
 * coroutine.resume or coroutine.close, whose first argument is the thread, or a
 * function made by coroutine.wrap, whose first upvalue is.
 */
static lua_State *resumed_by(const struct inspection *inspection,
                             lua_State *state)
{
    lua_State *thread = NULL;
    lua_Debug ar;

    if (!lua_getstack(state, 0, &ar) || !lua_getinfo(state, "S", &ar) ||
        strcmp(ar.what, "C") != 0)
        return NULL;
    if (lua_getlocal(state, &ar, 1) != NULL)
        thread = running_thread(inspection, state);
    if (thread != NULL || !lua_getinfo(state, "f", &ar))
        return thread;
    if (lua_getupvalue(state, -1, 1) != NULL)
        thread = running_thread(inspection, state);
    lua_pop(state, 1);
    return thread;
}

static void name_frame(struct lua_frame *frame, const lua_Debug *ar)
{
    if (strcmp(ar->what, "main") == 0)
        snprintf(frame->name, sizeof(frame->name), "main chunk");
    else if (ar->name != NULL)
        snprintf(frame->name, sizeof(frame->name), "%.10s '%.30s'",
                 *ar->namewhat != '\0' ? ar->namewhat : "function", ar->name);
    else
        snprintf(frame->name, sizeof(frame->name), "function <line %d>",
                 ar->linedefined);
}

/* Did C code call this Lua function, so that the interpreter's loop was entered
 * anew? Besides calls from C functions these are metamethods and iterators. */
static bool is_entered(lua_State *state, int level, const lua_Debug *ar)
{
    lua_Debug caller;

    if (strcmp(ar->namewhat, "metamethod") == 0 ||
        strcmp(ar->namewhat, "for iterator") == 0)
        return true;
    return !lua_getstack(state, level + 1, &caller) ||
           !lua_getinfo(state, "S", &caller) || strcmp(caller.what, "C") == 0;
}

static void walk_thread(struct lua_frames *out, lua_State *state)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(state, level, &ar); level++) {
        struct lua_frame *frame = &out->frames[out->count];

        if (!lua_getinfo(state, "Sln", &ar) || strcmp(ar.what, "C") == 0)
            continue;
        if (out->count == LUA_FRAMES_MAX) {
            out->cut = true;
            return;
        }
        memcpy(frame->source, ar.short_src, sizeof(frame->source));
        frame->line = ar.currentline;
        frame->entered = is_entered(state, level, &ar);
        name_frame(frame, &ar);
        out->count++;
    }
}

static void *inspect(moat_co *self, void *input)
{
    struct inspection *inspection = input;
    lua_State *next = inspection->main;

    (void)self;
    while (next != NULL && inspection->thread_count < THREADS_MAX) {
        inspection->threads[inspection->thread_count++] = next;
        next = resumed_by(inspection, next);
    }
    for (size_t i = inspection->thread_count; i > 0; i--)
        walk_thread(inspection->out, inspection->threads[i - 1]);
    return NULL;
}

static void run_inspection(struct inspection *inspection)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;

    limits.resume_cpu_ns = INSPECTION_NS;
    options.stack_bytes = (size_t)64 * 1024;
    options.limits = &limits;
    options.name = "inspection";
    if (moat_co_create(&co, inspect, &options) != MOAT_OK) {
        inspection->out->cut = true;
        return;
    }
    if (moat_co_resume(co, inspection, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        inspection->out->cut = true;
    moat_co_destroy(co);
}

/* Many results may wait to be written: each keeps only what it needs. */
static void give_back(struct lua_frames *out)
{
    struct lua_frame *fitting;

    if (out->count == 0) {
        free(out->frames);
        out->frames = NULL;
        return;
    }
    fitting = realloc(out->frames, out->count * sizeof(*out->frames));
    if (fitting != NULL)
        out->frames = fitting;
}

void lua_frames_take(lua_State *state, struct lua_frames *out)
{
    struct inspection inspection = {.main = state, .out = out};

    *out = (struct lua_frames){0};
    if (state == NULL)
        return;
    /* One more than the limit: the walk looks at a frame before it counts it.
     */
    out->frames = calloc(LUA_FRAMES_MAX + 1, sizeof(*out->frames));
    if (out->frames == NULL)
        out->cut = true;
    else
        run_inspection(&inspection);
    give_back(out);
}

void lua_frames_free(struct lua_frames *frames)
{
    free(frames->frames);
    *frames = (struct lua_frames){0};
}
