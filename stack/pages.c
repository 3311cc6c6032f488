/*
 * pages.c: which pages of a stack hold something.
 *
 * /proc/self/pagemap (proc(5), Documentation/admin-guide/mm/pagemap.rst) has a
 * word per page. mincore(2) would not do: it does not tell a page in swap,
 * which holds something, from one that was never there. The file is opened for
 * each question: a descriptor kept open would name the parent's memory after a
 * fork, and could be closed and reused under us by a host that closes
 * everything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "stack/annotate.h"
#include "stack/size.h"
#include "stack/stack.h"

#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)

/* Words read at once: one read covers a stack of half a MiB. */
#define WORDS 128

int moat_pages_open(void)
{
    return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

bool moat_pages_known(void)
{
    int fd = moat_pages_open();

    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

/* Visits the pages that words[0..count) say are in use. */
static bool visit_words(const uint64_t *words, size_t count, uintptr_t page,
                        moat_run_visitor *visit, void *arg)
{
    for (size_t i = 0; i < count; i++, page += MOAT_PAGE_BYTES) {
        if ((words[i] & (PAGE_PRESENT | PAGE_SWAPPED)) &&
            !visit(page, page + MOAT_PAGE_BYTES, arg))
            return false;
    }
    return true;
}

static moat_status visit_words_of(int fd, uintptr_t low, uintptr_t high,
                                  moat_run_visitor *visit, void *arg)
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

moat_status moat_pages_visit(int pagemap, uintptr_t low, uintptr_t high,
                             moat_run_visitor *visit, void *arg)
{
    if (moat_methods.scan)
        return moat_scan_visit(pagemap, low, high, visit, arg);
    return visit_words_of(pagemap, low, high, visit, arg);
}

static bool note_lowest(uintptr_t low, uintptr_t high, void *arg)
{
    (void)high;
    *(uintptr_t *)arg = low;
    return false;
}

moat_status moat_pages_lowest(uintptr_t low, uintptr_t high, uintptr_t *out)
{
    int pagemap = moat_pages_open();
    moat_status status;

    *out = high;
    if (pagemap < 0)
        return MOAT_E_SYSTEM;
    /* By the words: a page that was only read counts, too. */
    status = visit_words_of(pagemap, low, high, note_lowest, out);
    (void)close(pagemap);
    return status;
}

static bool clear_run(uintptr_t low, uintptr_t high, void *arg)
{
    (void)arg;
    moat_annotate_cleared(low, high);
    memset((void *)low, 0, high - low);
    return true;
}

moat_status moat_pages_zero(uintptr_t low, uintptr_t high)
{
    int pagemap = moat_pages_open();
    moat_status status = MOAT_E_SYSTEM;

    if (pagemap >= 0) {
        status = moat_pages_visit(pagemap, low, high, clear_run, NULL);
        (void)close(pagemap);
    }
    /* The same contents by a dearer way: no word of the old ones survives. */
    return status == MOAT_OK ? MOAT_OK : moat_pages_discard(low, high);
}
