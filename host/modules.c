/*
 * modules.c: C modules by name, Lua modules from the script's own folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "modules.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "files.h"
#include "guest.h"

#define NAME_MAX_BYTES 200u

static bool complain(const struct module *module, const char *why)
{
    fprintf(stderr, "moat: run: --module: %s=%s: %s\n", module->name,
            module->path, why);
    return false;
}

/* Lua's rule: dots of the module's name are underscores in its function's. */
static void entry_name(const char *module, char *buffer, size_t size)
{
    snprintf(buffer, size, "luaopen_%s", module);
    for (char *p = buffer; *p != '\0'; p++)
        if (*p == '.')
            *p = '_';
}

bool modules_open(struct module *module)
{
    char name[NAME_MAX_BYTES + sizeof("luaopen_")];
    void *object;

    if (strlen(module->name) > NAME_MAX_BYTES)
        return complain(module, "the name is too long");
    object = dlopen(module->path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return complain(module, dlerror());
    entry_name(module->name, name, sizeof(name));
    *(void **)&module->open = dlsym(object, name);
    if (module->open == NULL)
        return complain(module, "it has no luaopen function of that name");
    return true;
}

/* A name that can only lead downwards: words of letters, digits, '_' and '-',
 * joined by single dots. */
static bool is_safe_name(const char *name, size_t bytes)
{
    bool word = false;

    if (bytes == 0 || bytes > NAME_MAX_BYTES || strlen(name) != bytes)
        return false;
    for (; *name != '\0'; name++) {
        if (*name == '.') {
            if (!word)
                return false;
            word = false;
        } else {
            if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789_-",
                       *name) == NULL)
                return false;
            word = true;
        }
    }
    return word;
}

/* Pushes the module's function and its path. */
static bool push_c_module(lua_State *L, const char *name)
{
    const struct run_options *options = guest_of(L)->options;

    for (size_t i = 0; i < options->module_count; i++) {
        if (strcmp(options->modules[i].name, name) == 0) {
            lua_pushcfunction(L, options->modules[i].open);
            lua_pushstring(L, options->modules[i].path);
            return true;
        }
    }
    return false;
}

/* Pushes the chunk of NAME.lua beside the script and its path, or raises an
 * error. */
static void push_lua_module(lua_State *L, const char *name)
{
    const char *path = luaL_gsub(L, name, ".", "/");
    const char *text;
    size_t bytes;

    path = lua_pushfstring(L, "%s.lua", path);
    if (!files_push(L, guest_of(L)->folder, path))
        luaL_error(L,
                   "module '%s' not found: no --module of that name and no "
                   "such file beside the script (%s)",
                   name, lua_tostring(L, -1));
    text = lua_tolstring(L, -1, &bytes);
    if (luaL_loadbufferx(L, text, bytes, lua_pushfstring(L, "@%s", path),
                         "t") != LUA_OK)
        luaL_error(L, "error loading module '%s':\n\t%s", name,
                   lua_tostring(L, -1));
    lua_pushstring(L, path);
}

int modules_require(lua_State *L)
{
    size_t bytes;
    const char *name = luaL_checklstring(L, 1, &bytes);

    lua_settop(L, 1);
    if (!is_safe_name(name, bytes))
        return luaL_error(L, "module name '%s' is not allowed", name);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, 2, name) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    if (!push_c_module(L, name))
        push_lua_module(L, name);
    lua_pushvalue(L, 1);
    lua_insert(L, -2);
    lua_call(L, 2, 1); /* the module's function, with its name and path */
    /* A module that returns nothing counts as loaded, unless it entered itself
     * in the table. */
    if (lua_isnil(L, -1) && lua_getfield(L, 2, name) == LUA_TNIL)
        lua_pushboolean(L, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}
