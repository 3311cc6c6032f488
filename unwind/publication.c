/*
 * publication.c: what is told of one registration, and to whom.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/publication.h"

#include <stdlib.h>
#include <string.h>

/* Behind the pieces lie the rules of each, if there is more than one, and the
 * debuggers' image. */
struct moat_publication {
    const void *image;
    size_t image_bytes; /* 0: debuggers are not told */
    struct moat_debugger_entry *debugger;
    size_t piece_count;
    struct moat_piece pieces[];
};

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

static size_t count_pieces(const moat_code *code, size_t *bytes)
{
    size_t count = 0;

    *bytes = 0;
    for (const struct moat_fde *fde = moat_cfi_first(code->eh_frame);
         fde != NULL; fde = moat_cfi_next(fde)) {
        count++;
        *bytes += rules_bytes(fde);
    }
    if (count < 2)
        *bytes = 0;
    return count;
}

static void copy_rules(struct moat_piece *piece, const struct moat_fde *fde,
                       unsigned char *to)
{
    size_t cie = entry_bytes(cie_of(fde));
    struct moat_fde *copy = (void *)(to + cie);

    memcpy(to, cie_of(fde), cie);
    memcpy(copy, fde, entry_bytes(fde));
    copy->to_cie = (uint32_t)(cie + sizeof copy->length);
    memset(to + cie + entry_bytes(fde), 0, sizeof(uint64_t));
    piece->rules = to;
    piece->fde = copy;
}

/* A single FDE is by itself where it is. Gives what lies behind the rules. */
static unsigned char *make_pieces(struct moat_publication *publication,
                                  const moat_code *code, unsigned char *to)
{
    struct moat_piece *piece = publication->pieces;

    for (const struct moat_fde *fde = moat_cfi_first(code->eh_frame);
         fde != NULL; fde = moat_cfi_next(fde), piece++) {
        piece->begin = fde->begin;
        piece->end = fde->begin + fde->size;
        piece->rules = cie_of(fde);
        piece->fde = fde;
        if (publication->piece_count > 1) {
            copy_rules(piece, fde, to);
            to += rules_bytes(fde);
        }
    }
    return to;
}

/* --- publications -------------------------------------------------------- */

/* Debuggers have names, rules and lines for a file's code. */
static bool is_news(const moat_code *code)
{
    return code->name != NULL || code->eh_frame != NULL || code->line_count > 0;
}

moat_status moat_publication_make(const moat_code *code,
                                  struct moat_publication **out)
{
    struct moat_publication *made;
    size_t rules, count = count_pieces(code, &rules);
    size_t image = is_news(code) ? moat_debugger_image(code, NULL) : 0;
    unsigned char *to;

    made =
        malloc(sizeof *made + count * sizeof made->pieces[0] + rules + image);
    if (made == NULL)
        return MOAT_E_NOMEM;
    memset(made, 0, sizeof *made);
    made->piece_count = count;
    to = make_pieces(made, code, (unsigned char *)&made->pieces[count]);
    made->image = to;
    made->image_bytes = image;
    if (image > 0)
        (void)moat_debugger_image(code, to);
    *out = made;
    return MOAT_OK;
}

void moat_publication_free(struct moat_publication *publication)
{
    free(publication);
}

static void remove_pieces(struct moat_publication *publication, size_t count)
{
    for (size_t i = 0; i < count; i++)
        moat_groups_remove(&publication->pieces[i]);
}

moat_status moat_publication_open(struct moat_publication *publication)
{
    for (size_t i = 0; i < publication->piece_count; i++) {
        if (moat_groups_add(&publication->pieces[i]) != MOAT_OK) {
            remove_pieces(publication, i);
            return MOAT_E_NOMEM;
        }
    }
    if (publication->image_bytes == 0)
        return MOAT_OK;
    publication->debugger =
        moat_debugger_add(publication->image, publication->image_bytes);
    if (publication->debugger != NULL)
        return MOAT_OK;
    remove_pieces(publication, publication->piece_count);
    return MOAT_E_NOMEM;
}

void moat_publication_close(struct moat_publication *publication)
{
    if (publication->debugger != NULL)
        moat_debugger_remove(publication->debugger);
    remove_pieces(publication, publication->piece_count);
}
