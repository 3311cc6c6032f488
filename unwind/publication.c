/*
 * publication.c: what is told of one registration, and to whom.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/publication.h"

#include <stdlib.h>
#include <string.h>

/* --- pieces -------------------------------------------------------------- */

static const char *cie_of(const struct moat_fde *fde)
{
    return (const char *)&fde->to_cie - fde->to_cie;
}

static size_t entry_bytes(const void *entry)
{
    uint32_t length;

    memcpy(&length, entry, sizeof length);
    return sizeof length + length;
}

/* Unwinders want an FDE by itself: behind its CIE and before a terminator. */
static size_t rules_bytes(const struct moat_fde *fde)
{
    return entry_bytes(cie_of(fde)) + entry_bytes(fde) + sizeof(uint64_t);
}

/* A copy of its own: an unwinder may still look when the code is gone. */
static bool make_piece(const struct moat_fde *fde, struct moat_piece *out)
{
    size_t cie = entry_bytes(cie_of(fde));
    unsigned char *to = malloc(rules_bytes(fde));
    struct moat_fde *copy;

    if (to == NULL)
        return false;
    copy = (void *)(to + cie);
    memcpy(to, cie_of(fde), cie);
    memcpy(copy, fde, entry_bytes(fde));
    copy->to_cie = (uint32_t)(cie + sizeof copy->length);
    memset(to + cie + entry_bytes(fde), 0, sizeof(uint64_t));
    *out = (struct moat_piece){fde->begin, fde->begin + fde->size, to, copy};
    return true;
}

static bool add_piece(const struct moat_fde *fde)
{
    struct moat_piece piece;

    if (!make_piece(fde, &piece))
        return false;
    if (moat_groups_add(&piece) == MOAT_OK)
        return true;
    free(piece.rules);
    return false;
}

/* The rules are looked at only if there are some: each is a line of the cache
 * that nothing else needs. */
static void remove_pieces(const moat_code *code,
                          const struct moat_publication *publication)
{
    const struct moat_fde *fde;
    size_t count = publication->piece_count;

    if (count > 0)
        moat_groups_remove(publication->first);
    if (count < 2)
        return;
    fde = moat_cfi_first(code->eh_frame);
    while (--count > 0) {
        fde = moat_cfi_next(fde);
        moat_groups_remove(fde->begin);
    }
}

static bool add_pieces(const moat_code *code,
                       struct moat_publication *publication)
{
    const struct moat_fde *fde = moat_cfi_first(code->eh_frame);

    publication->piece_count = 0;
    publication->first = fde != NULL ? fde->begin : 0;
    for (; fde != NULL; fde = moat_cfi_next(fde)) {
        if (!add_piece(fde)) {
            remove_pieces(code, publication);
            return false;
        }
        publication->piece_count++;
    }
    return true;
}

/* --- publications -------------------------------------------------------- */

/* Debuggers have names, rules and lines for a file's code. */
static bool is_news(const moat_code *code)
{
    return code->name != NULL || code->eh_frame != NULL || code->line_count > 0;
}

size_t moat_publication_room(const moat_code *code)
{
    return is_news(code) ? moat_debugger_image(code, NULL) : 0;
}

void moat_publication_make(const moat_code *code, void *room,
                           struct moat_publication *out)
{
    out->debugger = NULL;
    out->image = room;
    out->image_bytes = is_news(code) ? moat_debugger_image(code, room) : 0;
}

moat_status moat_publication_open(const moat_code *code,
                                  struct moat_publication *publication)
{
    if (!add_pieces(code, publication))
        return MOAT_E_NOMEM;
    if (publication->image_bytes == 0)
        return MOAT_OK;
    publication->debugger =
        moat_debugger_add(publication->image, publication->image_bytes);
    if (publication->debugger != NULL)
        return MOAT_OK;
    remove_pieces(code, publication);
    return MOAT_E_NOMEM;
}

void moat_publication_close(const moat_code *code,
                            const struct moat_publication *publication)
{
    if (publication->debugger != NULL)
        moat_debugger_remove(publication->debugger);
    remove_pieces(code, publication);
}
