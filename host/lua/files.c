/*
 * files.c: files that scripts may read.
 *
 * A script may be stopped at any instruction, but descriptors belong to the
 * host. So a file is opened, read and closed in one no-trap section, and the
 * file object of a script has only its text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lauxlib.h>
#include <moat/guest.h>

#include "interpreter.h"

#define STACK_NEEDED   (4u * 1024)
#define FILE_BYTES_MAX ((off_t)1 << 30)

static int open_beneath(int folder, const char *path, off_t *size)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH};
    struct stat status;
    int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));

    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        *size = status.st_size;
        return fd;
    }
    close(fd);
    errno = EINVAL;
    return -1;
}

static off_t measure(struct guest *guest, int folder, const char *path)
{
    off_t size = -1;
    int fd;

    guest_host_enter(guest);
    fd = open_beneath(folder, path, &size);
    if (fd >= 0)
        close(fd);
    guest_host_leave(guest);
    return size;
}

static ssize_t read_into(struct guest *guest, int folder, const char *path,
                         char *buffer, size_t bytes)
{
    size_t got = 0;
    ssize_t n = -1;
    off_t size;
    int fd;

    guest_host_enter(guest);
    fd = open_beneath(folder, path, &size);
    if (fd >= 0) {
        while (got < bytes && (n = read(fd, buffer + got, bytes - got)) > 0)
            got += (size_t)n;
        close(fd);
    }
    guest_host_leave(guest);
    return fd < 0 || n < 0 ? -1 : (ssize_t)got;
}

static bool refuse(lua_State *L, const char *path, int error)
{
    /* strerror would take the locale's lock. */
    lua_pushfstring(L, "%s: %s", path, strerrordesc_np(error));
    return false;
}

bool files_push(lua_State *L, int folder, const char *path)
{
    luaL_Buffer buffer;
    char *text;
    off_t size;
    ssize_t got;
    int error;

    if (moat_stack_reserve(STACK_NEEDED) != MOAT_OK)
        luaL_error(L, "stack overflow (too little is left to read a file)");
    size = measure(guest_of(L), folder, path);
    if (size < 0)
        return refuse(L, path, errno);
    if (size > FILE_BYTES_MAX)
        return refuse(L, path, EFBIG);
    if (size == 0)
        return lua_pushliteral(L, ""), true;
    text = luaL_buffinitsize(L, &buffer, (size_t)size);
    got = read_into(guest_of(L), folder, path, text, (size_t)size);
    error = errno;
    luaL_pushresultsize(&buffer, got < 0 ? 0 : (size_t)got);
    if (got >= 0)
        return true;
    lua_pop(L, 1);
    return refuse(L, path, error);
}

/* text_of(path): returns the text, or nil and the reason. */
static int file_text(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);

    if (files_push(L, guest_of(L)->options->read_fd, path))
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* The file objects of io.open, in Lua, over the file's text. */
static const char file_class[] =
    "local io, text_of = ...\n"
    "local File = {}\n"
    "File.__index, File.__name = File, 'FILE*'\n"
    "local function line(self, keep)\n"
    "    if self.at > #self.text then return nil end\n"
    "    local stop = self.text:find('\\n', self.at, true)\n"
    "    local from = self.at\n"
    "    self.at = (stop or #self.text) + 1\n"
    "    return self.text:sub(from, (stop and not keep) and stop - 1 or stop)\n"
    "end\n"
    "local function item(self, format)\n"
    "    if math.type(format) == 'integer' then\n"
    "        if self.at > #self.text then return nil end\n"
    "        local from = self.at\n"
    "        self.at = math.min(from + format, #self.text + 1)\n"
    "        return self.text:sub(from, self.at - 1)\n"
    "    end\n"
    "    local kind = tostring(format):gsub('^%*', ''):sub(1, 1)\n"
    "    if kind == 'l' or kind == 'L' then return line(self, kind == 'L') "
    "end\n"
    "    if kind == 'a' then\n"
    "        local from = self.at\n"
    "        self.at = #self.text + 1\n"
    "        return self.text:sub(from)\n"
    "    end\n"
    "    error('format ' .. tostring(format) .. ' is not available', 3)\n"
    "end\n"
    "function File:read(...)\n"
    "    if self.text == nil then error('the file is closed', 2) end\n"
    "    if select('#', ...) == 0 then return line(self) end\n"
    "    local items, n = {}, select('#', ...)\n"
    "    for i = 1, n do items[i] = item(self, (select(i, ...))) end\n"
    "    return table.unpack(items, 1, n)\n"
    "end\n"
    "function File:lines(...)\n"
    "    local formats = table.pack(...)\n"
    "    return function()\n"
    "        return self:read(table.unpack(formats, 1, formats.n))\n"
    "    end\n"
    "end\n"
    "function File:close() self.text = nil return true end\n"
    "function io.open(path, mode)\n"
    "    if mode ~= nil and mode ~= 'r' and mode ~= 'rb' then\n"
    "        return nil, path .. ': scripts can only read'\n"
    "    end\n"
    "    local text, why = text_of(path)\n"
    "    if text == nil then return nil, why end\n"
    "    return setmetatable({text = text, at = 1}, File)\n"
    "end\n"
    "function io.lines(path, ...)\n"
    "    local file, why = io.open(path)\n"
    "    if file == nil then error(why, 2) end\n"
    "    return file:lines(...)\n"
    "end\n";

void files_add_to_io(lua_State *L)
{
    if (luaL_loadbufferx(L, file_class, sizeof(file_class) - 1, "=[io]", "t") !=
        LUA_OK)
        lua_error(L);
    lua_pushvalue(L, -2);
    lua_pushcfunction(L, file_text);
    lua_call(L, 2, 0);
}
