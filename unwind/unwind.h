/*
 * unwind.h: from registers to frames, from addresses to names. Knows no signal
 * and no coroutine.
 *
 * The walks are made in ordinary context. A walk over a dead guest's stack may
 * fault, as unwind rules dereference what they find there: the caller makes
 * such a call in a way that survives it, and keeps what was visited before.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_UNWIND_H
#define MOAT_UNWIND_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/code.h>

#include "arch/arch.h"

struct moat_unwind_frame {
    uintptr_t pc, sp;
    bool interrupted; /* by a signal, or where a coroutine resumed: the frame
                         before it may lie on another stack */
};

/* Called for each frame, innermost first; false ends the walk. */
typedef bool moat_unwind_visit(const struct moat_unwind_frame *frame,
                               void *arg);

/* Tells what the host has registered of the code at pc; false: nothing. */
typedef bool moat_unwind_lookup(uintptr_t pc, moat_code *out);

/* --- cursor.c ---------------------------------------------------------------
 */

/* Bytes that hold unwind information. */
struct moat_span {
    const unsigned char *begin, *end;
};

/* A file that is loaded. */
struct moat_object {
    uintptr_t start, end;     /* of its mapping               */
    const unsigned char *hdr; /* .eh_frame_hdr                */
    struct moat_span bytes;   /* the segment that that lies in */
    bool stays;               /* it is the program itself: never closed */
};

/* A frame, and what is known of its registers. Stays where it is. */
struct moat_cursor {
    uintptr_t pc, sp;
    bool exact; /* pc is the next instruction, not a return address */
    uintptr_t places[MOAT_ARCH_DWARF_REGISTERS]; /* 0: not known */
    moat_regs values;          /* those that lie in no stack       */
    struct moat_object object; /* that the last pc was in; or none */
};

enum moat_step {
    MOAT_STEP_MADE,
    MOAT_STEP_END, /* the outermost frame, or one that leads nowhere */
    MOAT_STEP_LOST /* no unwind information, or of no use            */
};

void moat_cursor_set(struct moat_cursor *cursor, const moat_regs *regs,
                     bool exact);

/* The registers as far as they are known; the others are 0. */
void moat_cursor_get(const struct moat_cursor *cursor, moat_regs *out);

/* To the caller's frame; crosses coroutine borders. Code that `lookup` knows is
 * unwound as registered. Faults are survived. No lock, no heap, no system call:
 * async-signal-safe. */
enum moat_step moat_cursor_step(struct moat_cursor *cursor,
                                moat_unwind_lookup *lookup);

/* --- walk_libunwind.c, or walk_none.c --------------------------------------
 */

bool moat_unwind_available(void);

/* The same where that one is lost: by what debug information tells, and by
 * guesses. Takes locks, and may fault: the caller survives it. */
bool moat_cursor_step_guessing(struct moat_cursor *cursor);

/* Do both lie in one procedure? Also of code without unwind information. */
bool moat_unwind_same_procedure(uintptr_t pc, uintptr_t other);

/* The procedure's name and the offset of pc in it. False: not known. */
bool moat_unwind_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset);

/* --- walk_fp.c --------------------------------------------------------------
 */

/* Follows frame records {saved fp, return address} upwards inside [limit,
 * base). Never reads outside. Async-signal-safe if visit is. */
void moat_unwind_fp(uintptr_t fp, uintptr_t limit, uintptr_t base,
                    moat_unwind_visit *visit, void *arg);

/* --- walks.c ----------------------------------------------------------------
 */

/* Around whatever asks libunwind; nest. The caller must not be cut between. */
void moat_walk_begin(void);
void moat_walk_end(void);

/* Around fork, so that no walk of another thread is under way. */
void moat_walks_stop(void);
void moat_walks_go(void);         /* in the parent */
void moat_walks_after_fork(void); /* in the child  */

/* --- procedure.c -----------------------------------------------------------
 */

/* The code of the procedure that pc is in. False: not known. */
bool moat_unwind_procedure(uintptr_t pc, uintptr_t *start, uintptr_t *end);

/* --- modules.c -------------------------------------------------------------
 *
 * Without a lock and without the heap.
 */

/* Where the file that pc belongs to is mapped; 0: in none. */
uintptr_t moat_module_start(uintptr_t pc);

/* Fills in the module and the offset in it, and function and offset if an
 * exported one covers pc. */
struct moat_symbol;
void moat_module_describe(uintptr_t pc, struct moat_symbol *out);

/* --- locks.c ---------------------------------------------------------------
 */

/* Looks the functions up. One thread at a time, before any is searched. */
void moat_locks_prepare(void);

/* The name of the function that may hold a lock of the process's while pc is in
 * it, called from caller_pc; NULL: none known. Without a lock and without the
 * heap. */
const char *moat_locks_find(uintptr_t pc, uintptr_t caller_pc);

/* --- symbolise.c and lines_libdw.c, or lines_none.c -------------------------
 */

struct moat_place {
    char file[256]; /* source file; "" : not known */
    int line;
};

/* A function that was inlined, and where. */
struct moat_inlined {
    char function[192];
    struct moat_place call;
};

#define MOAT_INLINED_MAX 8u /* of more, the outermost are left out */

struct moat_symbol {
    char function[192];      /* "" : not known                      */
    uintptr_t offset;        /* of pc in it                         */
    char module[192];        /* path of the file; "" : not known    */
    uintptr_t module_offset; /* of pc, as the file counts addresses */
    struct moat_place place; /* of pc, if inlined: in inlined[0]    */
    struct moat_inlined inlined[MOAT_INLINED_MAX]; /* innermost first */
    unsigned inlined_count;
};

/* What lies at pc. Any thread. Without files it takes no lock and allocates
 * nothing: then static functions have no names and lines are not known. */
void moat_symbolise(uintptr_t pc, bool with_files, struct moat_symbol *out);

/* Around fork, so that the child finds no question half answered. */
void moat_symbols_lock(void);
void moat_symbols_unlock(void);

bool moat_lines_available(void);

/* Fills in the place and what is inlined there, and function where it is still
 * unknown. `identity` is that of the file, or 0. One thread at a time. */
void moat_lines_find(uintptr_t pc, uint64_t identity,
                     struct moat_symbol *symbol);

#endif
