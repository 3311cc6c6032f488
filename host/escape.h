/*
 * escape.h: text of others for a terminal.
 *
 * Scripts, file names and arguments may contain bytes that move the cursor,
 * change the terminal's title, reverse the order of what follows or end a line.
 * Here such a character becomes text: \xNN for a byte, \u{NNNN} for a code
 * point above it. That is so for control characters except the tab, bytes that
 * are not UTF-8, and characters that only direct how others are displayed. A
 * backslash stays as it is: the result is for readers, not for a decoder.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_ESCAPE_H
#define HOST_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* Writes `bytes` bytes, a newline as \x0a. */
void escape_write(FILE *out, const char *text, size_t bytes);

/* Writes a file's name for the start of a line. Some spaces are escaped, too,
 * so that the line can be read in one way only: a name does not begin with a
 * space and contains neither ": " nor "| ". */
void escape_write_name(FILE *out, const char *name);

/* Writes each line of a text, after the name (NULL: none) and the mark. The
 * last line needs no newline. */
void escape_write_lines(FILE *out, const char *name, const char *mark,
                        const char *text, size_t bytes);

/* Writes what fits of a text into `buffer`, whole characters only, and a zero
 * byte. Returns the buffer. */
char *escape_copy(char *buffer, size_t size, const char *text);

/* Writes JSON, whose strings are valid UTF-8: the same characters are written
 * as \uNNNN, which stand for the same. */
void escape_write_json(FILE *out, const char *json, size_t bytes);

#endif
