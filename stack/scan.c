/*
 * scan.c: which pages hold something, by PAGEMAP_SCAN (Linux 6.7,
 * Documentation/admin-guide/mm/pagemap.rst): a system call for many stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "stack/size.h"
#include "stack/stack.h"

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

/* Runs told at once: they lie on a guest's stack. */
#define RUNS 64

/* Pages that were only read share one page of zeros: they are left out. Present
 * and swapped pages are told apart, so that a guard, which counts as swapped,
 * is no part of the run beside it. */
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

moat_status moat_scan_visit(int pagemap, uintptr_t low, uintptr_t high,
                            moat_run_visitor *visit, void *arg)
{
    struct page_region runs[RUNS] = {{0, 0, 0}};

    while (low < high) {
        uintptr_t walked_to = low;
        int count = scan(pagemap, low, high, runs, &walked_to);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 || walked_to <= low)
            return MOAT_E_SYSTEM;
        for (int i = 0; i < count; i++) {
            if (!visit(runs[i].start, runs[i].end, arg))
                return MOAT_OK;
        }
        low = walked_to;
    }
    return MOAT_OK;
}

/* Looks at a page that is there: the caller's own stack. */
bool moat_scan_works(void)
{
    struct page_region runs[RUNS] = {{0, 0, 0}};
    uintptr_t page = (uintptr_t)runs & ~(MOAT_PAGE_BYTES - 1);
    int pagemap = moat_pages_open();
    uintptr_t walked_to;
    bool works;

    if (pagemap < 0)
        return false;
    works =
        scan(pagemap, page, page + MOAT_PAGE_BYTES, runs, &walked_to) == 1 &&
        walked_to == page + MOAT_PAGE_BYTES && runs[0].start == page;
    (void)close(pagemap);
    return works;
}
