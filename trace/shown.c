/*
 * shown.c: what of a name is shown as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/shown.h"

#include <stdbool.h>

unsigned moat_utf8_length(const char *string)
{
    const unsigned char *s = (const unsigned char *)string;
    unsigned length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (length == 1)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (unsigned i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

/* The code point of a valid sequence of at most three bytes. All that control
 * others have no more. */
static unsigned code_of(const unsigned char *s, unsigned length)
{
    if (length == 1)
        return s[0];
    if (length == 2)
        return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
    return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
}

/* Controls (C0, delete, C1), the separators of lines and paragraphs, and what
 * changes the direction or the form of other characters. */
static bool is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
           code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x206f) || code == 0xfeff ||
           (code >= 0xfff9 && code <= 0xfffb);
}

unsigned moat_shown_char(const char *s)
{
    unsigned length = moat_utf8_length(s);

    return length > 3 ||
                   (length != 0 &&
                    !is_control(code_of((const unsigned char *)s, length)))
               ? length
               : 0;
}
