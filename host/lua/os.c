/*
 * os.c: os.clock, os.date, os.difftime and os.time for scripts.
 *
 * The C library's time functions take a lock on the time zone. They are called
 * with enough stack and in a no-trap section, so a script is never stopped
 * while it holds that lock. Nothing in such a section calls Lua.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <moat/guest.h>

#include "interpreter.h"
#include "sandbox.h"

#define STACK_NEEDED (24u * 1024)
#define PIECE_BYTES  256

static const struct field {
    const char *name;
    size_t offset;
    int bias;
    int fallback; /* INT_MIN: os.time needs it */
} fields[] = {{"year", offsetof(struct tm, tm_year), 1900, INT_MIN},
              {"month", offsetof(struct tm, tm_mon), 1, INT_MIN},
              {"day", offsetof(struct tm, tm_mday), 0, INT_MIN},
              {"hour", offsetof(struct tm, tm_hour), 0, 12},
              {"min", offsetof(struct tm, tm_min), 0, 0},
              {"sec", offsetof(struct tm, tm_sec), 0, 0},
              {"yday", offsetof(struct tm, tm_yday), 1, 1},
              {"wday", offsetof(struct tm, tm_wday), 1, 1}};

static int *slot(struct tm *tm, const struct field *field)
{
    return (int *)(void *)((char *)tm + field->offset);
}

static void reserve(lua_State *L)
{
    if (moat_stack_reserve(STACK_NEEDED) != MOAT_OK)
        luaL_error(L, "stack overflow (too little is left for a date)");
}

static int os_clock(lua_State *L)
{
    struct guest *guest = guest_of(L);
    double seconds;

    guest_host_enter(guest);
    seconds = guest_cpu_seconds(guest);
    guest_host_leave(guest);
    lua_pushnumber(L, seconds);
    return 1;
}

static int os_difftime(lua_State *L)
{
    lua_pushnumber(L, difftime((time_t)luaL_checkinteger(L, 1),
                               (time_t)luaL_checkinteger(L, 2)));
    return 1;
}

static int int_field(lua_State *L, const struct field *field)
{
    lua_Integer value = field->fallback;
    int is_integer = 1;

    if (lua_getfield(L, 1, field->name) != LUA_TNIL)
        value = lua_tointegerx(L, -1, &is_integer);
    else if (field->fallback == INT_MIN)
        luaL_error(L, "field '%s' missing in date table", field->name);
    lua_pop(L, 1);
    if (!is_integer)
        luaL_error(L, "field '%s' is not an integer", field->name);
    if (value < INT_MIN / 2 || value > INT_MAX / 2)
        luaL_error(L, "field '%s' is out of range", field->name);
    return (int)value - field->bias;
}

static void set_fields(lua_State *L, struct tm *tm)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        lua_pushinteger(L, (lua_Integer)*slot(tm, &fields[i]) + fields[i].bias);
        lua_setfield(L, -2, fields[i].name);
    }
    if (tm->tm_isdst < 0)
        return;
    lua_pushboolean(L, tm->tm_isdst);
    lua_setfield(L, -2, "isdst");
}

/* Some clocks are read by a system call. */
static lua_Integer now(lua_State *L)
{
    time_t at;

    guest_host_enter(guest_of(L));
    at = time(NULL);
    guest_host_leave(guest_of(L));
    return (lua_Integer)at;
}

static int os_time(lua_State *L)
{
    struct tm tm = {0};
    time_t at;

    if (lua_isnoneornil(L, 1))
        return lua_pushinteger(L, now(L)), 1;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        *slot(&tm, &fields[i]) = int_field(L, &fields[i]);
    tm.tm_isdst =
        lua_getfield(L, 1, "isdst") == LUA_TNIL ? -1 : lua_toboolean(L, -1);
    lua_pop(L, 1);
    reserve(L);
    guest_host_enter(guest_of(L));
    at = mktime(&tm);
    guest_host_leave(guest_of(L));
    if (at == (time_t)-1)
        return luaL_error(L, "the date cannot be represented");
    set_fields(L, &tm);
    lua_pushinteger(L, (lua_Integer)at);
    return 1;
}

static void broken_down(lua_State *L, lua_Integer at, bool utc, struct tm *tm)
{
    time_t when = (time_t)at;
    struct tm *made;

    reserve(L);
    guest_host_enter(guest_of(L));
    made = utc ? gmtime_r(&when, tm) : localtime_r(&when, tm);
    guest_host_leave(guest_of(L));
    if (made == NULL)
        luaL_error(L, "the date cannot be represented");
}

static size_t piece(lua_State *L, char conversion, const struct tm *tm,
                    char *buffer)
{
    const char format[] = {'%', conversion, '\0'};
    size_t bytes;

    if (conversion == '\0' ||
        strchr("aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%", conversion) == NULL)
        luaL_error(L, "invalid conversion specifier '%%%c'", conversion);
    reserve(L);
    guest_host_enter(guest_of(L));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    bytes = strftime(buffer, PIECE_BYTES, format, tm);
#pragma GCC diagnostic pop
    guest_host_leave(guest_of(L));
    return bytes;
}

static int formatted(lua_State *L, const char *format, const struct tm *tm)
{
    char buffer[PIECE_BYTES];
    luaL_Buffer text;

    luaL_buffinit(L, &text);
    for (; *format != '\0'; format++) {
        if (*format != '%')
            luaL_addchar(&text, *format);
        else
            luaL_addlstring(&text, buffer, piece(L, *++format, tm, buffer));
    }
    luaL_pushresult(&text);
    return 1;
}

static int os_date(lua_State *L)
{
    const char *format = luaL_optstring(L, 1, "%c");
    lua_Integer at = luaL_opt(L, luaL_checkinteger, 2, now(L));
    struct tm tm = {0};
    bool utc = *format == '!';

    if (utc)
        format++;
    broken_down(L, at, utc, &tm);
    if (strncmp(format, "*t", 2) != 0)
        return formatted(L, format, &tm);
    lua_createtable(L, 0, 9);
    set_fields(L, &tm);
    return 1;
}

void sandbox_os(lua_State *L)
{
    static const luaL_Reg functions[] = {{"clock", os_clock},
                                         {"date", os_date},
                                         {"difftime", os_difftime},
                                         {"time", os_time},
                                         {NULL, NULL}};

    luaL_newlib(L, functions);
}
