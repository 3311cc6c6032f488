/*
 * main.c: hosts LuaJIT scripts and registers the traces that LuaJIT compiles,
 * so that the report of a fault in a trace names it.
 *
 * Shows: registering code of a JIT compiler that is an independent library.
 * LuaJIT calls us at each new trace (jit.attach) and provides the trace's
 * address, size and first line (jit.util), but no later lines.
 * Run: build/debug/examples/luajit_host examples/luajit/null.lua
 * Usage: luajit_host [--wall MS] FILE
 * Prints: the script's output, the report of its fault, then a line from the
 * host (expected/luajit_null.txt).
 * Try: jit.off() at the top of the script.
 *
 * A trace runs in a frame that LuaJIT's interpreter made. `describe` knows the
 * layout of that frame for x86-64 with GC64 only, which ffi.abi reports. The
 * frame of a side trace depends on its parent traces, so side traces are
 * registered without unwind information, and a backtrace guesses there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <moat/moat.h>

#define MAX_TRACES 100

static moat_code_id traces[MAX_TRACES];
static size_t trace_count;

/* --- traces -------------------------------------------------------------- */

/* A new trace, passed from the guest's stack to the host's. */
struct trace {
    moat_code code;
    moat_code_line line;
    unsigned char eh_frame[80];
    bool framed; /* a root trace, whose frame layout is known */
};

/* The Lua side, which LuaJIT calls at the start and end of each trace. */
static const char watch[] =
    "local add, forget = ...\n"
    "local util = require 'jit.util'\n"
    "local known = jit.arch == 'x64' and require('ffi').abi 'gc64'\n"
    "local file, line, name, root\n"
    "jit.attach(function(what, number, func, pc, parent)\n"
    "  if what == 'start' then\n"
    "    local info = util.funcinfo(func, pc)\n"
    "    file, line = info.source:match '^@(.*)' or '?', info.currentline\n"
    "    name = debug.getinfo(2, 'n').name or 'main chunk'\n"
    "    root = known and not parent\n"
    "  elseif what == 'stop' then\n"
    "    local code, address = util.tracemc(number)\n"
    "    name = ('%s, trace %d'):format(name, number)\n"
    "    add(address, code, file, line, name, root)\n"
    "  elseif what == 'flush' then\n"
    "    forget()\n"
    "  end\n"
    "end, 'trace')\n";

/*
 * Writes the .eh_frame of a root trace. The interpreter's frame has 80 bytes
 * including the return address, with rbp, rbx, r15 and r14 at its top. It grows
 * by 16 before a trace. If the trace needs more, its first instruction is
 * "add rsp, -n".
 */
static void describe(struct trace *trace)
{
    static const unsigned char rows[] = {
        /* clang-format off */
        20, 0, 0, 0, 0, 0, 0, 0,    /* CIE: bytes, number                    */
        1, 0, 1, 0x78, 16,          /* version, "", units 1 and -8, column   */
        0x0c, 7, 96, 0x90, 1,       /* CFA: rsp + 96; return address         */
        0x86, 2, 0x83, 3, 0, 0,     /* rbp, rbx                              */
        44, 0, 0, 0, 28, 0, 0, 0,   /* FDE: bytes, distance to the CIE       */
        0, 0, 0, 0, 0, 0, 0, 0,     /* the code's address                    */
        0, 0, 0, 0, 0, 0, 0, 0,     /* the code's size                       */
        0x8f, 4, 0x8e, 5,           /* r15, r14                              */
        0x07, 12, 0x07, 13,         /* r12 and r13 are unknown               */
        0x40, 0x0e, 0xe0, 0x80, 0x80, 0x00, /* advance; CFA: rsp + ...       */
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0        /* padding                       */
        /* clang-format on */
    };
    const unsigned char *code = trace->code.start;
    uint64_t place[2] = {(uintptr_t)code, trace->code.size};
    unsigned bytes = 96, head = 0;

    if (memcmp(code, "\x48\x83\xc4", 3) == 0) { /* add rsp, 8 bits */
        bytes -= (unsigned)(signed char)code[3];
        head = 4;
    } else if (memcmp(code, "\x48\x81\xc4", 3) == 0) { /* add rsp, 32 bits */
        int32_t by;

        memcpy(&by, code + 3, sizeof by);
        bytes -= (unsigned)by;
        head = 7;
    }
    memcpy(trace->eh_frame, rows, sizeof rows);
    memcpy(trace->eh_frame + 32, place, sizeof place);
    trace->eh_frame[56] |= (unsigned char)head;
    trace->eh_frame[58] = (unsigned char)(bytes | 0x80);
    trace->eh_frame[59] = (unsigned char)(bytes >> 7 | 0x80);
    trace->eh_frame[60] = (unsigned char)(bytes >> 14 | 0x80);
    trace->eh_frame[61] = (unsigned char)(bytes >> 21 & 0x7f);
    trace->code.unwind = MOAT_CODE_UNWIND_CFI;
    trace->code.eh_frame = trace->eh_frame;
    trace->code.eh_frame_bytes = sizeof rows;
}

static void *add(void *argument)
{
    struct trace *trace = argument;

    if (trace->framed && trace->code.size > 7)
        describe(trace);
    if (trace_count < MAX_TRACES &&
        moat_code_register(&trace->code, &traces[trace_count]) == MOAT_OK)
        trace_count++;
    return NULL;
}

