/*
 * pagemap.c: /proc/self/pagemap (proc(5),
 * Documentation/admin-guide/mm/pagemap.rst of Linux), read in two ways: a word
 * per page, or, since Linux 6.7, by PAGEMAP_SCAN, a system call for many
 * stacks.
 *
 * mincore(2) would not do: it does not distinguish a page in swap, which has
 * contents, from one that was never there. The file is opened for each search:
 * a descriptor kept open would name the parent's memory after a fork, and a
 * host that closes all descriptors could close it and reuse its number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sys/methods.h"
#include "sys/refusal.h"
#include "sys/seal.h"
#include "sys/size.h"

int moat_pagemap_open(void)
{
    int pagemap;

    moat_uncancellable_begin();
    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0)
        moat_uncancellable_end();
    return pagemap;
}

void moat_pagemap_close(int pagemap)
{
    (void)close(pagemap);
    moat_uncancellable_end();
}

bool moat_pagemap_works(void)
{
    int fd = moat_pagemap_open();

    if (fd < 0)
        return false;
    moat_pagemap_close(fd);
    return true;
}

/* --- by a word per page --------------------------------------------------- */

#define WORD_PRESENT (UINT64_C(1) << 63)
#define WORD_SWAPPED (UINT64_C(1) << 62)

/* Words read at once: one read covers a stack of half a MiB. */
#define WORDS 128

/* Visits the pages that are in use according to words[0..count). */
static bool visit_words(const uint64_t *words, size_t count, uintptr_t page,
                        moat_run_visitor *visit, void *arg)
{
    size_t bytes = moat_page_bytes();

    for (size_t i = 0; i < count; i++, page += bytes) {
        if ((words[i] & (WORD_PRESENT | WORD_SWAPPED)) &&
            !visit(page, page + bytes, arg))
            return false;
    }
    return true;
}

static moat_status visit_by_words(int fd, uintptr_t low, uintptr_t high,
                                  moat_run_visitor *visit, void *arg)
{
    size_t page = moat_page_bytes();
    uint64_t words[WORDS];

    while (low < high) {
        size_t pages = (high - low) / page;
        size_t bytes = (pages < WORDS ? pages : WORDS) * sizeof words[0];
        off_t offset = (off_t)(low / page * sizeof words[0]);
        ssize_t got = pread(fd, words, bytes, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < (ssize_t)sizeof words[0])
            return moat_refuse_errno("a read of /proc/self/pagemap");
        pages = (size_t)got / sizeof words[0];
        if (!visit_words(words, pages, low, visit, arg))
            return MOAT_OK;
        low += pages * page;
    }
    return MOAT_OK;
}

/* --- by PAGEMAP_SCAN ------------------------------------------------------ */

/* linux/fs.h of Debian 12 is older than the call. */
struct page_region {
    uint64_t start, end, categories;
};

struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof, return_mask;
};

#define PAGEMAP_SCAN    _IOWR('f', 16, struct scan)
#define PAGE_IS_PRESENT ((uint64_t)1 << 3)
#define PAGE_IS_SWAPPED ((uint64_t)1 << 4)
#define PAGE_IS_PFNZERO ((uint64_t)1 << 5)

/* Runs that one call reports: they lie on a guest's stack. */
#define RUNS 64

/* Pages that were only read share one page of zeros: they are left out. Present
 * and swapped pages are separate runs, so that a guard, which counts as
 * swapped, is no part of the run beside it. */
static int scan(int pagemap, uintptr_t low, uintptr_t high,
                struct page_region *runs, uintptr_t *walked_to)
{
    struct scan ask = {
        .size = sizeof ask,
        .start = low,
        .end = high,
        .vec = (uintptr_t)runs,
        .vec_len = RUNS,
        .category_inverted = PAGE_IS_PFNZERO,
        .category_mask = PAGE_IS_PFNZERO,
        .category_anyof = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        .return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
    };
    int count = ioctl(pagemap, PAGEMAP_SCAN, &ask);

    *walked_to = ask.walk_end;
    return count;
}

static moat_status visit_by_scan(int pagemap, uintptr_t low, uintptr_t high,
                                 moat_run_visitor *visit, void *arg)
{
    struct page_region runs[RUNS] = {{0, 0, 0}};

    while (low < high) {
        uintptr_t walked_to = low;
        int count = scan(pagemap, low, high, runs, &walked_to);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 || walked_to <= low)
            return moat_refuse_errno("PAGEMAP_SCAN");
        for (int i = 0; i < count; i++) {
            if (!visit(runs[i].start, runs[i].end, arg))
                return MOAT_OK;
        }
        low = walked_to;
    }
    return MOAT_OK;
}

/* Looks at a page that is present: the caller's own stack. */
bool moat_pagemap_scan_works(void)
{
    struct page_region runs[RUNS] = {{0, 0, 0}};
    uintptr_t page = moat_page_of((uintptr_t)runs);
    uintptr_t end = page + moat_page_bytes(), walked_to;
    int pagemap = moat_pagemap_open();
    bool works;

    if (pagemap < 0)
        return false;
    works = scan(pagemap, page, end, runs, &walked_to) == 1 &&
            walked_to == end && runs[0].start == page;
    moat_pagemap_close(pagemap);
    return works;
}

/* --- either --------------------------------------------------------------- */

moat_status moat_pagemap_visit(int pagemap, uintptr_t low, uintptr_t high,
                               moat_run_visitor *visit, void *arg)
{
    if (moat_methods.scan)
        return visit_by_scan(pagemap, low, high, visit, arg);
    return visit_by_words(pagemap, low, high, visit, arg);
}

static bool note_lowest(uintptr_t low, uintptr_t high, void *arg)
{
    (void)high;
    *(uintptr_t *)arg = low;
    return false;
}

moat_status moat_pagemap_lowest(uintptr_t low, uintptr_t high, uintptr_t *out)
{
    int pagemap = moat_pagemap_open();
    moat_status status;

    *out = high;
    if (pagemap < 0)
        return moat_refuse_errno("opening /proc/self/pagemap");
    /* By the words: a page that was only read counts, too. */
    status = visit_by_words(pagemap, low, high, note_lowest, out);
    moat_pagemap_close(pagemap);
    return status;
}
