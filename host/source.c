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
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_MAX ((size_t)256 << 20)
#define READ       ((size_t)64 * 1024) /* at once, of a file without a size */
#define KEEP       ((size_t)64 * 1024) /* bytes of the buffer, for the next */

const char *source_refusal(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "is a folder, not a script";
    case S_IFIFO:
        return "is a pipe, not a script: scripts are files";
    case S_IFSOCK:
        return "is a socket, not a script";
    default:
        return "is a device, not a script";
    }
}

void source_init(struct source *source)
{
    *source = (struct source){.folder = -1};
}

/* Makes room for `bytes` more bytes. */
static bool reserve(struct source *source, size_t bytes)
{
    size_t capacity = source->buffered + bytes;
    char *larger;

    if (capacity <= source->capacity)
        return true;
    errno = EFBIG;
    larger = capacity > SOURCE_MAX ? NULL : realloc(source->buffer, capacity);
    if (larger == NULL)
        return false;
    source->buffer = larger;
    source->capacity = capacity;
    return true;
}

/* Reads to the end. A file of a known size has ended where fewer bytes come
 * than were asked for; those of /proc have none. */
static bool read_all(struct source *source, int fd, off_t size)
{
    size_t room = size > 0 ? (size_t)size + 1 : READ;
    ssize_t n;

    do {
        if (!reserve(source, room))
            return false;
        n = read(fd, source->buffer + source->buffered, room);
        if (n > 0)
            source->buffered += (size_t)n;
        else if (n < 0)
            return false;
    } while (n > 0 && (size <= 0 || (size_t)n == room));
    return true;
}

/* Skips a byte-order mark and a first line that starts with '#'. Its newline
 * stays, so that line numbers are right. */
static void skip_head(struct source *source)
{
    source->text = source->buffer;
    source->bytes = source->buffered;
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

/* Neighbours in the list of files often lie in the same directory. */
static bool set_folder(struct source *source, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *start = slash != NULL ? path : "./";
    size_t bytes = slash != NULL ? (size_t)(slash - path) + 1 : 2;
    char *old = source->folder_path;

    if (old != NULL && strncmp(old, start, bytes) == 0 && old[bytes] == '\0')
        return true;
    source->folder_path = strndup(start, bytes);
    free(old);
    return source->folder_path != NULL;
}

/* The file may have been replaced since the options were checked, so neither
 * call may block. */
static const char *read_file(struct source *source, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *why = NULL;
    struct stat status;

    if (fd < 0)
        return strerrordesc_np(errno);
    if (fstat(fd, &status) != 0)
        why = strerrordesc_np(errno);
    else if (!S_ISREG(status.st_mode))
        why = source_refusal(status.st_mode);
    else if (!read_all(source, fd, status.st_size))
        why = strerrordesc_np(errno);
    close(fd);
    return why;
}

const char *source_read(struct source *source, const char *path)
{
    const char *why = read_file(source, path);

    if (why != NULL)
        return why;
    if (!set_folder(source, path))
        return strerrordesc_np(ENOMEM);
    skip_head(source);
    return NULL;
}

int source_folder(struct source *source)
{
    if (source->folder < 0)
        source->folder =
            open(source->folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return source->folder;
}

/* A large buffer is not kept. */
void source_forget(struct source *source)
{
    if (source->buffer != NULL)
        memset(source->buffer, 0, source->buffered);
    if (source->capacity > KEEP) {
        free(source->buffer);
        source->buffer = NULL;
        source->capacity = 0;
    }
    source->buffered = 0;
    source->text = NULL;
    source->bytes = 0;
    if (source->folder >= 0)
        close(source->folder);
    source->folder = -1;
}

void source_close(struct source *source)
{
    source_forget(source);
    free(source->buffer);
    free(source->folder_path);
    source_init(source);
}
