/*
 * source.c: reads script files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCE_MAX ((size_t)256 << 20)

/* Reads to the end, also from pipes, whose size nobody knows. */
static bool read_all(struct source *source, int fd)
{
    size_t capacity = 0;
    ssize_t n = 1;

    while (n > 0) {
        if (source->bytes == capacity) {
            char *larger;

            capacity = capacity == 0 ? (size_t)64 * 1024 : capacity * 2;
            larger = capacity > SOURCE_MAX ? NULL
                                           : realloc(source->buffer, capacity);
            if (larger == NULL) {
                errno = capacity > SOURCE_MAX ? EFBIG : ENOMEM;
                return false;
            }
            source->buffer = larger;
        }
        n = read(fd, source->buffer + source->bytes, capacity - source->bytes);
        if (n > 0)
            source->bytes += (size_t)n;
    }
    return n == 0;
}

/* A byte-order mark and a first line that begins with '#' are not Lua; the
 * newline stays, so that line numbers do. */
static void skip_head(struct source *source)
{
    source->text = source->buffer;
    if (source->bytes >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0) {
        source->text += 3;
        source->bytes -= 3;
    }
    if (source->bytes == 0 || *source->text != '#')
        return;
    while (source->bytes > 0 && *source->text != '\n') {
        source->text++;
        source->bytes--;
    }
}

static int open_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    int fd;

    if (slash == NULL)
        return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    folder = strndup(path, (size_t)(slash - path) + 1);
    if (folder == NULL)
        return -1;
    fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    return fd;
}

bool source_open(struct source *source, const char *path, const char **why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *source = (struct source){.folder = -1};
    if (fd < 0 || !read_all(source, fd)) {
        *why = strerrordesc_np(errno);
        if (fd >= 0)
            close(fd);
        source_close(source);
        return false;
    }
    close(fd);
    skip_head(source);
    source->folder = open_folder(path);
    return true;
}

void source_close(struct source *source)
{
    free(source->buffer);
    if (source->folder >= 0)
        close(source->folder);
    *source = (struct source){.folder = -1};
}