/* Called after LuaJIT has discarded all its code. */
static void *forget(void *unused)
{
    (void)unused;
    while (trace_count > 0)
        (void)moat_code_unregister(traces[--trace_count]);
    return NULL;
}

static int lua_add(lua_State *L)
{
    struct trace trace = {MOAT_CODE_INIT, {0, 0}, {0}, false};

    trace.code.start = (const void *)(uintptr_t)luaL_checknumber(L, 1);
    (void)luaL_checklstring(L, 2, &trace.code.size);
    trace.code.file = luaL_checkstring(L, 3);
    trace.line.line = (uint32_t)luaL_checkinteger(L, 4);
    trace.code.name = luaL_checkstring(L, 5);
    trace.framed = lua_toboolean(L, 6);
    trace.code.lines = &trace.line;
    trace.code.line_count = 1;
    (void)moat_call_on_parent(moat_co_current(), add, &trace);
    return 0;
}

static int lua_forget(lua_State *L)
{
    (void)L;
    (void)moat_call_on_parent(moat_co_current(), forget, NULL);
    return 0;
}

/* --- the script ---------------------------------------------------------- */

struct job {
    const char *file;
    char error[256];
};

/* All memory of the guest, to be freed however the guest ends. LuaJIT maps the
 * memory for machine code by itself. */
struct block {
    struct block *next;
    struct block **link; /* the pointer to this block */
};

static struct block *blocks;

static void put_in(struct block *block)
{
    block->next = blocks;
    block->link = &blocks;
    if (blocks != NULL)
        blocks->link = &block->next;
    blocks = block;
}

static void take_out(struct block *block)
{
    *block->link = block->next;
    if (block->next != NULL)
        block->next->link = block->link;
}

static void *resize(struct block *block, size_t bytes)
{
    struct block *resized;

    if (block != NULL)
        take_out(block);
    if (bytes == 0) {
        free(block);
        return NULL;
    }
    resized = realloc(block, sizeof *block + bytes);
    if (resized != NULL)
        put_in(resized);
    else if (block != NULL)
        put_in(block);
    return resized != NULL ? resized + 1 : NULL;
}

/* A guest stopped inside malloc would leave its lock held. */
static void *allocate(void *unused, void *memory, size_t before, size_t bytes)
{
    (void)unused;
    (void)before;
    moat_notrap_enter();
    memory = resize(memory != NULL ? (struct block *)memory - 1 : NULL, bytes);
    moat_notrap_leave();
    return memory;
}

static void free_blocks(void)
{
    while (blocks != NULL)
        (void)resize(blocks, 0);
}

static void *print(void *text)
{
    (void)puts(text);
    return NULL;
}

static int lua_print(lua_State *L)
{
    char text[256];

    (void)snprintf(text, sizeof text, "%s", luaL_checkstring(L, 1));
    (void)moat_call_on_parent(moat_co_current(), print, text);
    return 0;
}

/* On failure the message is on top of L's stack. noinline gives it its own
 * frame in the report. */
__attribute__((noinline)) static bool run_script(lua_State *L, const char *file)
{
    luaL_openlibs(L);
    lua_pushcfunction(L, lua_print);
    lua_setglobal(L, "print");
    if (luaL_loadstring(L, watch) != 0)
        return false;
    lua_pushcfunction(L, lua_add);
    lua_pushcfunction(L, lua_forget);
    return lua_pcall(L, 2, 0, 0) == 0 && luaL_loadfile(L, file) == 0 &&
           lua_pcall(L, 0, 0, 0) == 0;
}

static void *guest(moat_co *self, void *input)
{
    struct job *job = input;
    lua_State *L = lua_newstate(allocate, NULL);

    (void)self;
    if (L == NULL) {
        (void)snprintf(job->error, sizeof job->error, "no memory");
        return NULL;
    }
    if (!run_script(L, job->file))
        (void)snprintf(job->error, sizeof job->error, "%s",
                       lua_tostring(L, -1));
    lua_close(L);
    return NULL;
}

/* --- the host ------------------------------------------------------------ */

__attribute__((noinline)) static int run(moat_co *co, struct job *job)
{
    moat_event event;

    if (moat_co_resume(co, job, &event) != MOAT_OK)
        return 1;
    (void)fflush(stdout);
    if (event.kind == MOAT_EVENT_TRAP)
        return moat_co_print_report(co, STDOUT_FILENO) != MOAT_OK;
    if (job->error[0] != '\0')
        printf("%s\n", job->error);
    return 0;
}

int main(int argc, char **argv)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    struct job job = {argv[argc - 1], ""};
    const char *slash = strrchr(job.file, '/');
    moat_co *co;
    int failed;

    if (argc == 4 && strcmp(argv[1], "--wall") == 0)
        limits.wall_ns = strtoull(argv[2], NULL, 10) * 1000000;
    if (argc != 2 && limits.wall_ns == 0) {
        fprintf(stderr, "usage: luajit_host [--wall MS] FILE\n");
        return 2;
    }
    options.limits = &limits;
    options.stack_bytes = (size_t)1 << 20;
    options.name = slash != NULL ? slash + 1 : job.file;
    if (moat_co_create(&co, guest, &options) != MOAT_OK)
        return 1;
    failed = run(co, &job);
    moat_co_destroy(co);
    (void)forget(NULL);
    free_blocks();
    printf("the host goes on\n");
    return failed;
}
