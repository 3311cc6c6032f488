/*
 * frame_record.h: frame records, which functions with a frame pointer leave on
 * the stack, followed through memory that may hold anything.
 *
 * A chain of records stays within bounds: each record is checked before it is
 * read, and each must lie above the one before, so that a walk ends whatever it
 * meets. Where no bounds are known a record is peeked at.
 *
 * Async-signal-safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_FRAME_RECORD_H
#define MOAT_UNWIND_FRAME_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "stack/annotate.h"

/* A function's prologue leaves the caller's frame pointer and the return
 * address (psABI 3.2.2, figure 3.3). */
struct moat_frame_record {
    uintptr_t fp, pc;
};

struct moat_frame_chain {
    uintptr_t fp;          /* of the next record          */
    uintptr_t limit, base; /* it must lie in [limit, base) */
};

/* Returns whether the next record lies within the bounds. */
static inline bool
moat_frame_chain_continues(const struct moat_frame_chain *chain)
{
    return chain->fp >= chain->limit && chain->fp < chain->base &&
           chain->base - chain->fp >= sizeof(struct moat_frame_record) &&
           chain->fp % sizeof(uintptr_t) == 0;
}

/* Reads the next record. False: the chain ends, out of bounds or without a
 * return address. */
static inline MOAT_NO_SANITIZE bool
moat_frame_chain_next(const struct moat_frame_chain *chain,
                      struct moat_frame_record *out)
{
    if (!moat_frame_chain_continues(chain))
        return false;
    *out = *(const struct moat_frame_record *)chain->fp;
    return out->pc != 0;
}

/* Passes the record that was read. Returns the caller's stack pointer. */
static inline uintptr_t
moat_frame_chain_pass(struct moat_frame_chain *chain,
                      const struct moat_frame_record *record)
{
    chain->limit = chain->fp + sizeof *record;
    chain->fp = record->fp;
    return chain->limit;
}

/* Loads a record that may lie anywhere. False: it cannot be read. */
static inline bool moat_frame_record_peek(uintptr_t fp,
                                          struct moat_frame_record *out)
{
    return moat_arch_peek(fp, &out->fp) &&
           moat_arch_peek(fp + sizeof out->fp, &out->pc);
}

#endif
