/*
 * advice.c: one system call for many ranges.
 *
 * What madvise(2) does to one range process_madvise(2) does to many, for the
 * price of one entry into the kernel and of one look at the process's mappings;
 * a process may give itself any advice so since Linux 6.13.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mman.h>
#include <sys/uio.h>

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
