/*
 * code.h: registered code: what lies where, with its name, lines and unwind
 * information.
 *
 * A registration is one allocation: copies of all that the caller handed over,
 * room for what is derived from it, and some words for the owner of that. Its
 * life: check, make, add; found by readers; remove, free().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REGISTRY_CODE_H
#define MOAT_REGISTRY_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/code.h>

#include "registry/registry.h"

/* Words for the owner of the room. */
#define MOAT_CODES_USER_WORDS 5

struct moat_registered {
    struct moat_entry entry;              /* first */
    uint64_t user[MOAT_CODES_USER_WORDS]; /* in the entry's cache line */
    void *room;        /* after the copies, at a multiple of eight    */
    moat_code copy;    /* of the request, with pointers to the copies */
    uint64_t copies[]; /* eh_frame, lines, name, file                 */
};

/* Held while code is registered or unregistered, and across a fork. Taken
 * before the arenas' lock and the lock of the ranges. */
extern pthread_mutex_t moat_codes_lock;

/* --- life ---------------------------------------------------------------- */

/* Checks a request without reading what it points to. MOAT_E_INVAL: it cannot
 * be registered. */
moat_status moat_codes_check(const moat_code *asked);

/* Makes a registration of a checked request, with `room` bytes more. Reads the
 * caller's memory, which may fault: to be called under no lock. The eh_frame is
 * copied as it is; *out is for free(). MOAT_E_INVAL: the lines are not of this
 * code; MOAT_E_NOMEM. */
moat_status moat_codes_make(const moat_code *asked, size_t room,
                            struct moat_registered **out);

/* Takes from the supply what the next call will need, and keeps it for later if
 * it is not all there. MOAT_E_OVERLAP, MOAT_E_NOMEM. */
moat_status moat_codes_prepare(const struct moat_registered *code);

/* Makes it visible to readers. MOAT_E_OVERLAP, MOAT_E_NOMEM: it is not. */
moat_status moat_codes_add(struct moat_registered *code, moat_code_id *out);

/* Removes it; when it returns no reader sees it any more. These four are called
 * under moat_codes_lock. */
void moat_codes_remove(struct moat_registered *code);
struct moat_registered *moat_codes_named(moat_code_id id); /* NULL: none */

/* --- readers -------------------------------------------------------------
 *
 * From moat_codes_enter to moat_grace_leave nothing that readers return is
 * freed. False: the thread is a visitor already, or no code is registered, and
 * it must not call moat_grace_leave. Signal-safe: yes.
 */
bool moat_codes_enter(void);

/* Returns whether the address lies in registered code. Signal-safe: yes. */
bool moat_codes_cover(uintptr_t pc);

/* Fills in the code that the address lies in, without name, file and lines; the
 * eh_frame is the copy, valid as long as the code is registered. False: none.
 * Signal-safe: yes. */
bool moat_codes_describe(uintptr_t pc, moat_code *out);

/* Fills in the name of the code, truncated to fit, and the offset in it. False:
 * the address is in no registered code, or in code without a name. */
bool moat_codes_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset);

/* Fills in the source location of the address, truncated to fit. False: it is
 * not known. */
bool moat_codes_line(uintptr_t pc, char *file, size_t size, uint32_t *line);

#endif
