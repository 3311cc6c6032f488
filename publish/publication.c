/*
 * publication.c: what others are told of one registration, and in which order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/publication.h"

#include <stdlib.h>
#include <string.h>

#include "publish/debugger.h"
#include "publish/debugger_image.h"
#include "publish/groups.h"
#include "publish/jitdump.h"
#include "publish/perf_map.h"
#include "sys/lock.h"
#include "sys/refusal.h"
#include "sys/supply.h"

/* Lies in the registration's words. */
struct publication {
    struct moat_debugger_entry *debugger; /* NULL: debuggers are not told  */
    const void *image;
    size_t image_bytes; /* 0: debuggers will not be told                   */
    size_t piece_count;
    uintptr_t first; /* where the first piece begins                       */
};

_Static_assert(sizeof(struct publication) <=
                   MOAT_CODES_USER_WORDS * sizeof(uint64_t),
               "a registration has no room for its publication");

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

static size_t piece_bytes(const struct moat_fde *fde)
{
    return entry_bytes(cie_of(fde)) + entry_bytes(fde) + sizeof(uint64_t);
}

/* Unwinders want an FDE by itself, after its CIE and before a terminator. The
 * piece has a copy of its own, as an unwinder may still read it when the
 * code is gone. */
static bool make_piece(const struct moat_fde *fde, struct moat_piece *out)
{
    size_t cie = entry_bytes(cie_of(fde)), own = entry_bytes(fde);
    unsigned char *to = moat_supply_take(piece_bytes(fde));
    struct moat_fde *copy;

    if (to == NULL)
        return false;
    copy = (void *)(to + cie);
    memcpy(to, cie_of(fde), cie);
    memcpy(copy, fde, own);
    copy->to_cie = (uint32_t)(cie + sizeof copy->length);
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
    moat_free_later(piece.rules);
    return false;
}

/* Reads the rules only if there is more than one piece: each is a cache line
 * that a removal does not need otherwise. */
static void remove_pieces(const moat_code *code,
                          const struct publication *publication)
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

static bool add_pieces(const moat_code *code, struct publication *publication)
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

/* 0: there is nothing to show a debugger. */
static size_t image_bytes(const moat_code *code)
{
    bool described =
        code->name != NULL || code->eh_frame != NULL || code->line_count > 0;

    return described ? moat_debugger_image(code, NULL) : 0;
}

/* The room for the image was computed from the caller's memory, which may have
 * changed since: it must still suffice for the copy. */
moat_status moat_publication_make(const moat_code *asked,
                                  struct moat_registered **out)
{
    size_t room = image_bytes(asked), bytes;
    moat_status status = moat_codes_make(asked, room, out);
    struct publication *publication;

    if (status != MOAT_OK)
        return status;
    bytes = image_bytes(&(*out)->copy);
    if (bytes > room) {
        free(*out);
        return moat_refuse(MOAT_E_INVAL,
                           "code->name changed while it was registered");
    }
    publication = (void *)(*out)->user;
    publication->debugger = NULL;
    publication->image = (*out)->room;
    publication->image_bytes = bytes;
    if (bytes > 0)
        (void)moat_debugger_image(&(*out)->copy, (*out)->room);
    return MOAT_OK;
}

/* A copy for each piece, in their order. */
bool moat_publication_supply(const struct moat_registered *code)
{
    const struct moat_fde *fde = moat_cfi_first(code->copy.eh_frame);

    while (fde != NULL && moat_supply_add(piece_bytes(fde)))
        fde = moat_cfi_next(fde);
    return fde == NULL;
}

moat_status moat_publication_prepare(const struct moat_registered *code)
{
    const struct moat_fde *fde = moat_cfi_first(code->copy.eh_frame);
    moat_status status = MOAT_OK;
    size_t pieces = 0;

    for (; fde != NULL; fde = moat_cfi_next(fde))
        pieces++;
    if (pieces > 0)
        status = moat_groups_prepare(pieces);
    return status == MOAT_OK ? moat_debugger_prepare() : status;
}

/* False: no memory. */
static bool announce_image(struct publication *publication)
{
    if (publication->image_bytes == 0)
        return true;
    publication->debugger =
        moat_debugger_add(publication->image, publication->image_bytes);
    return publication->debugger != NULL;
}

moat_status moat_publication_open(struct moat_registered *code)
{
    const moat_code *copy = &code->copy;
    struct publication *publication = (void *)code->user;

    if (!add_pieces(copy, publication))
        return MOAT_E_NOMEM;
    if (!announce_image(publication)) {
        remove_pieces(copy, publication);
        return MOAT_E_NOMEM;
    }
    moat_perf_map_add(copy);
    moat_jitdump_add(copy);
    return MOAT_OK;
}

void moat_publication_close(struct moat_registered *code)
{
    const struct publication *publication = (const void *)code->user;

    if (publication->debugger != NULL)
        moat_debugger_remove(publication->debugger);
    remove_pieces(&code->copy, publication);
}
