/*
 * lua_handler.c: a handler in Lua. Each request has an interpreter of its own,
 * in the heap that the handler has borrowed, so that nothing of it is left.
 *
 * A script finds its request in the table `request`: method, path, query, body,
 * and field(NAME). It answers by the functions status(NUMBER) and
 * write(TEXT...), or returns a text. sleep(SECONDS) waits. crash() is a native
 * function with a bug.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <moat/sched.h>

#include "lua_handler.h"

static struct exchange *exchange_of(lua_State *lua)
{
    return *(struct exchange **)lua_getextraspace(lua);
}

/* ---- Functions for scripts ----------------------------------------------- */

static int set_status(lua_State *lua)
{
    lua_Integer status = luaL_checkinteger(lua, 1);

    luaL_argcheck(lua, status >= 200 && status <= 599, 1, "no final status");
    exchange_of(lua)->reply.status = (int)status;
    return 0;
}

static int write_texts(lua_State *lua)
{
    for (int i = 1; i <= lua_gettop(lua); i++) {
        size_t length;
        const char *text = luaL_checklstring(lua, i, &length);

        if (!reply_write(&exchange_of(lua)->reply, text, length))
            return luaL_error(lua, "the reply is too long");
    }
    return 0;
}

static int get_field(lua_State *lua)
{
    struct span value =
        request_field(&exchange_of(lua)->request, luaL_checkstring(lua, 1));

    if (value.at == NULL)
        lua_pushnil(lua);
    else
        lua_pushlstring(lua, value.at, value.length);
    return 1;
}

static void sleep_for(void *arg, uint64_t deadline)
{
    const uint64_t *ns = arg;
    uint64_t left = deadline - moat_now();

    (void)moat_sleep(*ns < left ? *ns : left);
}

static int wait_seconds(lua_State *lua)
{
    lua_Number seconds = luaL_checknumber(lua, 1);
    struct errand errand = {sleep_for, NULL};
    uint64_t ns;

    luaL_argcheck(lua, seconds >= 0 && seconds <= 60, 1, "0 to 60 seconds");
    ns = (uint64_t)(seconds * 1e9);
    errand.arg = &ns;
    exchange_send(&errand);
    return 0;
}

static int *volatile table; /* NULL: a bug of the host's */

static int crash(lua_State *lua)
{
    table[lua_gettop(lua)] = 1;
    return 0;
}

/* ---- The interpreter ----------------------------------------------------- */

static void set_span(lua_State *lua, const char *name, struct span span)
{
    lua_pushlstring(lua, span.at != NULL ? span.at : "", span.length);
    lua_setfield(lua, -2, name);
}

static void describe_request(lua_State *lua, const struct request *request)
{
    lua_createtable(lua, 0, 5);
    lua_pushstring(lua, request_method(request));
    lua_setfield(lua, -2, "method");
    set_span(lua, "path", request_path(request));
    set_span(lua, "query", request_query(request));
    set_span(lua, "body", request_body(request));
    lua_pushcfunction(lua, get_field);
    lua_setfield(lua, -2, "field");
    lua_setglobal(lua, "request");
}

/* Functions that read files, load code or lock a stream are left out. */
static void open_libraries(lua_State *lua)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8}};
    static const char *const left_out[] = {"dofile", "loadfile", "load",
                                           "print", "collectgarbage"};

    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        luaL_requiref(lua, libraries[i].name, libraries[i].func, 1);
        lua_pop(lua, 1);
    }
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        lua_pushnil(lua);
        lua_setglobal(lua, left_out[i]);
    }
}

static void open_functions(lua_State *lua)
{
    lua_register(lua, "status", set_status);
    lua_register(lua, "write", write_texts);
    lua_register(lua, "sleep", wait_seconds);
    lua_register(lua, "crash", crash);
}

/* Called by lua_pcall, since every step may fail for want of memory. */
static int run(lua_State *lua)
{
    struct exchange *exchange = exchange_of(lua);
    const struct script *script = exchange->script;
    size_t length;
    const char *text;

    open_libraries(lua);
    open_functions(lua);
    describe_request(lua, &exchange->request);
    lua_pushfstring(lua, "=%s.lua", script->name);
    if (luaL_loadbufferx(lua, script->text, script->length,
                         lua_tostring(lua, -1), "t") != LUA_OK)
        return lua_error(lua);
    lua_call(lua, 0, 1);
    text = lua_tolstring(lua, -1, &length);
    if (text != NULL && !reply_write(&exchange->reply, text, length))
        return luaL_error(lua, "the reply is too long");
    return 0;
}

/* A message that is not text could be any value. */
static void keep_error(struct exchange *exchange, const char *text)
{
    const char *message = text != NULL ? text : "an error without a message";
    size_t length = strnlen(message, sizeof exchange->error - 1);

    memcpy(exchange->error, message, length);
    exchange->error[length] = '\0';
}

void lua_handle(struct exchange *exchange)
{
    lua_State *lua = lua_newstate(moat_heap_lua, exchange->heap);

    if (lua == NULL) {
        keep_error(exchange, "not enough memory");
        return;
    }
    *(struct exchange **)lua_getextraspace(lua) = exchange;
    exchange->lua = lua;
    lua_pushcfunction(lua, run);
    if (lua_pcall(lua, 0, 0, 0) != LUA_OK)
        keep_error(exchange, lua_tostring(lua, -1));
}
