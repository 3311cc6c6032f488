/*
 * json_line.h: JSON for programs that a terminal can show, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_JSON_LINE_H
#define HOST_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

/* Makes a JSON string of any bytes: those that are not UTF-8 become U+FFFD.
 * Returns NULL without memory. */
json_t *json_line_text(const char *text, size_t bytes);

/* Writes a value on one line, with the characters of escape.h as \uNNNN.
 * Returns false without memory; a failed write shows in ferror. */
bool json_line_write(FILE *out, const json_t *value);

#endif
