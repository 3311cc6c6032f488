/*
 * frames.c: reads the call stack of an interpreter that was stopped at any
 * instruction, including the Lua coroutines that were running in it.
 *
 * moat recovers from a fault in it. It makes only calls that do not allocate,
 * because the allocator may be broken.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "interpreter.h"

#define THREADS_MAX 256 /* Lua's own limit on nested C calls is 200 */

/* Lua finds a level by counting from the innermost, so naming all levels takes
 * quadratic time. Only so many are named of each thread. */
#define FIRST_LEVELS 1024
#define LAST_LEVELS  32

struct inspection {
    moat_script_walk *out;
    lua_State *threads[THREADS_MAX]; /* main first; each one resumed the next */
    size_t thread_count;
    size_t skipped; /* since the last named frame */
};

static bool is_known(const struct inspection *inspection, lua_State *thread)
{
    for (size_t i = 0; i < inspection->thread_count; i++)
        if (inspection->threads[i] == thread)
            return true;
    return false;
}

/* Pops the value on top, and returns it if it is a thread that is running. */
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
 * Returns the thread that `state` has resumed. Running scripts need not record
 * it: the innermost call of a state that resumed another one is
 * coroutine.resume or coroutine.close, whose first argument is the thread, or a
 * function made by coroutine.wrap, whose first upvalue is the thread.
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

static void name_function(char *name, size_t size, const lua_Debug *ar)
{
    if (strcmp(ar->what, "main") == 0)
        snprintf(name, size, "main chunk");
    else if (ar->name != NULL)
        snprintf(name, size, "%.10s '%.30s'",
                 *ar->namewhat != '\0' ? ar->namewhat : "function", ar->name);
    else
        snprintf(name, size, "function <line %d>", ar->linedefined);
}

/* Returns whether C code called this Lua function, so that the interpreter's
 * loop was entered again. Metamethods and iterators count as such calls. */
static bool is_entered(lua_State *state, int level, const lua_Debug *ar)
{
    lua_Debug caller;

    if (strcmp(ar->namewhat, "metamethod") == 0 ||
        strcmp(ar->namewhat, "for iterator") == 0)
        return true;
    return !lua_getstack(state, level + 1, &caller) ||
           !lua_getinfo(state, "S", &caller) || strcmp(caller.what, "C") == 0;
}

static void name_level(struct inspection *inspection, lua_State *state,
                       int level)
{
    char name[48];
    moat_script_frame frame = {.function = name};
    lua_Debug ar;

    if (!lua_getstack(state, level, &ar) || !lua_getinfo(state, "Sln", &ar) ||
        strcmp(ar.what, "C") == 0)
        return;
    name_function(name, sizeof(name), &ar);
    frame.source = ar.short_src;
    frame.line = ar.currentline;
    frame.flags = is_entered(state, level, &ar) ? MOAT_SCRIPT_ENTERED : 0;
    frame.skipped = inspection->skipped;
    inspection->skipped = 0;
    moat_script_put(inspection->out, &frame);
}

/* Returns the first level that does not exist, by bisection. `there` exists. */
static int end_of(lua_State *state, int there)
{
    int missing = there + 1;
    lua_Debug ar;

    for (; lua_getstack(state, missing, &ar); missing *= 2)
        there = missing;
    while (missing - there > 1) {
        int middle = there + (missing - there) / 2;

        if (lua_getstack(state, middle, &ar))
            there = middle;
        else
            missing = middle;
    }
    return missing;
}

static void walk_thread(struct inspection *inspection, lua_State *state)
{
    int level = 0, end;
    lua_Debug ar;

    for (; level < FIRST_LEVELS && lua_getstack(state, level, &ar); level++)
        name_level(inspection, state, level);
    if (level < FIRST_LEVELS)
        return;
    end = end_of(state, level - 1);
    if (end - level > LAST_LEVELS) {
        inspection->skipped = (size_t)(end - LAST_LEVELS - level);
        level = end - LAST_LEVELS;
    }
    for (; level < end; level++)
        name_level(inspection, state, level);
}

static void walk(const moat_co *co, moat_script_walk *out)
{
    const struct guest *guest = moat_co_user(co);
    struct inspection inspection = {.out = out};
    lua_State *next = guest->interpreter;

    while (next != NULL && inspection.thread_count < THREADS_MAX) {
        inspection.threads[inspection.thread_count++] = next;
        next = resumed_by(&inspection, next);
    }
    for (size_t i = inspection.thread_count; i > 0; i--)
        walk_thread(&inspection, inspection.threads[i - 1]);
}

/* If the loop's symbol is missing, the script's frames appear where the stack
 * enters the interpreter. */
static bool runs(const moat_frame *frame, const char *function)
{
    (void)frame;
    return function != NULL && strcmp(function, "luaV_execute") == 0;
}

const moat_script lua_frames = {
    .struct_size = sizeof(moat_script),
    .language = "lua",
    .walk = walk,
    .runs = runs,
};
