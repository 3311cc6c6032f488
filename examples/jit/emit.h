/*
 * emit.h: a buffer of machine code with its line table and unwind information.
 *
 * The code is position-independent: it grows in one buffer and is copied to
 * executable memory. A function's part of it is a piece. Pieces have no frame
 * pointer. `depth` is the number of bytes between the stack pointer and the
 * return address, and each change of it adds a row of unwind information.
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
    size_t frame, frames; /* in eh_frame: offset and bytes    */
    size_t line, lines;   /* in lines: first entry and count  */
};

struct emitter {
    struct bytes code;
    struct bytes eh_frame; /* a CIE and an FDE for each piece */
    struct bytes lines;    /* of moat_code_line               */
    struct bytes pieces;   /* of struct piece                 */
    bool failed;           /* no memory; later output is lost */
    int depth;
    int line;
    size_t row; /* the start of the piece's last row */
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
/* Sets the address of the copied code in the unwind information. */
void emit_place(struct emitter *e, const unsigned char *code);

/* Sets the line of the code that follows. */
void emit_line(struct emitter *e, int line);

void emit_bytes(struct emitter *e, const void *bytes, size_t count);
void emit_byte(struct emitter *e, size_t byte);
void emit_int32(struct emitter *e, int64_t value);
void emit_int64(struct emitter *e, int64_t value);

/* Emits an instruction that grows the stack by `by` bytes. */
void emit_moving(struct emitter *e, const char *code, size_t count, int by);
/* Sets the depth of the next instruction, which a jump reaches. */
void emit_depth(struct emitter *e, int depth);

/* The caller's value of a register is on top of the stack, or back in it. */
void emit_row_saved(struct emitter *e, unsigned number);
void emit_row_restored(struct emitter *e, unsigned number);
/* Between these two, the frame is that of the coroutine's resumer, and rdi is
 * the record. */
void emit_window(struct emitter *e);
void emit_window_end(struct emitter *e);

/* Jumps and calls: the opcode, then 32 bits that get the target later. */
size_t emit_jump(struct emitter *e, const char *code, size_t count);
void emit_target(struct emitter *e, size_t jump, size_t target);
void emit_land(struct emitter *e, size_t jump); /* the target is here */

#endif
