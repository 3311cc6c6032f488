/*
 * memory.c: address space by mmap(2) and mprotect(2), and reading what may not
 * be there by process_vm_readv(2).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/filter.h"
#include "sys/page.h"
#include "sys/refusal.h"
#include "sys/seal.h"

#define RESERVATION (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK)

uintptr_t moat_memory_reserve(size_t bytes)
{
    void *begin = mmap(NULL, bytes, PROT_NONE, RESERVATION, -1, 0);

    return begin != MAP_FAILED ? (uintptr_t)begin : 0;
}

/* The kernel refuses before it changes anything, except for the want of a
 * structure of its own, of some hundred bytes. */
bool moat_memory_renew(uintptr_t begin, size_t bytes)
{
    unsigned char filter = moat_filter_pause();
    bool done = mmap((void *)begin, bytes, PROT_NONE, MAP_FIXED | RESERVATION,
                     -1, 0) != MAP_FAILED;

    moat_filter_restore(filter);
    return done;
}

void moat_memory_release(uintptr_t begin, size_t bytes)
{
    (void)munmap((void *)begin, bytes);
}

static bool is_limited(__rlimit_resource_t resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* Without a limit nothing is mapped: in locked memory each page would be there
 * at once. */
bool moat_memory_is_left(size_t bytes)
{
    uintptr_t begin;
    bool left;

    if (!is_limited(RLIMIT_DATA) && !is_limited(RLIMIT_AS))
        return true;
    begin = moat_memory_reserve(bytes);
    if (begin == 0)
        return false;
    left = moat_memory_open(begin, bytes) == MOAT_OK;
    moat_memory_release(begin, bytes);
    return left;
}

/* --- protection ----------------------------------------------------------- */

/* Returns the number in a file of /proc, or 0 if it cannot be read. */
static size_t read_number(const char *path)
{
    char text[32] = "";
    size_t bytes;

    if (moat_file_read(path, text, sizeof text - 1, &bytes) != MOAT_OK)
        return 0;
    return strtoul(text, NULL, 10);
}

/* Counts the mappings of the process: the lines of /proc/self/maps. */
static size_t count_lines(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    char text[1024];
    size_t count = 0;
    ssize_t got;

    if (fd < 0)
        return 0;
    while ((got = read(fd, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            count += text[i] == '\n';
    }
    (void)close(fd);
    return count;
}

static size_t count_mappings(void)
{
    size_t count;

    moat_uncancellable_begin();
    count = count_lines();
    moat_uncancellable_end();
    return count;
}

/* The same ENOMEM comes from limits on memory (overcommit, RLIMIT_DATA); the
 * host can only act on it if it knows which. A split takes two mappings. */
static bool mappings_are_used_up(void)
{
    size_t max = read_number("/proc/sys/vm/max_map_count");

    return max != 0 && count_mappings() + 2 >= max;
}

static moat_status set_protection(uintptr_t address, size_t bytes,
                                  int protection)
{
    unsigned char filter = moat_filter_pause();
    bool done = mprotect((void *)address, bytes, protection) == 0;

    moat_filter_restore(filter);
    if (done)
        return MOAT_OK;
    if (errno != ENOMEM)
        return moat_refuse_errno("mprotect");
    return MOAT_E_GUARD_LIMIT;
}

moat_status moat_memory_refusal(moat_status status)
{
    if (status == MOAT_E_GUARD_LIMIT && !mappings_are_used_up())
        return MOAT_E_NOMEM;
    return status;
}

moat_status moat_memory_open(uintptr_t address, size_t bytes)
{
    return set_protection(address, bytes, PROT_READ | PROT_WRITE);
}

moat_status moat_memory_close(uintptr_t address, size_t bytes)
{
    return set_protection(address, bytes, PROT_NONE);
}

/* --- huge pages ----------------------------------------------------------- */

void moat_memory_want_huge(uintptr_t address, size_t bytes)
{
    (void)madvise((void *)address, bytes, MADV_HUGEPAGE);
}

moat_status moat_memory_forbid_huge(uintptr_t address, size_t bytes)
{
    unsigned char filter = moat_filter_pause();
    bool done = madvise((void *)address, bytes, MADV_NOHUGEPAGE) == 0;

    moat_filter_restore(filter);
    /* EINVAL: a kernel built without huge pages. */
    if (done || errno == EINVAL)
        return MOAT_OK;
    return moat_refuse_errno("madvise");
}

/* --- reading -------------------------------------------------------------- */

/* The parts are passed as they are. */
_Static_assert(sizeof(struct moat_memory_part) == sizeof(struct iovec) &&
                   offsetof(struct moat_memory_part, begin) ==
                       offsetof(struct iovec, iov_base) &&
                   offsetof(struct moat_memory_part, bytes) ==
                       offsetof(struct iovec, iov_len),
               "a part is not what process_vm_readv takes");

moat_status moat_memory_read(const struct moat_memory_part *parts, size_t count,
                             void *to, size_t *copied)
{
    unsigned char filter = moat_filter_pause();
    struct iovec local = {to, 0};
    ssize_t got;

    for (size_t i = 0; i < count; i++)
        local.iov_len += parts[i].bytes;
    do
        got = process_vm_readv(getpid(), &local, 1, (const struct iovec *)parts,
                               count, 0);
    while (got < 0 && errno == EINTR);
    moat_filter_restore(filter);
    *copied = got > 0 ? (size_t)got : 0;
    return got < 0 && errno != EFAULT ? moat_refuse_errno("process_vm_readv")
                                      : MOAT_OK;
}
