/*
 * plt.c: functions that are bound at their first call, on x86-64.
 *
 * The word for such a function leads to `push $number` in the procedure linkage
 * table (psABI 5.2), after an endbr64 where branches are tracked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/plt.h"

#include <elf.h>
#include <string.h>

bool moat_plt_is_jump(uint64_t type)
{
    return type == R_X86_64_JUMP_SLOT;
}

bool moat_plt_binds(uintptr_t code)
{
    static const unsigned char endbr64[4] = {0xf3, 0x0f, 0x1e, 0xfa};
    const unsigned char *at = (const unsigned char *)code;

    if (memcmp(at, endbr64, sizeof endbr64) == 0)
        at += sizeof endbr64;
    return *at == 0x68;
}
