/*
 * text.c: text that is composed in memory of the caller's and written at once.
 *
 * No FILE and no heap: reports are written when a dead guest may hold stdio's
 * locks or malloc's. Of stdio only vsnprintf is used, which needs neither for
 * the conversions used here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/internal.h"

void moat_text_begin(struct moat_text *text, int fd, char *buffer, size_t size)
{
    text->fd = fd;
    text->buffer = buffer;
    text->size = size;
    text->used = 0;
    text->status = MOAT_OK;
}

moat_status moat_write_all(int fd, const void *from, size_t count)
{
    const char *bytes = from;

    while (count > 0) {
        ssize_t written = write(fd, bytes, count);

        if (written < 0 && errno != EINTR)
            return MOAT_E_SYSTEM;
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        }
    }
    return MOAT_OK;
}

static void flush(struct moat_text *text)
{
    if (text->status == MOAT_OK)
        text->status = moat_write_all(text->fd, text->buffer, text->used);
    text->used = 0;
}

/* False: it does not fit behind what is there. What does not fit into the whole
 * buffer is cut. */
static bool put(struct moat_text *text, const char *format, va_list arguments)
{
    size_t room = text->size - text->used;
    int length = vsnprintf(text->buffer + text->used, room, format, arguments);

    if (length >= 0 && (size_t)length >= room && text->used > 0)
        return false;
    if (length > 0)
        text->used += (size_t)length < room ? (size_t)length : room - 1;
    return true;
}

void moat_text_put(struct moat_text *text, const char *format, ...)
{
    va_list arguments;
    bool done;

    va_start(arguments, format);
    done = put(text, format, arguments);
    va_end(arguments);
    if (done)
        return;
    flush(text);
    va_start(arguments, format);
    (void)put(text, format, arguments);
    va_end(arguments);
}

moat_status moat_text_end(struct moat_text *text)
{
    flush(text);
    return text->status;
}
