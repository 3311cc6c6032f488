/*
 * names.c: names that may hold any bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/names.h"

#include "trace/shown.h"

/* Returns how many bytes from s on are shown as they are. */
static unsigned shown_length(const char *s)
{
    unsigned sum = 0, length;

    while (s[sum] != '\0' && (length = moat_shown_char(s + sum)) != 0)
        sum += length;
    return sum;
}

void moat_text_put_name(struct moat_text *text, const char *name)
{
    while (*name != '\0') {
        unsigned shown = shown_length(name);
        unsigned length = moat_utf8_length(name + shown);

        moat_text_put(text, "%.*s", (int)shown, name);
        name += shown;
        /* A byte that is not UTF-8 is one character. */
        for (unsigned i = 0; *name != '\0' && (i == 0 || i < length); i++)
            moat_text_put(text, "\\x%02x", (unsigned char)*name++);
    }
}
