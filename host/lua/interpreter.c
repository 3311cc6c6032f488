/*
 * interpreter.c: Lua 5.4 as the language of a guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "interpreter.h"

#include <alloca.h>

#include <lauxlib.h>

#include "sandbox.h"

#define STACK_SHIFTS 64  /* of 16 bytes */
#define STATE_SHIFTS 256 /* of 16 bytes */

/* Stack slots of the interpreter. */
enum { HANDLER = 1, CHUNK = 2 };

/* Converts an error object to a string as the stand-alone interpreter does. */
static const char *message_text(lua_State *L)
{
    const char *text = lua_tostring(L, 1);

    if (text != NULL)
        return text;
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
        return lua_tostring(L, -1);
    return lua_pushfstring(L, "(error object is a %s value)",
                           luaL_typename(L, 1));
}

static int add_traceback(lua_State *L)
{
    luaL_traceback(L, L, message_text(L), 1);
    return 1;
}

static int open_library(lua_State *L)
{
    sandbox_open(L);
    return 0;
}

static int load_chunk(lua_State *L)
{
    const struct guest *guest = guest_of(L);
    const struct source *source = &guest->source;

    if (luaL_loadbufferx(L, source->text, source->bytes,
                         lua_pushfstring(L, "@%s", guest->file), "t") != LUA_OK)
        return lua_error(L);
    return 1;
}

static int call_chunk(lua_State *L)
{
    lua_call(L, 0, 0);
    return 0;
}

/* Calls the function below the arguments on top of the stack. */
static enum guest_end call(lua_State *L, int arguments, int results,
                           int handler)
{
    struct guest *guest = guest_of(L);
    int status = lua_pcall(L, arguments, results, handler);

    if (status == LUA_OK)
        return GUEST_FINE;
    guest->message = lua_tolstring(L, -1, &guest->message_bytes);
    return status == LUA_ERRMEM ? GUEST_OUT_OF_MEMORY : GUEST_FAILED;
}

/* Returns where in its block the state begins. */
static size_t state_shift(const struct guest *guest)
{
    return (size_t)(guest->random[2] % STATE_SHIFTS) * 16;
}

/* The allocator while the state itself is allocated, which is the first block
 * that Lua takes, or freed. The block has room for each shift, so that a script
 * gets as much memory as any other. */
static void *state_alloc(void *ud, void *pointer, size_t had, size_t bytes)
{
    struct guest *guest = ud;
    char *block;

    if (guest->state_block == NULL && pointer == NULL && bytes != 0) {
        block = moat_heap_alloc(guest->heap, bytes + STATE_SHIFTS * 16);
        guest->state_block = block;
        return block != NULL ? block + state_shift(guest) : NULL;
    }
    if (pointer != NULL &&
        pointer == (char *)guest->state_block + state_shift(guest))
        pointer = guest->state_block;
    return moat_heap_lua(guest->heap, pointer, had, bytes);
}

/* Lua makes the seed of its string hashes from the time and from addresses: of
 * the state and of a local variable. Both are moved, because each script gets
 * the same heap and the same stack. */
__attribute__((noinline)) static lua_State *new_state(struct guest *guest)
{
    size_t bytes = (size_t)(guest->random[2] >> 32) % STACK_SHIFTS * 16 + 1;
    volatile char *shift = alloca(bytes);
    lua_State *L;

    shift[0] = 0; /* it must not be optimised away */
    guest->state_block = NULL;
    L = lua_newstate(state_alloc, guest);
    if (L != NULL)
        lua_setallocf(L, moat_heap_lua, guest->heap);
    return L;
}

static enum guest_end interpreter_open(struct guest *guest)
{
    lua_State *L = new_state(guest);

    if (L == NULL)
        return GUEST_OUT_OF_MEMORY;
    guest->interpreter = L;
    *(struct guest **)lua_getextraspace(L) = guest;
    lua_pushcfunction(L, add_traceback);
    lua_pushcfunction(L, open_library);
    return call(L, 0, 0, HANDLER);
}

/* An error of the compiler has no traceback. */
static enum guest_end interpreter_load(struct guest *guest)
{
    lua_State *L = guest->interpreter;

    lua_pushcfunction(L, load_chunk);
    return call(L, 0, 1, 0);
}

static enum guest_end interpreter_run(struct guest *guest)
{
    lua_State *L = guest->interpreter;

    lua_pushcfunction(L, call_chunk);
    lua_insert(L, CHUNK);
    return call(L, 1, 0, HANDLER);
}

static void interpreter_close(struct guest *guest)
{
    lua_setallocf(guest->interpreter, state_alloc, guest);
    lua_close(guest->interpreter);
    guest->interpreter = NULL;
}

const struct guest_language lua_language = {
    .version = LUA_RELEASE,
    .open_module = modules_open,
    .open = interpreter_open,
    .load = interpreter_load,
    .run = interpreter_run,
    .close = interpreter_close,
    .frames = &lua_frames,
};
