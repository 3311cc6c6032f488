/*
 * walk_libunwind.h: what libunwind is asked for: walk_libunwind.c, or
 * walk_none.c.
 *
 * Between moat_walk_begin and moat_walk_end. Takes locks, and may fault where a
 * stack is broken: the caller survives it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_WALK_LIBUNWIND_H
#define MOAT_UNWIND_WALK_LIBUNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind/cursor.h"

/* Returns whether this build has backtraces. */
bool moat_unwind_available(void);

/* Where it has none. */
#define MOAT_NO_UNWINDER                                                 \
    (MOAT_ARCH_KNOWS_REGISTERS                                           \
         ? "this build has no unwinder: MOAT_WITH_LIBUNWIND=ON"          \
         : "this build has no unwinder: without a port to this CPU its " \
           "registers are not known")

/* Moves to the caller's frame where moat_cursor_step is lost: by debug
 * information, or by a guess. */
bool moat_cursor_step_guessing(struct moat_cursor *cursor);

/* Returns whether both lie in one procedure, also in code without unwind
 * information. */
bool moat_unwind_same_procedure(uintptr_t pc, uintptr_t other);

/* Fills in the procedure's name, and the offset of pc in it. False: they are
 * not known. */
bool moat_unwind_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset);

#endif
