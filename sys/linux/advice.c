/*
 * advice.c: one system call for many ranges.
 *
 * process_madvise(2) does to many ranges what madvise(2) does to one, for the
 * price of one entry into the kernel and one search of the process's mappings.
 * A process may give itself any advice this way since Linux 6.13.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/linux/advice.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "sys/methods.h"
#include "sys/page.h"

/* The process itself, as a descriptor (linux/pidfd.h). */
#define PIDFD_SELF_THREAD (-10000)

struct moat_methods moat_methods;

bool moat_pages_advise(const struct moat_pages *ranges, size_t count,
                       int advice)
{
    struct iovec parts[MOAT_MAX_RANGES];
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        parts[i].iov_base = (void *)ranges[i].low;
        parts[i].iov_len = ranges[i].high - ranges[i].low;
        bytes += parts[i].iov_len;
    }
    return process_madvise(PIDFD_SELF_THREAD, parts, count, advice, 0) ==
           (ssize_t)bytes;
}

/* Tries it on two pages that have contents, with one between them. */
bool moat_pages_advice_works(int advice, bool (*holds)(uintptr_t page))
{
    size_t page = moat_page_bytes();
    unsigned char *pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t low = (uintptr_t)pages, high = low + 2 * page;
    const struct moat_pages ranges[] = {{low, low + page}, {high, high + page}};
    bool works;

    if (pages == MAP_FAILED)
        return false;
    memset(pages, 1, 3 * page);
    works = moat_pages_advise(ranges, 2, advice) && holds(low) && holds(high);
    (void)munmap(pages, 3 * page);
    return works;
}
