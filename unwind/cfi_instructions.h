/*
 * cfi_instructions.h: call frame instructions from a caller, checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_CFI_INSTRUCTIONS_H
#define MOAT_UNWIND_CFI_INSTRUCTIONS_H

#include <stdbool.h>

#include "unwind/reader.h"

/* Reads a LEB128 number. One that is longer than 64 bits need is bad. */
uint64_t moat_cfi_leb(struct moat_reader *reader, bool is_signed);

/* Returns whether unwinders can run the instructions. Unwinders take them for a
 * compiler's work: given others they abort, or never come to an end. */
bool moat_cfi_are_instructions(struct moat_reader instructions);

#endif
