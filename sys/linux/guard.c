/*
 * guard.c: guards inside a mapping, without a mapping each.
 *
 * MADV_GUARD_INSTALL (Linux 6.13, madvise(2)) marks pages in the page table:
 * they fault like unmapped memory, survive MADV_DONTNEED and fork, and cost no
 * entry in the kernel's list of mappings, of which a process has some 65,530.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/guard.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "sys/linux/advice.h"
#include "sys/methods.h"
#include "sys/page.h"
#include "sys/refusal.h"
#include "sys/seal.h"

/* linux/mman.h of Debian 12 is older than the feature. */
#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

/* A kernel that accepts the advice must also honour it: a system call that
 * writes to the page must fail. */
static bool page_is_guarded(uintptr_t page)
{
    bool guarded;

    moat_uncancellable_begin();
    guarded =
        getrandom((void *)page, 1, GRND_NONBLOCK) == -1 && errno == EFAULT;
    moat_uncancellable_end();
    return guarded;
}

bool moat_guard_marks_work(void)
{
    size_t bytes = moat_page_bytes();
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool works;

    if (page == MAP_FAILED)
        return false;
    works = madvise(page, bytes, MADV_GUARD_INSTALL) == 0 &&
            page_is_guarded((uintptr_t)page);
    (void)munmap(page, bytes);
    return works;
}

bool moat_guard_marks_batch(void)
{
    return moat_pages_advice_works(MADV_GUARD_INSTALL, page_is_guarded);
}

static moat_status install_one(const struct moat_pages *range)
{
    size_t bytes = range->high - range->low;

    if (madvise((void *)range->low, bytes, MADV_GUARD_INSTALL) == 0)
        return MOAT_OK;
    /* The kernel refuses in locked memory (mlockall with MCL_FUTURE). An
     * inaccessible mapping guards as well and costs two mappings. */
    if (errno == EINVAL)
        return moat_memory_close(range->low, bytes);
    return errno == ENOMEM ? MOAT_E_NOMEM : moat_refuse_errno("madvise");
}

/* Where one call for all is refused, one for each finds out what is possible.
 */
moat_status moat_guard_mark(const struct moat_pages *ranges, size_t *count)
{
    moat_status status = MOAT_OK;
    size_t made = 0;

    if (*count > 1 && moat_methods.batch &&
        moat_pages_advise(ranges, *count, MADV_GUARD_INSTALL))
        return MOAT_OK;
    while (made < *count && status == MOAT_OK) {
        status = install_one(&ranges[made]);
        made += status == MOAT_OK;
    }
    *count = made;
    return made > 0 ? MOAT_OK : status;
}
