/*
 * advice.c: one system call for many ranges.
 *
 * What madvise(2) does to one range process_madvise(2) does to many, for the
 * price of one entry into the kernel and of one look at the process's mappings;
 * a process may give itself any advice so since Linux 6.13.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "stack/size.h"
#include "stack/stack.h"

/* The process itself, as a descriptor (linux/pidfd.h). */
#define PIDFD_SELF_THREAD (-10000)

bool moat_pages_advise(const struct moat_pages *ranges, size_t count,
                       int advice)
{
    struct iovec parts[MOAT_ADVICE_RANGES];
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        parts[i].iov_base = (void *)ranges[i].low;
        parts[i].iov_len = ranges[i].high - ranges[i].low;
        bytes += parts[i].iov_len;
    }
    return process_madvise(PIDFD_SELF_THREAD, parts, count, advice, 0) ==
           (ssize_t)bytes;
}

/* Tries it on two pages that hold something, with one between them. */
bool moat_pages_advice_works(int advice, bool (*holds)(uintptr_t page))
{
    unsigned char *pages =
        mmap(NULL, 3 * MOAT_PAGE_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t low = (uintptr_t)pages, high = low + 2 * MOAT_PAGE_BYTES;
    const struct moat_pages ranges[] = {{low, low + MOAT_PAGE_BYTES},
                                        {high, high + MOAT_PAGE_BYTES}};
    bool works;

    if (pages == MAP_FAILED)
        return false;
    memset(pages, 1, 3 * MOAT_PAGE_BYTES);
    works = moat_pages_advise(ranges, 2, advice) && holds(low) && holds(high);
    (void)munmap(pages, 3 * MOAT_PAGE_BYTES);
    return works;
}
