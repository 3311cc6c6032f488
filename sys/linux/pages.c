/*
 * pages.c: pages go back to the system.
 *
 * MADV_DONTNEED, not MADV_FREE, which leaves old contents readable. The
 * processors of other threads must forget each page before the call returns, so
 * many ranges in one system call cost far less than one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/pages.h"

#include <errno.h>
#include <sys/mman.h>

#include "sys/filter.h"
#include "sys/linux/advice.h"
#include "sys/methods.h"
#include "sys/page.h"
#include "sys/refusal.h"

static bool is_zero(uintptr_t page)
{
    return *(const unsigned char *)page == 0;
}

bool moat_pages_drop_batch_works(void)
{
    return moat_pages_advice_works(MADV_DONTNEED, is_zero);
}

moat_status moat_pages_drop_range(uintptr_t low, uintptr_t high)
{
    unsigned char filter = moat_filter_pause();
    bool done = madvise((void *)low, high - low, MADV_DONTNEED) == 0;

    moat_filter_restore(filter);
    if (done)
        return MOAT_OK;
    return errno == EINVAL ? MOAT_E_UNSUPPORTED : moat_refuse_errno("madvise");
}

moat_status moat_pages_drop(const struct moat_pages *ranges, size_t count)
{
    moat_status status = MOAT_OK;

    if (moat_methods.batch && moat_pages_advise(ranges, count, MADV_DONTNEED))
        return status;
    for (size_t i = 0; i < count; i++) {
        if (moat_pages_drop_range(ranges[i].low, ranges[i].high) != MOAT_OK)
            status = moat_refuse_errno("madvise");
    }
    return status;
}

size_t moat_pages_resident(uintptr_t low, uintptr_t high)
{
    unsigned char words[1024]; /* one for each page */
    size_t page = moat_page_bytes(), bytes = 0;

    while (low < high) {
        size_t pages = (high - low) / page;

        if (pages > sizeof words)
            pages = sizeof words;
        if (mincore((void *)low, pages * page, words) != 0)
            return bytes;
        for (size_t i = 0; i < pages; i++)
            bytes += (words[i] & 1) * page;
        low += pages * page;
    }
    return bytes;
}
