/*
 * text.c: text in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/text.h"

/* No piece is longer. */
#define LONGEST 1024

void moat_sched_text_begin(struct text *text)
{
    text->status = MOAT_OK;
    text->length = 0;
    text->room = sizeof text->few;
    text->bytes = text->few;
}

void moat_sched_text_free(struct text *text)
{
    if (text->bytes != text->few)
        free(text->bytes);
    moat_sched_text_begin(text);
}

char *moat_sched_text_take(struct text *text)
{
    char *bytes = text->bytes;

    if (bytes == text->few) {
        bytes = malloc(sizeof text->few);
        if (bytes != NULL)
            memcpy(bytes, text->few, text->length);
    }
    moat_sched_text_begin(text);
    return bytes;
}

/* Makes room for `more` bytes and a zero. */
static bool grow(struct text *text, size_t more)
{
    size_t room = text->room;
    char *bytes;

    while (room - text->length <= more)
        room *= 2;
    if (room == text->room)
        return true;
    bytes =
        text->bytes == text->few ? malloc(room) : realloc(text->bytes, room);
    if (bytes == NULL) {
        text->status = MOAT_E_NOMEM;
        return false;
    }
    if (text->bytes == text->few)
        memcpy(bytes, text->few, text->length);
    text->bytes = bytes;
    text->room = room;
    return true;
}

void moat_sched_text_put(struct text *text, const char *format, ...)
{
    char piece[LONGEST];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (length < 0 || text->status != MOAT_OK)
        return;
    if (length >= LONGEST)
        length = LONGEST - 1;
    if (!grow(text, (size_t)length))
        return;
    memcpy(text->bytes + text->length, piece, (size_t)length);
    text->length += (size_t)length;
}

void moat_sched_text_append(struct text *text, const struct text *other)
{
    if (text->status == MOAT_OK)
        text->status = other->status;
    if (text->status != MOAT_OK || !grow(text, other->length))
        return;
    memcpy(text->bytes + text->length, other->bytes, other->length);
    text->length += other->length;
}

/* Bytes of the character of UTF-8 that begins here; 0: none does, such as
 * where a name was truncated. */
static size_t character_bytes(const char *string)
{
    static const struct {
        unsigned char mask, lead;
    } kinds[] = {{0x80, 0x00}, {0xe0, 0xc0}, {0xf0, 0xe0}, {0xf8, 0xf0}};
    const unsigned char *bytes = (const unsigned char *)string;
    size_t more = 0;

    while (more < 4 && (bytes[0] & kinds[more].mask) != kinds[more].lead)
        more++;
    if (more == 4 || (more == 1 && bytes[0] < 0xc2) || bytes[0] > 0xf4)
        return 0;
    for (size_t i = 1; i <= more; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    /* Too long, a surrogate, or too large. */
    if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) ||
        (bytes[0] == 0xed && bytes[1] > 0x9f) ||
        (bytes[0] == 0xf0 && bytes[1] < 0x90) ||
        (bytes[0] == 0xf4 && bytes[1] > 0x8f))
        return 0;
    return more + 1;
}

void moat_sched_text_put_json(struct text *text, const char *string)
{
    moat_sched_text_put(text, "\"");
    while (*string != '\0') {
        unsigned char byte = (unsigned char)*string;
        size_t bytes = character_bytes(string);

        if (bytes == 0)
            moat_sched_text_put(text, "\\ufffd");
        else if (byte == '"' || byte == '\\')
            moat_sched_text_put(text, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            moat_sched_text_put(text, "\\u%04x", byte);
        else
            moat_sched_text_put(text, "%.*s", (int)bytes, string);
        string += bytes != 0 ? bytes : 1;
    }
    moat_sched_text_put(text, "\"");
}

moat_status moat_sched_bytes_write(const char *bytes, size_t length, int fd)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = write(fd, bytes + done, length - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return moat_error_note(MOAT_E_SYSTEM,
                                   "write to descriptor %d has failed: %e",
                                   (uint64_t)(int64_t)fd, 0);
    }
    return MOAT_OK;
}

moat_status moat_sched_text_write(const struct text *text, int fd)
{
    moat_status status = moat_sched_bytes_write(text->bytes, text->length, fd);

    return status != MOAT_OK ? status : text->status;
}
