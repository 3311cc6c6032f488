/*
 * rows.c: rows that were made before, by pc; the process', of a fixed size.
 *
 * What can be stale: a library is closed and another one comes to lie at its
 * addresses, a later build of the same one as a rule, perhaps with its
 * .eh_frame at the same place. So a row is good only as long as the bytes that
 * it was made of are where they were: it has a fingerprint of its entry and of
 * the common one, which is taken again at each use. The place is looked for in
 * the segment of the file that is loaded now, and no byte outside is read. Rows
 * of the program itself cannot be stale. (Nor can another file's be taken for
 * one of the program's: no other is ever mapped there.)
 *
 * Each slot is a sequence lock: odd while somebody writes. Whoever meets one
 * that is being written, or changes under its eyes, goes without: nobody ever
 * waits, and a handler may interrupt a writer. All words are atomic, read by
 * acquire and written by release, so that a word of a later writing is never
 * seen together with the number of an earlier one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <string.h>

#include "unwind/row.h"

#define SLOTS 1024u /* 64 KiB */

/* The rules that are kept: those of what a call preserves. */
#define KEPT      MOAT_ARCH_DWARF_KEPT
#define KIND_BITS 3u
#define KIND_MASK ((1u << KIND_BITS) - 1)

/* A row without rules for other registers, which signal frames have. */
struct packed_row {
    uint64_t pc, fingerprint;
    int32_t fde; /* its place, from .eh_frame_hdr           */
    uint32_t kinds;
    int32_t cfa;
    int32_t values[KEPT];
    uint8_t cfa_register, cfa_kind, signal_frame, plain;
};

#define WORDS (sizeof(struct packed_row) / sizeof(uint64_t))
_Static_assert(sizeof(struct packed_row) % sizeof(uint64_t) == 0,
               "in whole words");

/* In and out by words: a copy by wider ones would wait for them. */
union packed {
    struct packed_row row;
    uint64_t words[WORDS];
};

_Static_assert(KEPT *KIND_BITS <= 32, "the kinds do not fit");
_Static_assert((1u << KIND_BITS) > MOAT_RULE_VAL_EXPRESSION,
               "a kind does not fit");

struct slot {
    _Alignas(64) _Atomic uint64_t sequence;
    _Atomic uint64_t words[WORDS];
};

static struct slot slots[SLOTS];

static struct slot *slot_of(uintptr_t pc)
{
    return &slots[(pc * UINT64_C(0x9e3779b97f4a7c15)) >> 54];
}
_Static_assert(SLOTS == 1u << (64 - 54), "the hash has as many values");

static bool load(struct slot *slot, union packed *out)
{
    uint64_t before =
        atomic_load_explicit(&slot->sequence, memory_order_acquire);

    if (before % 2 != 0)
        return false;
    for (size_t i = 0; i < WORDS; i++)
        out->words[i] =
            atomic_load_explicit(&slot->words[i], memory_order_acquire);
    return atomic_load_explicit(&slot->sequence, memory_order_relaxed) ==
           before;
}

static void store(struct slot *slot, const union packed *packed)
{
    uint64_t before =
        atomic_load_explicit(&slot->sequence, memory_order_relaxed);

    if (before % 2 != 0 || !atomic_compare_exchange_strong_explicit(
                               &slot->sequence, &before, before + 1,
                               memory_order_acq_rel, memory_order_relaxed))
        return;
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&slot->words[i], packed->words[i],
                              memory_order_release);
    atomic_store_explicit(&slot->sequence, before + 2, memory_order_release);
}

/* --- packing ------------------------------------------------------------- */

static bool pack(const struct moat_object *object, const unsigned char *fde,
                 uintptr_t pc, const struct moat_row *row, union packed *out)
{
    uint32_t left = row->set;

    memset(out, 0, sizeof *out);
    out->row.pc = pc;
    out->row.fde = (int32_t)(fde - object->hdr);
    out->row.cfa = row->cfa.value;
    out->row.cfa_kind = (uint8_t)row->cfa.kind;
    out->row.cfa_register = (uint8_t)row->cfa_register;
    out->row.signal_frame = row->signal_frame;
    out->row.plain = row->plain;
    for (unsigned i = 0; i < KEPT; i++) {
        unsigned number = moat_arch_dwarf_kept[i];

        if ((left >> number & 1) == 0)
            continue;
        left &= ~(UINT32_C(1) << number);
        out->row.values[i] = row->rules[number].value;
        out->row.kinds |= (uint32_t)row->rules[number].kind << i * KIND_BITS;
    }
    return left == 0 &&
           moat_row_fingerprint(&object->bytes, fde, &out->row.fingerprint);
}

static void unpack(const union packed *packed, const struct moat_object *object,
                   struct moat_row *out)
{
    uint32_t kinds = packed->row.kinds;

    out->base = object->hdr + packed->row.fde;
    out->end = object->bytes.end;
    out->cfa.value = packed->row.cfa;
    out->cfa.kind = packed->row.cfa_kind;
    out->cfa_register = packed->row.cfa_register;
    out->signal_frame = packed->row.signal_frame != 0;
    out->plain = packed->row.plain != 0;
    out->set = 0;
    for (unsigned i = 0; kinds != 0; i++, kinds >>= KIND_BITS) {
        unsigned number = moat_arch_dwarf_kept[i];

        if ((kinds & KIND_MASK) == MOAT_RULE_SAME)
            continue;
        out->set |= UINT32_C(1) << number;
        out->rules[number].value = packed->row.values[i];
        out->rules[number].kind = kinds & KIND_MASK;
    }
}

static bool is_good(const union packed *packed,
                    const struct moat_object *object, uintptr_t pc)
{
    uint64_t fingerprint;

    if (packed->row.pc != pc)
        return false;
    if (object->stays)
        return true;
    return moat_row_fingerprint(&object->bytes, object->hdr + packed->row.fde,
                                &fingerprint) &&
           fingerprint == packed->row.fingerprint;
}

bool moat_rows_find(const struct moat_object *object, uintptr_t pc,
                    struct moat_row *out)
{
    struct slot *slot = slot_of(pc);
    union packed packed;
    const unsigned char *fde;

    if (load(slot, &packed) && is_good(&packed, object, pc)) {
        unpack(&packed, object, out);
        return true;
    }
    fde = moat_object_fde(object, pc);
    if (fde == NULL || !moat_row_make(&object->bytes, fde, pc, out))
        return false;
    if (pack(object, fde, pc, out, &packed))
        store(slot, &packed);
    return true;
}
