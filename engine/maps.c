/*
 * maps.c: the process's mappings, and other files of /proc (proc(5)).
 *
 * Without the heap and without a FILE.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/core.h"

/* At least a byte, or 0 at the end, or -1. */
static ssize_t read_some(int fd, char *to, size_t size)
{
    ssize_t got;

    do
        got = read(fd, to, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static void close_quietly(int fd)
{
    int error = errno;

    (void)close(fd);
    errno = error;
}

moat_status moat_proc_read(const char *path, char *buffer, size_t size,
                           size_t *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;

    *bytes = 0;
    if (fd < 0)
        return MOAT_E_SYSTEM;
    while (got > 0 && *bytes < size) {
        got = read_some(fd, buffer + *bytes, size - *bytes);
        if (got > 0)
            *bytes += (size_t)got;
    }
    close_quietly(fd);
    return got < 0 ? MOAT_E_SYSTEM : MOAT_OK;
}

/* A hexadecimal number and the character behind it. */
static const char *take_number(const char *text, uintptr_t *out)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit;

    *out = 0;
    while (*text != '\0' && (digit = strchr(digits, *text)) != NULL) {
        *out = *out << 4 | (uintptr_t)(digit - digits);
        text++;
    }
    return *text == '\0' ? text : text + 1;
}

static const char *skip_word(const char *text)
{
    text += strcspn(text, " ");
    return text + strspn(text, " ");
}

/* "start-end rwxp offset device inode   path" */
static void read_line(const char *line, struct core_map *out)
{
    const char *at = take_number(line, &out->start);

    at = take_number(at, &out->end);
    out->readable = at[0] == 'r';
    out->writable = at[0] != '\0' && at[1] == 'w';
    out->executable = out->readable && at[2] == 'x';
    at = skip_word(at);
    out->private = at > line + 1 && at[-2] == 'p';
    at = take_number(at, &out->offset);
    out->path = skip_word(skip_word(at));
}

/* Shows the whole lines of a text; gives what is left over. */
static size_t show_lines(char *text, size_t bytes,
                         void (*see)(const struct core_map *, void *),
                         void *arg)
{
    char *line = text, *end;

    while ((end = memchr(line, '\n', bytes - (size_t)(line - text))) != NULL) {
        struct core_map map;

        *end = '\0';
        read_line(line, &map);
        see(&map, arg);
        line = end + 1;
    }
    return bytes - (size_t)(line - text);
}

moat_status moat_maps_visit(char *buffer, size_t size,
                            void (*see)(const struct core_map *, void *),
                            void *arg)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t left = 0;
    ssize_t got;

    if (fd < 0)
        return MOAT_E_SYSTEM;
    /* A line is shorter than the buffer: its path has PATH_MAX bytes. */
    while ((got = read_some(fd, buffer + left, size - left)) > 0) {
        size_t bytes = left + (size_t)got;

        left = show_lines(buffer, bytes, see, arg);
        memmove(buffer, buffer + bytes - left, left);
    }
    close_quietly(fd);
    return got < 0 ? MOAT_E_SYSTEM : MOAT_OK;
}
