/*
 * rows.c: a cache of rows, by pc; one for the process, of a fixed size.
 *
 * What can be stale: a library is closed and another is mapped at its
 * addresses, typically a later build of the same one, perhaps with its
 * .eh_frame at the same address. So a row is good only as long as the bytes
 * that it was made from are where they were. The cache stores a fingerprint of
 * the FDE and CIE and recomputes it on each use, reading only the segment of
 * the currently loaded file. The program itself is never unmapped, so its rows
 * cannot go stale or be confused with another file's.
 *
 * Each slot is a sequence lock: its number is odd while it is written. A reader
 * that finds an odd number, or one that has changed by the end, makes the row
 * anew; a writer that finds an odd number does not keep its row. So nothing
 * ever waits, and a handler may interrupt a writer. All words are atomic, read
 * by acquire and written by release, so that a word of a later write is never
 * seen with the number of an earlier one.
 *
 * A writer may also be a guest that is stopped between two words. The odd
 * number names the thread that writes, and that thread empties the slot once it
 * has landed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/rows.h"

#include <stdatomic.h>
#include <string.h>

#include "unwind/eh_frame.h"

#define SLOTS 1024u /* 64 KiB */

/* Rules are kept for the registers that a call preserves. */
#define KEPT      MOAT_ARCH_DWARF_KEPT
#define KIND_BITS 3u
#define KIND_MASK ((1u << KIND_BITS) - 1)

/* A row whose only rules are for call-preserved registers. Rows of signal
 * frames have others and are not cached. */
struct packed_row {
    uint64_t pc, fingerprint;
    int32_t fde; /* its distance from .eh_frame_hdr */
    uint32_t kinds;
    int32_t cfa;
    int32_t values[KEPT];
    uint8_t cfa_register, cfa_kind, signal_frame, plain;
};

#define WORDS (sizeof(struct packed_row) / sizeof(uint64_t))
_Static_assert(sizeof(struct packed_row) % sizeof(uint64_t) == 0,
               "in whole words");

/* Loaded and stored by words: a copy by wider ones would wait for them. */
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

/* The slot that this thread is about to write or writes; NULL: none. */
static __thread struct {
    struct slot *volatile slot;
    volatile uint64_t next; /* the slot's number afterwards */
} writing __attribute__((tls_model("initial-exec")));

/* Returns the number of a slot that this thread writes: odd, and no other
 * thread's. */
static uint64_t writers_number(void)
{
    return (uintptr_t)&writing | 1;
}

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

    /* A handler that has interrupted a writer leaves the note to that one. */
    if (before % 2 != 0 || writing.slot != NULL)
        return;
    writing.next = before + 2;
    writing.slot = slot;
    if (atomic_compare_exchange_strong_explicit(
            &slot->sequence, &before, writers_number(), memory_order_acq_rel,
            memory_order_relaxed)) {
        for (size_t i = 0; i < WORDS; i++)
            atomic_store_explicit(&slot->words[i], packed->words[i],
                                  memory_order_release);
        atomic_store_explicit(&slot->sequence, before + 2,
                              memory_order_release);
    }
    writing.slot = NULL;
}

/* The first word is the pc, of which no row has 0. */
void moat_rows_landed(void)
{
    struct slot *slot = writing.slot;

    if (slot == NULL)
        return;
    if (atomic_load_explicit(&slot->sequence, memory_order_relaxed) ==
        writers_number()) {
        atomic_store_explicit(&slot->words[0], 0, memory_order_release);
        atomic_store_explicit(&slot->sequence, writing.next,
                              memory_order_release);
    }
    writing.slot = NULL;
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
           moat_eh_fingerprint(&object->bytes, fde, &out->row.fingerprint);
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
    return moat_eh_fingerprint(&object->bytes, object->hdr + packed->row.fde,
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
