/*
 * utf8.c: decodes UTF-8 strictly: no overlong forms, no surrogates.
 *
 * SPDX-License-Identifier: MIT
 */
#include "utf8.h"

#include <stdbool.h>

static size_t length_by(unsigned char first)
{
    return first < 0x80   ? 1
           : first < 0xc2 ? 0
           : first < 0xe0 ? 2
           : first < 0xf0 ? 3
           : first < 0xf5 ? 4
                          : 0;
}

static bool is_valid(unsigned code, size_t length)
{
    static const unsigned min[] = {0, 0, 0x80, 0x800, 0x10000};

    return code >= min[length] && code <= 0x10ffff &&
           (code < 0xd800 || code >= 0xe000);
}

size_t utf8_decode(const char *text, size_t bytes, unsigned *code)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t length = length_by(byte[0]);

    if (length == 0 || length > bytes)
        return 0;
    *code = length == 1 ? byte[0] : byte[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (byte[i] & 0x3fu);
    }
    return is_valid(*code, length) ? length : 0;
}
