/*
 * guest_lua.c: Lua 5.4 as a guest: make the interpreter, load, run, close.
 *
 * Nothing here or below may take a lock that the host or another guest might
 * want, because a trap abandons it: memory comes from the script's arena,
 * output goes to its capture buffer, and the few calls into the C library that
 * lock are made inside no-trap sections.
 *
 * SPDX-License-Identifier: MIT
 */
#include "guest.h"

#include <lauxlib.h>

#include "sandbox.h"

/* An error object that is not a string becomes one, as the stand-alone
 * interpreter does it. */
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
    const char *text = message_text(L);

    if (guest_of(L)->phase == GUEST_LOADING)
        return lua_pushstring(L, text), 1;
    luaL_traceback(L, L, text, 1);
    return 1;
}

static int run_script(lua_State *L)
{
    struct guest *guest = guest_of(L);

    sandbox_open(L);
    guest->phase = GUEST_LOADING;
    if (luaL_loadbufferx(L, guest->source, guest->source_bytes,
                         guest->chunk_name, "t") != LUA_OK)
        return lua_error(L);
    guest->phase = GUEST_RUNNING;
    lua_call(L, 0, 0);
    return 0;
}

void *guest_main(moat_co *self, void *input)
{
    struct guest *guest = input;
    lua_State *L = lua_newstate(quota_realloc, &guest->quota);

    (void)self;
    if (L == NULL) {
        guest->status = LUA_ERRMEM;
        return NULL;
    }
    guest->state = L;
    *(struct guest **)lua_getextraspace(L) = guest;
    lua_pushcfunction(L, add_traceback);
    lua_pushcfunction(L, run_script);
    guest->status = lua_pcall(L, 0, 0, 1);
    if (guest->status != LUA_OK) {
        guest->message = lua_tolstring(L, -1, &guest->message_bytes);
        return NULL;
    }
    guest->phase = GUEST_CLOSING;
    lua_close(L);
    guest->state = NULL;
    return NULL;
}
