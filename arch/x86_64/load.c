/*
 * load.c: loads at addresses that a machine context names.
 *
 * The system is asked first, since a fault would kill the process where its
 * signal is blocked: in a host's handler that passes signals on to moat. The
 * load itself may fail nevertheless, if another thread unmaps the memory in
 * between.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/x86_64/load.h"

#include <string.h>

#include "arch/arch.h"
#include "sys/readable.h"

#define WORD_BYTES sizeof(uintptr_t)

static bool load_aligned(uintptr_t address, uintptr_t *out)
{
    return moat_memory_can_read(address) && moat_arch_peek(address, out);
}

bool moat_load_byte(uintptr_t address, unsigned char *out)
{
    uintptr_t at = address & ~(WORD_BYTES - 1), word;

    if (!load_aligned(at, &word))
        return false;
    *out = (unsigned char)(word >> (address - at) * 8);
    return true;
}

bool moat_load_word(uintptr_t address, uintptr_t *out)
{
    uintptr_t at = address & ~(WORD_BYTES - 1), words[2] = {0, 0};

    if (!load_aligned(at, &words[0]) ||
        (at != address && !load_aligned(at + WORD_BYTES, &words[1])))
        return false;
    memcpy(out, (const char *)words + (address - at), sizeof *out);
    return true;
}
