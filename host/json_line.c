/*
 * json_line.c: one JSON value on one line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "json_line.h"

#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "utf8.h"

json_t *json_line_text(const char *text, size_t bytes)
{
    char *clean = malloc(bytes * 3 + 1);
    size_t length = 0;
    json_t *string;

    if (clean == NULL)
        return NULL;
    for (size_t i = 0; i < bytes;) {
        unsigned code;
        size_t n = utf8_decode(text + i, bytes - i, &code);

        memcpy(clean + length, n != 0 ? text + i : "\xef\xbf\xbd",
               n != 0 ? n : 3);
        length += n != 0 ? n : 3;
        i += n != 0 ? n : 1;
    }
    string = json_stringn(clean, length);
    free(clean);
    return string;
}

bool json_line_write(FILE *out, const json_t *value)
{
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;

    if (text == NULL)
        return false;
    escape_write_json(out, text, strlen(text));
    putc('\n', out);
    free(text);
    return true;
}
