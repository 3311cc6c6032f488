/*
 * emit.c: code bytes, unwind rows and lines.
 *
 * Unwind information has the format of .eh_frame (LSB Core 5.0, 10.6) with
 * DWARF rows (DWARF 4, 6.4.2). DWARF register numbers: 3 rbx, 5 rdi, 6 rbp,
 * 7 rsp, 12 to 15 r12 to r15, 16 the return address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

#define WORD ((int)sizeof(uint64_t))

enum {
    CFA_ADVANCE = 0x40, /* the distance is in the low bits */
    CFA_OFFSET = 0x80,  /* the register is in the low bits */
    CFA_RESTORE = 0xc0, /* likewise                        */
    CFA_NOP = 0x00,
    CFA_ADVANCE4 = 0x04,
    CFA_REMEMBER = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_UNDEFINED = 0x07,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10
};

enum { OP_DEREF = 0x06, OP_RDI = 0x75 }; /* OP_RDI: a one-byte offset follows */
#define RECORD(member) offsetof(struct moat_co, member)
_Static_assert(RECORD(resumer_bx) < 64, "more than a byte of signed LEB128");

/* --- bytes --------------------------------------------------------------- */

void emit_append(struct emitter *e, struct bytes *to, const void *from,
                 size_t count)
{
    if (to->room - to->used < count) {
        size_t room = 2 * to->room + count + 256;
        void *at = realloc(to->at, room);

        if (at == NULL) {
            e->failed = true;
            return;
        }
        to->at = at;
        to->room = room;
    }
    memcpy(to->at + to->used, from, count);
    to->used += count;
}

void emit_begin(struct emitter *e)
{
    memset(e, 0, sizeof *e);
}

void emit_end(struct emitter *e)
{
    free(e->code.at);
    free(e->eh_frame.at);
    free(e->lines.at);
    free(e->pieces.at);
}

void emit_bytes(struct emitter *e, const void *bytes, size_t count)
{
    emit_append(e, &e->code, bytes, count);
}

void emit_byte(struct emitter *e, size_t byte)
{
    unsigned char one = (unsigned char)byte;

    emit_append(e, &e->code, &one, 1);
}

void emit_int32(struct emitter *e, int64_t value)
{
    int32_t word = (int32_t)value;

    emit_append(e, &e->code, &word, sizeof word);
}

void emit_int64(struct emitter *e, int64_t value)
{
    emit_append(e, &e->code, &value, sizeof value);
}

size_t emit_jump(struct emitter *e, const char *code, size_t count)
{
    emit_bytes(e, code, count);
    emit_int32(e, 0);
    return e->code.used - sizeof(int32_t);
}

void emit_target(struct emitter *e, size_t jump, size_t target)
{
    int32_t distance =
        (int32_t)((int64_t)target - (int64_t)(jump + sizeof distance));

    if (!e->failed)
        memcpy(e->code.at + jump, &distance, sizeof distance);
}

void emit_land(struct emitter *e, size_t jump)
{
    emit_target(e, jump, e->code.used);
}

/* --- rows ---------------------------------------------------------------- */

static void frame_byte(struct emitter *e, unsigned byte)
{
    unsigned char one = (unsigned char)byte;

    emit_append(e, &e->eh_frame, &one, 1);
}

static void frame_uleb(struct emitter *e, unsigned value)
{
    for (; value >= 0x80; value >>= 7)
        frame_byte(e, (value & 0x7f) | 0x80);
    frame_byte(e, value);
}

static void frame_word(struct emitter *e, uint32_t word)
{
    emit_append(e, &e->eh_frame, &word, sizeof word);
}

/* Starts a row of unwind information at the next instruction. */
static void row(struct emitter *e)
{
    size_t distance = e->code.used - e->row;

    e->row = e->code.used;
    if (distance == 0)
        return;
    if (distance < 64) {
        frame_byte(e, CFA_ADVANCE | (unsigned)distance);
    } else {
        frame_byte(e, CFA_ADVANCE4);
        frame_word(e, (uint32_t)distance);
    }
}

void emit_depth(struct emitter *e, int depth)
{
    if (e->depth == depth)
        return;
    row(e);
    e->depth = depth;
    frame_byte(e, CFA_DEF_CFA_OFFSET);
    frame_uleb(e, (unsigned)(depth + WORD));
}

void emit_moving(struct emitter *e, const char *code, size_t count, int by)
{
    emit_bytes(e, code, count);
    emit_depth(e, e->depth + by);
}

void emit_row_saved(struct emitter *e, unsigned number)
{
    row(e);
    frame_byte(e, CFA_OFFSET | number);
    frame_uleb(e, (unsigned)(e->depth / WORD + 1));
}

void emit_row_restored(struct emitter *e, unsigned number)
{
    row(e);
    frame_byte(e, CFA_RESTORE | number);
}

/* Rows of the window in a switch (docs/record.md): the frame is that of the
 * resumer, found through the record in rdi. r12 to r15 are lost. */
