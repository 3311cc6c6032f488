/*
 * drop.c: pages go back to the system.
 *
 * By MADV_DONTNEED, not by MADV_FREE, which leaves old contents readable. Other
 * threads' processors must forget each page before the call returns, so that
 * many ranges in one system call cost far less than one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "stack/annotate.h"
#include "stack/size.h"
#include "stack/stack.h"

static bool is_zero(uintptr_t page)
{
    return *(const unsigned char *)page == 0;
}

bool moat_drop_batch_works(void)
{
    return moat_pages_advice_works(MADV_DONTNEED, is_zero);
}

moat_status moat_pages_drop(const struct moat_pages *ranges, size_t count)
{
    moat_status status = MOAT_OK;

    for (; count > MOAT_ADVICE_RANGES; count -= MOAT_ADVICE_RANGES) {
        if (moat_pages_drop(ranges, MOAT_ADVICE_RANGES) != MOAT_OK)
            status = MOAT_E_SYSTEM;
        ranges += MOAT_ADVICE_RANGES;
    }
    if (moat_methods.batch && moat_pages_advise(ranges, count, MADV_DONTNEED))
        return status;
    for (size_t i = 0; i < count; i++) {
        if (madvise((void *)ranges[i].low, ranges[i].high - ranges[i].low,
                    MADV_DONTNEED) != 0)
            status = MOAT_E_SYSTEM;
    }
    return status;
}

moat_status moat_pages_discard(uintptr_t low, uintptr_t high)
{
    if (madvise((void *)low, high - low, MADV_DONTNEED) == 0)
        return MOAT_OK;
    /* Locked memory (mlockall) cannot be dropped, only overwritten. */
    if (errno != EINVAL)
        return MOAT_E_SYSTEM;
    moat_annotate_cleared(low, high);
    memset((void *)low, 0, high - low);
    return MOAT_OK;
}

size_t moat_pages_resident(uintptr_t low, uintptr_t high)
{
    unsigned char words[1024]; /* one for each page */
    size_t bytes = 0;

    while (low < high) {
        size_t pages = (high - low) / MOAT_PAGE_BYTES;

        if (pages > sizeof words)
            pages = sizeof words;
        if (mincore((void *)low, pages * MOAT_PAGE_BYTES, words) != 0)
            return bytes;
        for (size_t i = 0; i < pages; i++)
            bytes += (words[i] & 1) * MOAT_PAGE_BYTES;
        low += pages * MOAT_PAGE_BYTES;
    }
    return bytes;
}
