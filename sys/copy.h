/*
 * copy.h: strings into buffers of a fixed size.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_COPY_H
#define MOAT_SYS_COPY_H

#include <stddef.h>
#include <string.h>

/* Copies the string, truncated to fit, and terminates it. NULL counts as "". */
static inline void moat_copy_text(char *to, size_t size, const char *from)
{
    size_t bytes = from != NULL ? strnlen(from, size - 1) : 0;

    if (bytes > 0)
        memcpy(to, from, bytes);
    to[bytes] = '\0';
}

#endif