void emit_window(struct emitter *e)
{
    static const unsigned char rows[] = {
        /* clang-format off */
        CFA_REMEMBER,
        CFA_DEF_CFA_EXPRESSION, 3, OP_RDI, RECORD(resumer_sp), OP_DEREF,
        CFA_EXPRESSION, 6, 2, OP_RDI, RECORD(resumer_fp),
        CFA_EXPRESSION, 16, 2, OP_RDI, RECORD(resumer_pc),
        CFA_EXPRESSION, 3, 2, OP_RDI, RECORD(resumer_bx),
        CFA_UNDEFINED, 12, CFA_UNDEFINED, 13,
        CFA_UNDEFINED, 14, CFA_UNDEFINED, 15
        /* clang-format on */
    };

    row(e);
    emit_append(e, &e->eh_frame, rows, sizeof rows);
}

void emit_window_end(struct emitter *e)
{
    row(e);
    frame_byte(e, CFA_RESTORE_STATE);
}

/* --- pieces -------------------------------------------------------------- */

struct piece *emit_pieces(const struct emitter *e, size_t *count)
{
    *count = e->pieces.used / sizeof(struct piece);
    return (void *)e->pieces.at;
}

static struct piece *last_piece(struct emitter *e)
{
    size_t count;
    struct piece *pieces = emit_pieces(e, &count);

    return &pieces[count - 1];
}

/* Adds a row when the line changes; replaces the last row if it has no code. */
void emit_line(struct emitter *e, int line)
{
    moat_code_line entry = {0, (uint32_t)line};
    struct piece *piece;

    if (e->failed || line == e->line)
        return;
    e->line = line;
    piece = last_piece(e);
    entry.offset = (uint32_t)(e->code.used - piece->start);
    if (e->lines.used / sizeof entry > piece->line) {
        moat_code_line before;

        memcpy(&before, e->lines.at + e->lines.used - sizeof before,
               sizeof before);
        if (before.offset == entry.offset)
            e->lines.used -= sizeof before;
    }
    emit_append(e, &e->lines, &entry, sizeof entry);
}

/* Stores the length of a finished entry in its first word. */
static void close_entry(struct emitter *e, size_t entry)
{
    uint32_t bytes;

    while ((e->eh_frame.used - entry) % WORD != 0 && !e->failed)
        frame_byte(e, CFA_NOP);
    if (e->failed)
        return;
    bytes = (uint32_t)(e->eh_frame.used - entry - sizeof bytes);
    memcpy(e->eh_frame.at + entry, &bytes, sizeof bytes);
}

void emit_piece(struct emitter *e, const char *name, int line)
{
    /* After length and ID: version 1, augmentation "", code alignment 1, data
     * alignment -8, return address in column 16; the CFA is rsp + 8, and the
     * return address is 8 below it. */
    static const unsigned char common[] = {
        1, 0, 1, 0x78, 16, 12, 7, 8, CFA_OFFSET | 16, 1};
    struct piece piece = {name, e->code.used,
                          0,    e->eh_frame.used,
                          0,    e->lines.used / sizeof(moat_code_line),
                          0};
    uint64_t unknown[2] = {0, 0}; /* the code's address and size */
    size_t entry;

    emit_append(e, &e->pieces, &piece, sizeof piece);
    frame_word(e, 0);
    frame_word(e, 0);
    emit_append(e, &e->eh_frame, common, sizeof common);
    close_entry(e, piece.frame);

    entry = e->eh_frame.used;
    frame_word(e, 0);
    frame_word(e, (uint32_t)(entry + sizeof(uint32_t) - piece.frame));
    emit_append(e, &e->eh_frame, unknown, sizeof unknown);
    e->depth = 0;
    e->line = 0;
    e->row = e->code.used;
    emit_line(e, line);
}

/* Returns the offset of a piece's FDE, which follows its CIE. */
static size_t entry_of(const struct emitter *e, const struct piece *piece)
{
    uint32_t bytes;

    memcpy(&bytes, e->eh_frame.at + piece->frame, sizeof bytes);
    return piece->frame + sizeof bytes + bytes;
}

void emit_piece_end(struct emitter *e)
{
    struct piece *piece;

    if (e->failed)
        return;
    piece = last_piece(e);
    close_entry(e, entry_of(e, piece));
    piece->size = e->code.used - piece->start;
    piece->frames = e->eh_frame.used - piece->frame;
    piece->lines = e->lines.used / sizeof(moat_code_line) - piece->line;
}

void emit_place(struct emitter *e, const unsigned char *code)
{
    size_t count;
    const struct piece *pieces = emit_pieces(e, &count);

    for (size_t i = 0; i < count; i++) {
        uint64_t place[2] = {(uintptr_t)(code + pieces[i].start),
                             pieces[i].size};

        memcpy(e->eh_frame.at + entry_of(e, &pieces[i]) + WORD, place,
               sizeof place);
    }
}
