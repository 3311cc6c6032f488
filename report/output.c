/*
 * output.c: text composed in the caller's memory and written at once.
 *
 * Without FILE and heap: a report is written while a trapped guest may hold
 * stdio's or malloc's locks. vsnprintf needs neither for the conversions used
 * here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/output.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "sys/file.h"

void moat_text_begin(struct moat_text *text, const struct moat_outlet *outlet,
                     char *buffer, size_t size)
{
    text->outlet = *outlet;
    text->buffer = buffer;
    text->size = size;
    text->used = 0;
    text->status = MOAT_OK;
}

static void flush(struct moat_text *text)
{
    const struct moat_outlet *outlet = &text->outlet;

    if (outlet->put != NULL)
        outlet->put(text->buffer, text->used, outlet->arg);
    else if (text->status == MOAT_OK)
        text->status = moat_write_all(outlet->fd, text->buffer, text->used);
    text->used = 0;
}

/* Returns false if the text does not fit after what is in the buffer. One that
 * does not fit into an empty buffer is truncated. */
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
