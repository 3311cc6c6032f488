/*
 * reader.h: reads numbers from bytes that may be anything. A read past the end
 * returns 0 and marks the reader as bad: what was read is used only after a
 * look at the mark.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_READER_H
#define MOAT_UNWIND_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes from begin up to end. */
struct moat_span {
    const unsigned char *begin, *end;
};

struct moat_reader {
    const unsigned char *at, *end;
    bool bad;
};

static inline size_t moat_reader_left(const struct moat_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static inline void moat_reader_spoil(struct moat_reader *reader)
{
    reader->at = reader->end;
    reader->bad = true;
}

/* Takes the next bytes off, as a reader of their own. */
static inline struct moat_reader moat_reader_part(struct moat_reader *reader,
                                                  uint64_t bytes)
{
    struct moat_reader part = {reader->at, reader->at, reader->bad};

    if (bytes > moat_reader_left(reader)) {
        moat_reader_spoil(reader);
        part.bad = true;
        return part;
    }
    reader->at = part.end = reader->at + bytes;
    return part;
}

static inline void moat_reader_skip(struct moat_reader *reader, uint64_t bytes)
{
    (void)moat_reader_part(reader, bytes);
}

/* In the CPU's byte order, which is little-endian; of any alignment. */
static inline uint64_t moat_read(struct moat_reader *reader, size_t bytes)
{
    uint64_t value = 0;

    if (bytes > moat_reader_left(reader)) {
        moat_reader_spoil(reader);
        return 0;
    }
    memcpy(&value, reader->at, bytes);
    reader->at += bytes;
    return value;
}

static inline uint8_t moat_read_u8(struct moat_reader *reader)
{
    return (uint8_t)moat_read(reader, 1);
}

/* LEB128: seven bits a byte, the lowest first (DWARF 4, 7.6). */
static inline uint64_t moat_read_leb(struct moat_reader *reader, bool is_signed)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = moat_read_u8(reader);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while ((byte & 0x80) != 0);
    if (is_signed && (byte & 0x40) != 0 && shift < 64)
        value |= ~UINT64_C(0) << shift;
    return value;
}

static inline uint64_t moat_read_uleb(struct moat_reader *reader)
{
    return moat_read_leb(reader, false);
}

static inline int64_t moat_read_sleb(struct moat_reader *reader)
{
    return (int64_t)moat_read_leb(reader, true);
}

#endif
