/*
 * escape.c: makes text of others harmless to a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "escape.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

/* A piece of the result: a character as it is, or what replaces it. */
#define PIECE_BYTES 16

enum form { TEXT, JSON };

/* Code points that steer: controls (C0, delete, C1), line and paragraph
 * separators, and those that change the direction or the form of others. */
static bool is_steering(unsigned code)
{
    static const struct {
        unsigned first, last;
    } ranges[] = {{0x00, 0x08},     {0x0a, 0x1f},     {0x7f, 0x9f},
                  {0x61c, 0x61c},   {0x200e, 0x200f}, {0x2028, 0x202e},
                  {0x2066, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}};

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* Most text: characters of one byte that need no thought. */
static size_t plain_length(const char *text, size_t bytes)
{
    size_t i = 0;

    while (i < bytes && ((text[i] >= ' ' && text[i] <= '~') || text[i] == '\t'))
        i++;
    return i;
}

static void write_code(char piece[PIECE_BYTES], unsigned code, enum form form)
{
    const char *format = form == JSON   ? "\\u%04x"
                         : code >= 0x80 ? "\\u{%x}"
                                        : "\\x%02x";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(piece, PIECE_BYTES, format, code);
#pragma GCC diagnostic pop
}

/* Writes the first character of a text, which is not empty, to `piece`. Returns
 * how many bytes of the text it is. */
static size_t next_piece(const char *text, size_t bytes, enum form form,
                         char piece[PIECE_BYTES])
{
    unsigned code = 0;
    size_t length = utf8_decode(text, bytes, &code);

    if (length == 0) {
        snprintf(piece, PIECE_BYTES, "\\x%02x", (unsigned char)*text);
        return 1;
    }
    if (is_steering(code)) {
        write_code(piece, code, form);
    } else {
        memcpy(piece, text, length);
        piece[length] = '\0';
    }
    return length;
}

static void write_form(FILE *out, const char *text, size_t bytes,
                       enum form form)
{
    char piece[PIECE_BYTES];

    while (bytes > 0) {
        size_t used = plain_length(text, bytes);

        if (used > 0) {
            fwrite(text, 1, used, out);
        } else {
            used = next_piece(text, bytes, form, piece);
            fputs(piece, out);
        }
        text += used;
        bytes -= used;
    }
}

void escape_write(FILE *out, const char *text, size_t bytes)
{
    write_form(out, text, bytes, TEXT);
}

void escape_write_json(FILE *out, const char *json, size_t bytes)
{
    write_form(out, json, bytes, JSON);
}

/* Returns whether a space in a name would look like the end of the name. */
static bool ends_name(const char *name, size_t i)
{
    return name[i] == ' ' &&
           (i == 0 || name[i - 1] == ':' || name[i - 1] == '|');
}

void escape_write_name(FILE *out, const char *name)
{
    size_t start = 0;

    for (size_t i = 0; name[i] != '\0'; i++) {
        if (!ends_name(name, i))
            continue;
        escape_write(out, name + start, i - start);
        fputs("\\x20", out);
        start = i + 1;
    }
    escape_write(out, name + start, strlen(name + start));
}

void escape_write_lines(FILE *out, const char *name, const char *mark,
                        const char *text, size_t bytes)
{
    while (bytes > 0) {
        const char *end = memchr(text, '\n', bytes);
        size_t length = end != NULL ? (size_t)(end - text) : bytes;

        if (name != NULL)
            escape_write_name(out, name);
        fputs(mark, out);
        escape_write(out, text, length);
        putc('\n', out);
        length += end != NULL;
        text += length;
        bytes -= length;
    }
}

char *escape_copy(char *buffer, size_t size, const char *text)
{
    size_t bytes = strlen(text), used = 0;
    char piece[PIECE_BYTES];

    while (bytes > 0) {
        size_t taken = next_piece(text, bytes, TEXT, piece);
        size_t length = strlen(piece);

        if (used + length >= size)
            break;
        memcpy(buffer + used, piece, length);
        used += length;
        text += taken;
        bytes -= taken;
    }
    buffer[used] = '\0';
    return buffer;
}
