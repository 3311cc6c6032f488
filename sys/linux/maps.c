/*
 * maps.c: the process's mappings, its arguments and its auxiliary vector: files
 * of /proc (proc(5)).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/maps.h"

#include <fcntl.h>
#include <string.h>

#include "sys/file.h"
#include "sys/refusal.h"
#include "sys/seal.h"

/* Reads a hexadecimal number; returns the text after the character that ends
 * it. */
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
static void read_line(const char *line, struct moat_map *out)
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

/* Shows the whole lines of a text; returns how many bytes are left over. */
static size_t show_lines(char *text, size_t bytes,
                         void (*see)(const struct moat_map *, void *),
                         void *arg)
{
    char *line = text, *end;

    while ((end = memchr(line, '\n', bytes - (size_t)(line - text))) != NULL) {
        struct moat_map map;

        *end = '\0';
        read_line(line, &map);
        see(&map, arg);
        line = end + 1;
    }
    return bytes - (size_t)(line - text);
}

static moat_status visit(char *buffer, size_t size,
                         void (*see)(const struct moat_map *, void *),
                         void *arg)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t left = 0;
    ssize_t got;

    if (fd < 0)
        return moat_refuse_errno("opening /proc/self/maps");
    /* A line is shorter than the buffer: its path has PATH_MAX bytes. */
    while ((got = moat_file_read_some(fd, buffer + left, size - left)) > 0) {
        size_t bytes = left + (size_t)got;

        left = show_lines(buffer, bytes, see, arg);
        memmove(buffer, buffer + bytes - left, left);
    }
    moat_file_close(fd);
    return got < 0 ? moat_refuse_errno("reading /proc/self/maps") : MOAT_OK;
}

moat_status moat_maps_visit(char *buffer, size_t size,
                            void (*see)(const struct moat_map *, void *),
                            void *arg)
{
    moat_status status;

    moat_uncancellable_begin();
    status = visit(buffer, size, see, arg);
    moat_uncancellable_end();
    return status;
}

moat_status moat_process_arguments(char *buffer, size_t size, size_t *bytes)
{
    return moat_file_read("/proc/self/cmdline", buffer, size, bytes);
}

moat_status moat_process_vector(char *buffer, size_t size, size_t *bytes)
{
    return moat_file_read("/proc/self/auxv", buffer, size, bytes);
}
