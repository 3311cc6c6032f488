/*
 * bytes.h: writes DWARF and ELF, a field at a time. The same calls are made
 * twice: first without memory, to count the bytes, then into so much memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_BYTES_H
#define MOAT_UNWIND_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct moat_bytes {
    unsigned char *to; /* NULL: counts only */
    size_t used;
};

static inline void moat_put(struct moat_bytes *bytes, const void *from,
                            size_t count)
{
    if (bytes->to != NULL && count > 0)
        memcpy(bytes->to + bytes->used, from, count);
    bytes->used += count;
}

static inline void moat_put_byte(struct moat_bytes *bytes, unsigned value)
{
    const unsigned char byte = (unsigned char)value;

    moat_put(bytes, &byte, 1);
}

static inline void moat_put_word(struct moat_bytes *bytes, uint32_t value)
{
    moat_put(bytes, &value, sizeof value);
}

static inline void moat_put_address(struct moat_bytes *bytes, uint64_t value)
{
    moat_put(bytes, &value, sizeof value);
}

static inline void moat_put_uleb(struct moat_bytes *bytes, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        moat_put_byte(bytes, (unsigned)(value & 0x7f) | 0x80u);
    moat_put_byte(bytes, (unsigned)value);
}

static inline void moat_put_sleb(struct moat_bytes *bytes, int64_t value)
{
    for (; value < -64 || value > 63; value >>= 7)
        moat_put_byte(bytes, (unsigned)(value & 0x7f) | 0x80u);
    moat_put_byte(bytes, (unsigned)(value & 0x7f));
}

/* With the terminator. NULL counts as "". */
static inline void moat_put_text(struct moat_bytes *bytes, const char *text)
{
    moat_put(bytes, text != NULL ? text : "",
             text != NULL ? strlen(text) + 1 : 1);
}

static inline void moat_put_align(struct moat_bytes *bytes)
{
    while (bytes->used % sizeof(uint64_t) != 0)
        moat_put_byte(bytes, 0);
}

/* Leaves room for a length of four bytes. Returns its offset. */
static inline size_t moat_put_begin(struct moat_bytes *bytes)
{
    moat_put_word(bytes, 0);
    return bytes->used - sizeof(uint32_t);
}

/* Fills in the length of all that was put after it. */
static inline void moat_put_end(struct moat_bytes *bytes, size_t begin)
{
    const uint32_t length = (uint32_t)(bytes->used - begin - sizeof length);

    if (bytes->to != NULL)
        memcpy(bytes->to + begin, &length, sizeof length);
}

#endif
