/*
 * code.c: registered code: what is where, and under which name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "stack/size.h"
#include "trap/internal.h"
#include "trap/ranges.h"

#define MOST_FRAME_BYTES ((size_t)1 << 30)

struct code {
    struct moat_entry entry; /* first */
    size_t frame_bytes;
    moat_code_unwind unwind;
    bool named;
    char name[];
};

static struct moat_registry codes;

/* --- readers ------------------------------------------------------------- */

static const struct code *code_at(uintptr_t pc)
{
    return (const struct code *)moat_registry_at(&codes, pc);
}

bool moat_codes_cover(uintptr_t pc)
{
    bool entered;
    bool covered;

    if (!moat_ranges_any(&codes.places))
        return false;
    entered = moat_grace_enter();
    covered = code_at(pc) != NULL;
    if (entered)
        moat_grace_leave();
    return covered;
}

static void copy_name(char *to, size_t size, const char *from)
{
    size_t bytes = strnlen(from, size - 1);

    memcpy(to, from, bytes);
    to[bytes] = '\0';
}

bool moat_codes_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset)
{
    bool entered = moat_grace_enter();
    const struct code *code = code_at(pc);
    bool named = code != NULL && code->named;

    if (named) {
        copy_name(name, size, code->name);
        *offset = pc - code->entry.place.begin;
    }
    if (entered)
        moat_grace_leave();
    return named;
}

bool moat_codes_describe(uintptr_t pc, moat_code *out)
{
    const struct code *code;
    bool entered, found;

    if (!moat_ranges_any(&codes.places))
        return false;
    entered = moat_grace_enter();
    code = code_at(pc);
    found = code != NULL;
    memset(out, 0, sizeof *out);
    if (found) {
        out->start = (const void *)code->entry.place.begin;
        out->size = code->entry.place.end - code->entry.place.begin;
        out->frame_bytes = code->frame_bytes;
        out->unwind = code->unwind;
    }
    if (entered)
        moat_grace_leave();
    return found;
}

/* --- writers ------------------------------------------------------------- */

/* Both ends addressable, and in the same half of the address space. */
static bool is_one_piece(uintptr_t begin, size_t bytes)
{
    size_t end;

    return bytes != 0 && bytes <= PTRDIFF_MAX &&
           moat_size_add(begin, bytes, &end) && moat_arch_is_canonical(begin) &&
           moat_arch_is_canonical(end - 1);
}

static bool is_unwindable(const moat_code *asked)
{
    switch (asked->unwind) {
    case MOAT_CODE_UNWIND_NONE:
    case MOAT_CODE_UNWIND_FP:
        return asked->frame_bytes == 0;
    case MOAT_CODE_UNWIND_FIXED:
        return asked->frame_bytes % sizeof(uintptr_t) == 0 &&
               asked->frame_bytes < MOST_FRAME_BYTES;
    default:
        return false;
    }
}

static moat_status code_from(const moat_code *asked, struct code **out)
{
    uintptr_t begin = (uintptr_t)asked->start;
    size_t name_bytes = asked->name != NULL ? strlen(asked->name) + 1 : 0;
    struct code *made;

    if (asked->start == NULL || !is_one_piece(begin, asked->size) ||
        !is_unwindable(asked) || asked->flags != 0)
        return MOAT_E_INVAL;
    made = malloc(sizeof *made + name_bytes);
    if (made == NULL)
        return MOAT_E_NOMEM;
    made->entry.place.begin = begin;
    made->entry.place.end = begin + asked->size;
    made->frame_bytes = asked->frame_bytes;
    made->unwind = asked->unwind;
    made->named = asked->name != NULL;
    if (name_bytes > 0)
        memcpy(made->name, asked->name, name_bytes);
    *out = made;
    return MOAT_OK;
}

moat_status moat_codes_add(const moat_code *asked, moat_code_id *out)
{
    moat_code_id id = 0;
    struct code *made;
    moat_status status;

    if (moat_grace_visiting())
        return MOAT_E_STATE;
    status = code_from(asked, &made);
    if (status != MOAT_OK)
        return status;
    moat_ranges_lock();
    status = moat_registry_prepare(&codes, &made->entry);
    if (status == MOAT_OK)
        id = moat_registry_add(&codes, &made->entry);
    moat_ranges_unlock();
    if (status == MOAT_OK)
        *out = id; /* without the lock: it may fault */
    else
        free(made);
    return status;
}

moat_status moat_codes_remove(moat_code_id id)
{
    struct code *gone;

    if (moat_grace_visiting())
        return MOAT_E_STATE;
    moat_ranges_lock();
    gone = (struct code *)moat_registry_named(&codes, id);
    if (gone != NULL)
        moat_registry_remove(&codes, &gone->entry);
    moat_ranges_unlock();
    free(gone);
    return gone != NULL ? MOAT_OK : MOAT_E_INVAL;
}
