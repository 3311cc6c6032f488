/*
 * modules.c: C modules by name, Lua modules from the script's own folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "interpreter.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <lauxlib.h>
#include <moat/guest.h>

#include "io.h"
#include "usage.h"

#define NAME_MAX_BYTES 200u
#define STACK_NEEDED   ((size_t)4 * 1024)

static bool refuse(const struct module *module, const char *why)
{
    return complain("run", "--module: %s=%s: %s", module->name, module->path,
                    why);
}

/* By Lua's rule, dots in a module's name become underscores. */
static void entry_name(const char *module, char *buffer, size_t size)
{
    snprintf(buffer, size, "luaopen_%s", module);
    for (char *p = buffer; *p != '\0'; p++)
        if (*p == '.')
            *p = '_';
}

/* The loader would wait for ever for a FIFO. A name without a slash is looked
 * up in its folders. */
static bool is_odd_file(const char *path)
{
    struct stat status;

    return strchr(path, '/') != NULL && stat(path, &status) == 0 &&
           !S_ISREG(status.st_mode);
}

bool modules_open(struct module *module)
{
    char name[NAME_MAX_BYTES + sizeof("luaopen_")];
    void *object;

    if (strlen(module->name) > NAME_MAX_BYTES)
        return refuse(module, "the name is too long");
    if (is_odd_file(module->path))
        return refuse(module, "is not a regular file");
    object = dlopen(module->path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return refuse(module, dlerror());
    entry_name(module->name, name, sizeof(name));
    *(void **)&module->entry = dlsym(object, name);
    if (module->entry == NULL)
        return refuse(module, "it has no luaopen function of that name");
    return true;
}

/* Accepts words of letters, digits, '_' and '-' joined by single dots. Such a
 * name cannot leave the script's folder. */
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

/* Pushes the module's function and its path, if --module names it. */
static bool push_c_module(lua_State *L, const char *name)
{
    const struct run_options *options = guest_of(L)->options;

    for (size_t i = 0; i < options->module_count; i++) {
        if (strcmp(options->modules[i].name, name) == 0) {
            lua_pushcfunction(L, (lua_CFunction)options->modules[i].entry);
            lua_pushstring(L, options->modules[i].path);
            return true;
        }
    }
    return false;
}

/* Descriptors belong to the host, which closes this one with the script. */
static int script_folder(lua_State *L)
{
    int folder;

    if (moat_stack_reserve(STACK_NEEDED) != MOAT_OK)
        luaL_error(L, "stack overflow (too little is left to open a folder)");
    guest_host_enter(guest_of(L));
    folder = source_folder(&guest_of(L)->source);
    guest_host_leave(guest_of(L));
    return folder;
}

/* Pushes the chunk of NAME.lua in the script's folder and its path, or raises
 * an error. */
static void push_lua_module(lua_State *L, const char *name)
{
    const char *path = luaL_gsub(L, name, ".", "/");
    const char *text;
    size_t bytes;

    path = lua_pushfstring(L, "%s.lua", path);
    if (!files_push(L, script_folder(L), path))
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
    /* A module that returns nothing is stored as `true`, unless it has stored a
     * value itself. */
    if (lua_isnil(L, -1) && lua_getfield(L, 2, name) == LUA_TNIL)
        lua_pushboolean(L, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}
