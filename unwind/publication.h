/*
 * publication.h: registered code made known to whoever else unwinds or debugs
 * this process.
 *
 * Under a lock of the caller's, all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_PUBLICATION_H
#define MOAT_UNWIND_PUBLICATION_H

#include <stddef.h>
#include <stdint.h>

#include <moat/code.h>

#include "unwind/cfi.h"

struct moat_debugger_entry;

/* --- publication.c ---------------------------------------------------------
 */

/* What is told of one code. Lies with the code, which is looked at whenever
 * this is. */
struct moat_publication {
    struct moat_debugger_entry *debugger; /* NULL: debuggers are not told */
    const void *image;
    size_t image_bytes; /* 0: nor will they be */
    size_t piece_count;
    uintptr_t first; /* where the first piece begins */
};

/* How much room the image of this code takes; 0: none. */
size_t moat_publication_room(const moat_code *code);

/* The image goes into the room. It and the code stay as they are for as long as
 * the publication. */
void moat_publication_make(const moat_code *code, void *room,
                           struct moat_publication *out);

/* MOAT_E_NOMEM: nobody has been told. */
moat_status moat_publication_open(const moat_code *code,
                                  struct moat_publication *publication);
void moat_publication_close(const moat_code *code,
                            const struct moat_publication *publication);

/* --- groups.c --------------------------------------------------------------
 *
 * The unwinders search what was registered with them one by one: they are told
 * of groups of neighbours, in each of which they search by halves.
 */

/* Code that one FDE describes. */
struct moat_piece {
    uintptr_t begin, end;
    void *rules; /* in moat's form: the CIE, the FDE, the terminator; for free()
                  */
    struct moat_fde *fde; /* in the rules */
};

#define MOAT_GROUP_PIECES ((size_t)128)

/* Pieces share no address. The rules are the groups' then. MOAT_E_NOMEM: it is
 * not added. */
moat_status moat_groups_add(const struct moat_piece *piece);

/* When it returns neither a walk of moat's nor libgcc knows the piece that
 * begins there. */
void moat_groups_remove(uintptr_t begin);

/* --- group_libgcc.c; group_libunwind.c, or group_none.c ----------------------
 *
 * An unwinder as a group sees it: what the group must hold for it, and how it
 * is told.
 */
struct moat_unwinder {
    size_t bytes;
    /* Once for a group's memory. False: none for what lies outside it. */
    bool (*prepare)(void *memory);
    /* The pieces ascend and are one at least; they and the memory stay until
     * the withdrawal. */
    void (*publish)(void *memory, const struct moat_piece *pieces,
                    size_t count);
    void (*withdraw)(void *memory);
    /* Some code is gone: what was remembered of it is void. */
    void (*forget)(void);
};

extern const struct moat_unwinder moat_unwinder_libgcc, moat_unwinder_libunwind;

/* --- debugger.c, debugger_image.c -------------------------------------------
 */

/* An object file of one code, in memory: where it is, its name, its unwind
 * rules, its lines. Gives its size; writes it if `to` is not NULL, which is a
 * multiple of eight. */
size_t moat_debugger_image(const moat_code *code, unsigned char *to);

/* Tells debuggers of an image, by the interface that gdb and lldb have for JIT
 * compilers; NULL: no memory. The image stays as long as the entry. */
struct moat_debugger_entry *moat_debugger_add(const void *image, size_t bytes);
void moat_debugger_remove(struct moat_debugger_entry *entry);

#endif
