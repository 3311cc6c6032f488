/*
 * lua_host.c: Lua scripts with limits on time and memory, whose crashes are
 * reported with the script's lines.
 *
 * Shows: an interpreter per coroutine in the coroutine's own heap
 * (moat_heap_lua), so that ending the coroutine frees all of it; limits;
 * moat_script, which names the script's functions in backtraces.
 * Run: build/debug/examples/lua_host
 * Prints: what became of each script (expected/lua_host.txt).
 * Try: a script of your own. `moat run` does the same for files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <moat/moat.h>

static const char *const scripts[] = {
    "return 'hello from ' .. _VERSION",
    "local t = {}\n"
    "for i = 1, math.huge do t[i] = ('x'):rep(1000) .. i end",
    "while true do end",
    "local function inner()\n"
    "  poke(1)\n"
    "end\n"
    "local function outer()\n"
    "  inner()\n"
    "  return 1\n"
    "end\n"
    "local result = outer()\n"
    "return result",
    "return 2 + 2",
};

struct guest {
    const char *script;
    lua_State *lua; /* NULL: not yet */
    char result[80];
};

/* ---- On the coroutine ---- */

static int *volatile table; /* NULL: a bug of the host's. */

/* A native function with a bug. */
static int poke(lua_State *lua)
{
    table[luaL_checkinteger(lua, 1)] = 1;
    return 0;
}

static void *run_script(moat_co *self, void *input)
{
    struct guest *guest = input;
    lua_State *lua = lua_newstate(moat_heap_lua, moat_co_heap(self));
    int failed;

    if (lua == NULL)
        return NULL;
    guest->lua = lua;
    luaL_openlibs(lua);
    lua_register(lua, "poke", poke);
    failed =
        luaL_loadbuffer(lua, guest->script, strlen(guest->script), "=script") ||
        lua_pcall(lua, 0, 1, 0);
    (void)snprintf(guest->result, sizeof guest->result, "%s: %s",
                   failed ? "error" : "returned",
                   luaL_tolstring(lua, -1, NULL));
    return guest; /* The state ends with the heap. */
}

/* ---- What moat asks about the script ---- */

/* Whether this function was called by C: the interpreter's loop was entered. */
static bool is_entered(lua_State *lua, int level)
{
    lua_Debug caller;

    return !lua_getstack(lua, level + 1, &caller) ||
           !lua_getinfo(lua, "S", &caller) || strcmp(caller.what, "C") == 0;
}

/* May fault: the interpreter was stopped anywhere. */
static void walk(const moat_co *co, moat_script_walk *out)
{
    const struct guest *guest = moat_co_user(co);
    lua_Debug ar;

    if (guest->lua == NULL)
        return;
    for (int level = 0; lua_getstack(guest->lua, level, &ar); level++) {
        moat_script_frame frame = {0};

        (void)lua_getinfo(guest->lua, "Sln", &ar);
        if (strcmp(ar.what, "C") == 0)
            continue;
        frame.function = ar.name != NULL ? ar.name : ar.what;
        frame.source = ar.short_src;
        frame.line = ar.currentline;
        frame.flags = is_entered(guest->lua, level) ? MOAT_SCRIPT_ENTERED : 0;
        moat_script_put(out, &frame);
    }
}

static bool runs(const moat_frame *frame, const char *function)
{
    (void)frame;
    return function != NULL && strcmp(function, "luaV_execute") == 0;
}

/* ---- The host ---- */

static void report(const moat_co *co)
{
    static moat_described_frame frames[64];
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    size_t count = 0;

    if (moat_co_trap_info(co, &trap) != MOAT_OK)
        return;
    printf("trapped: %s\n", moat_trap_kind_str(trap.kind));
    (void)moat_co_describe(co, frames, 64, &count);
    for (size_t i = 0; i < count; i++)
        if (frames[i].frame.flags & MOAT_FRAME_SCRIPT)
            printf("    %s:%d in %s\n", frames[i].source, frames[i].line,
                   frames[i].function);
}

static int run(const char *script)
{
    static const moat_script lua = {sizeof lua, "lua", walk, runs};
    struct guest guest = {.script = script};
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_status status;
    moat_co *co;

    limits.resume_cpu_ns = 200000000; /* 200 ms */
    limits.memory_bytes = (size_t)4 << 20;
    options.limits = &limits;
    options.script = &lua;
    options.user = &guest;
    status = moat_co_create(&co, run_script, &options);
    if (status == MOAT_OK)
        status = moat_co_resume(co, &guest, &event);
    if (status != MOAT_OK) {
        fprintf(stderr, "lua_host: %s\n", moat_error_str(status));
        return 1;
    }
    if (event.kind == MOAT_EVENT_TRAP)
        report(co);
    else
        printf("%s\n", guest.result);
    moat_co_destroy(co);
    return 0;
}

int main(void)
{
    int failed = 0;

    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        failed |= run(scripts[i]);
    return failed;
}
