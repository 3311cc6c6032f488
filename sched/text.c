/*
 * text.c: text that goes to a descriptor.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "sched/text.h"

/* No piece is longer. */
#define LONGEST 1024

void moat_text_begin(struct text *text, int fd)
{
    text->fd = fd;
    text->status = MOAT_OK;
    text->length = 0;
}

static void flush(struct text *text)
{
    size_t done = 0;

    while (done < text->length && text->status == MOAT_OK) {
        ssize_t n = write(text->fd, text->bytes + done, text->length - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            text->status = moat_error_note(
                MOAT_E_SYSTEM, "write to descriptor %d has failed: %e",
                (uint64_t)text->fd, 0);
    }
    text->length = 0;
}

void moat_text_put(struct text *text, const char *format, ...)
{
    va_list arguments;
    int length;

    if (sizeof text->bytes - text->length < LONGEST)
        flush(text);
    va_start(arguments, format);
    length = vsnprintf(text->bytes + text->length, LONGEST, format, arguments);
    va_end(arguments);
    if (length > 0)
        text->length += length < LONGEST ? (size_t)length : (size_t)LONGEST - 1;
}

/* Bytes of the character of UTF-8 that begins here; 0: none does, such as
 * where a name was cut. */
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

void moat_text_put_json(struct text *text, const char *string)
{
    moat_text_put(text, "\"");
    while (*string != '\0') {
        unsigned char byte = (unsigned char)*string;
        size_t bytes = character_bytes(string);

        if (bytes == 0)
            moat_text_put(text, "\\ufffd");
        else if (byte == '"' || byte == '\\')
            moat_text_put(text, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            moat_text_put(text, "\\u%04x", byte);
        else
            moat_text_put(text, "%.*s", (int)bytes, string);
        string += bytes != 0 ? bytes : 1;
    }
    moat_text_put(text, "\"");
}

moat_status moat_text_end(struct text *text)
{
    flush(text);
    return text->status;
}
