/*
 * pages.c: which pages of a stack hold something, and how they become zeros.
 *
 * /proc/self/pagemap (proc(5), Documentation/admin-guide/mm/pagemap.rst) has a
 * word per page. The file is opened for each question: a descriptor kept open
 * would name the parent's memory after a fork, and could be closed and reused
 * under us by a host that closes everything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stack/size.h"
#include "stack/stack.h"

#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)

/* Words read at once: one read covers a stack of half a MiB. */
#define WORDS 128

/* Called for each page in use, upwards; false ends the walk. */
typedef bool page_visitor(uintptr_t page, void *arg);

static int pagemap_open(void)
{
    return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

bool moat_pages_known(void)
{
    int fd = pagemap_open();

    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

/* Visits the pages that words[0..count) say are in use. */
static bool visit_words(const uint64_t *words, size_t count, uintptr_t page,
                        page_visitor *visit, void *arg)
{
    for (size_t i = 0; i < count; i++, page += MOAT_PAGE_BYTES) {
        if ((words[i] & (PAGE_PRESENT | PAGE_SWAPPED)) && !visit(page, arg))
            return false;
    }
    return true;
}

static moat_status visit_pages(int fd, uintptr_t low, uintptr_t high,
                               page_visitor *visit, void *arg)
{
    uint64_t words[WORDS];

    while (low < high) {
        size_t pages = (high - low) / MOAT_PAGE_BYTES;
        size_t bytes = (pages < WORDS ? pages : WORDS) * sizeof words[0];
        off_t offset = (off_t)(low / MOAT_PAGE_BYTES * sizeof words[0]);
        ssize_t got = pread(fd, words, bytes, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < (ssize_t)sizeof words[0])
            return MOAT_E_SYSTEM;
        pages = (size_t)got / sizeof words[0];
        if (!visit_words(words, pages, low, visit, arg))
            return MOAT_OK;
        low += pages * MOAT_PAGE_BYTES;
    }
    return MOAT_OK;
}

static bool note_lowest(uintptr_t page, void *arg)
{
    *(uintptr_t *)arg = page;
    return false;
}

static bool clear_page(uintptr_t page, void *arg)
{
    (void)arg;
    memset((void *)page, 0, MOAT_PAGE_BYTES);
    return true;
}

static moat_status with_pagemap(uintptr_t low, uintptr_t high,
                                page_visitor *visit, void *arg)
{
    int fd = pagemap_open();
    moat_status status;

    if (fd < 0)
        return MOAT_E_SYSTEM;
    status = visit_pages(fd, low, high, visit, arg);
    (void)close(fd);
    return status;
}

moat_status moat_pages_lowest(uintptr_t low, uintptr_t high, uintptr_t *out)
{
    *out = high;
    return with_pagemap(low, high, note_lowest, out);
}

moat_status moat_pages_zero(uintptr_t low, uintptr_t high)
{
    if (with_pagemap(low, high, clear_page, NULL) == MOAT_OK)
        return MOAT_OK;
    /* The same contents by a dearer way: no word of the old ones survives. */
    return moat_pages_discard(low, high);
}

moat_status moat_pages_discard(uintptr_t low, uintptr_t high)
{
    /* Not MADV_FREE, which leaves old contents readable. */
    if (madvise((void *)low, high - low, MADV_DONTNEED) == 0)
        return MOAT_OK;
    /* Locked memory (mlockall) cannot be dropped, only overwritten. */
    if (errno != EINVAL)
        return MOAT_E_SYSTEM;
    memset((void *)low, 0, high - low);
    return MOAT_OK;
}
