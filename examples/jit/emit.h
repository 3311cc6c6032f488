/*
 * emit.h: machine code as it grows, and with it what others must know of it:
 * which line it comes from, and how to find a frame's caller at each of its
 * instructions.
 *
 * The code does not depend on where it lies, so it grows in one buffer and is
 * copied to where it runs. A function's part of it is a piece. Pieces keep no
 * frame pointer: `depth` says how many bytes lie between the stack pointer and
 * the return address, and each change of it makes a row of unwind information.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_EMIT_H
#define DITCH_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/moat.h>

struct bytes {
    unsigned char *at;
    size_t used, room;
};

struct piece {
    const char *name;
    size_t start, size;   /* in the code                      */
    size_t frame, frames; /* in eh_frame: where, how many     */
    size_t line, lines;   /* in lines, counted in entries     */
};

struct emitter {
    struct bytes code;
    struct bytes eh_frame; /* a CIE and an FDE for each piece */
    struct bytes lines;    /* of moat_code_line               */
    struct bytes pieces;   /* of struct piece                 */
    bool failed;           /* no memory; what is emitted since is lost */
    int depth;
    int line;
    size_t row; /* where the last row of the piece begins */
};

/* Bytes of code, given as a string. */
#define EMIT(e, code) emit_bytes((e), (code), sizeof(code) - 1)

void emit_begin(struct emitter *e);
void emit_end(struct emitter *e);
void emit_append(struct emitter *e, struct bytes *to, const void *from,
                 size_t count);

void emit_piece(struct emitter *e, const char *name, int line);
void emit_piece_end(struct emitter *e);
struct piece *emit_pieces(const struct emitter *e, size_t *count);
/* Writes into the unwind information where the code has been copied to. */
void emit_place(struct emitter *e, const unsigned char *code);

/* What follows comes from this line. */
void emit_line(struct emitter *e, int line);

void emit_bytes(struct emitter *e, const void *bytes, size_t count);
void emit_byte(struct emitter *e, size_t byte);
void emit_int32(struct emitter *e, int64_t value);
void emit_int64(struct emitter *e, int64_t value);

/* An instruction that changes the stack pointer; `by` more bytes lie on the
 * stack behind it. */
void emit_moving(struct emitter *e, const char *code, size_t count, int by);
/* The next instruction is reached with another depth than the last one left. */
void emit_depth(struct emitter *e, int depth);

/* A register's old value lies on top of the stack; it is in its place again. */
void emit_row_saved(struct emitter *e, unsigned number);
void emit_row_restored(struct emitter *e, unsigned number);
/* From here to the second, the frame is the coroutine's resumer's: rdi is the
 * record. */
void emit_window(struct emitter *e);
void emit_window_end(struct emitter *e);

/* Jumps and calls: the opcode, then 32 bits that the target is put into. */
size_t emit_jump(struct emitter *e, const char *code, size_t count);
void emit_target(struct emitter *e, size_t jump, size_t target);
void emit_land(struct emitter *e, size_t jump); /* the target is here */

#endif
