/*
 * rules.h: unwind information of the input's, at the end of a page after which
 * nothing is mapped, so that a read past its end faults.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_INSIDE_RULES_H
#define FUZZ_INSIDE_RULES_H

#include "input.h"
#include "unwind/cursor.h"
#include "unwind/reader.h"

#define RULES_CODE_BYTES ((uint64_t)0x1000)
#define RULES_WORDS      512u

struct rules {
    struct moat_span bytes;
    const unsigned char *fde; /* in them                                   */
    uintptr_t code;           /* what they are for; nothing is mapped there */
    uintptr_t *words;         /* a stack                                   */
};

extern struct rules rules;

/* Maps the pages; once. */
void rules_begin(void);

/* Puts bytes at the end of the page. */
void rules_put(const unsigned char *bytes, size_t count);

/* Makes a CIE and an FDE. Their instructions are the input's bytes, or composed
 * from what it chooses, so that more of them are sound. */
void rules_make(struct input *input, bool composed);

/* Fills the stack and the registers; most of them point into it. */
void rules_fill_stack(struct input *input);
void rules_registers(struct input *input, moat_regs *out);

/* Asks libunwind for the step. False: it refuses it. */
bool rules_ask_libunwind(const moat_regs *regs, moat_regs *out,
                         uint32_t *known);

#endif
