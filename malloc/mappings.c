/*
 * mappings.c: mmap, munmap, mremap, sbrk and brk.
 *
 * What a guest maps lies in its heap: it counts against the quota and ends with
 * the heap. The C library's own mappings do not come here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "malloc/next.h"
#include "malloc/owner.h"
#include "malloc/policy.h"

#define CALLER __builtin_return_address(0)
#define FIXED  (MAP_FIXED | MAP_FIXED_NOREPLACE)

/* With these the heap's own memory is what was asked for. */
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK)

static void *fail(int error)
{
    errno = error;
    return MAP_FAILED;
}

/* ---- mmap ---------------------------------------------------------------- */

/* At an address of the guest's choice only its own mappings are replaced. */
static void *map_fixed(moat_heap *heap, void *at, size_t bytes, int protection,
                       int flags, int fd, off_t offset)
{
    if (bytes == 0)
        return fail(EINVAL);
    if (heap == NULL || !moat_heap_map_over(heap, at, bytes))
        return fail(ENOMEM);
    if ((flags & MAP_FIXED_NOREPLACE) == MAP_FIXED_NOREPLACE)
        return fail(EEXIST);
    return moat_next.mmap(at, bytes, protection, flags, fd, offset);
}

/* Makes heap memory what was asked for. */
static bool lay_over(moat_heap *heap, void *at, size_t bytes, int protection,
                     int flags, int fd, off_t offset)
{
    if ((flags & ~PLAIN) == 0 && (flags & MAP_ANONYMOUS) != 0)
        return protection == (PROT_READ | PROT_WRITE) ||
               mprotect(at, bytes, protection) == 0;
    return moat_heap_map_over(heap, at, bytes) &&
           moat_next.mmap(at, bytes, protection, flags | MAP_FIXED, fd,
                          offset) != MAP_FAILED;
}

static void *map(moat_heap *heap, size_t bytes, int protection, int flags,
                 int fd, off_t offset)
{
    void *at;
    int error;

    if (bytes == 0)
        return fail(EINVAL);
    if (heap == NULL || bytes > PTRDIFF_MAX || (flags & MAP_32BIT) != 0)
        return fail(ENOMEM);
    at = moat_heap_map(heap, bytes);
    if (at == NULL) {
        (void)moat_malloc_refuse();
        return MAP_FAILED;
    }
    if (lay_over(heap, at, bytes, protection, flags, fd, offset))
        return at;
    error = errno;
    (void)moat_heap_unmap(heap, at, bytes);
    return fail(error);
}

static void *map_for(const void *caller, void *at, size_t bytes, int protection,
                     int flags, int fd, off_t offset)
{
    moat_heap *heap;

    if (moat_malloc_caller(caller, &heap) != MOAT_CALLER_GUEST)
        return moat_next.mmap(at, bytes, protection, flags, fd, offset);
    if ((flags & FIXED) != 0)
        return map_fixed(heap, at, bytes, protection, flags, fd, offset);
    return map(heap, bytes, protection, flags, fd, offset);
}

MOAT_API void *mmap(void *at, size_t bytes, int protection, int flags, int fd,
                    off_t offset)
{
    return map_for(CALLER, at, bytes, protection, flags, fd, offset);
}

MOAT_API void *mmap64(void *at, size_t bytes, int protection, int flags, int fd,
                      off64_t offset)
{
    return map_for(CALLER, at, bytes, protection, flags, fd, offset);
}

/* ---- munmap, mremap ------------------------------------------------------ */

enum where { OUTSIDE, IN_OWN_HEAP, IN_ANOTHER_HEAP };

static enum where find(const void *at, moat_heap **heap)
{
    if (!moat_heap_may_own(at) || !moat_heap_had(at))
        return OUTSIDE;
    return moat_malloc_is_guest(heap) && *heap != NULL &&
                   moat_heap_of(at) == *heap
               ? IN_OWN_HEAP
               : IN_ANOTHER_HEAP;
}

/* Leaves no hole in a heap's addresses: other mappings would fill it. */
static bool unmap(moat_heap *heap, void *at, size_t bytes)
{
    if (bytes == 0 || (uintptr_t)at % (uintptr_t)sysconf(_SC_PAGESIZE) != 0) {
        errno = EINVAL;
        return false;
    }
    if (moat_heap_unmap(heap, at, bytes))
        return true;
    errno = ENOMEM;
    return false;
}

/* A guest may unmap a mapping that the host has handed to it. Neither host nor
 * guest may unmap a part of another guest's heap. */
MOAT_API int munmap(void *at, size_t bytes)
{
    moat_heap *heap;

    switch (find(at, &heap)) {
    case OUTSIDE:
        return moat_next.munmap(at, bytes);
    case IN_OWN_HEAP:
        return unmap(heap, at, bytes) ? 0 : -1;
    default:
        errno = EINVAL;
        return -1;
    }
}

static void *remap(moat_heap *heap, void *at, size_t had, size_t bytes,
                   int flags)
{
    void *moved;

    if (bytes == 0 || (flags & ~MREMAP_MAYMOVE) != 0)
        return fail(EINVAL);
    moved =
        moat_heap_remap(heap, at, had, bytes, (flags & MREMAP_MAYMOVE) != 0);
    return moved != NULL ? moved : fail(ENOMEM);
}

MOAT_API void *mremap(void *at, size_t had, size_t bytes, int flags, ...)
{
    moat_heap *heap;
    void *to = NULL;
    va_list list;

    va_start(list, flags);
    if ((flags & MREMAP_FIXED) != 0)
        to = va_arg(list, void *);
    va_end(list);
    switch (find(at, &heap)) {
    case OUTSIDE:
        return moat_next.mremap(at, had, bytes, flags, to);
    case IN_OWN_HEAP:
        return remap(heap, at, had, bytes, flags);
    default:
        return fail(EFAULT);
    }
}

/* ---- brk ----------------------------------------------------------------- */

static void *move_break(moat_heap *heap, intptr_t increment)
{
    void *before = heap != NULL ? moat_heap_break(heap, increment) : NULL;

    if (before != NULL)
        return before;
    if (heap != NULL && increment > 0)
        (void)moat_malloc_refuse();
    errno = ENOMEM;
    return (void *)-1;
}

MOAT_API void *sbrk(intptr_t increment)
{
    moat_heap *heap;

    if (moat_malloc_caller(CALLER, &heap) != MOAT_CALLER_GUEST)
        return moat_next.sbrk(increment);
    return move_break(heap, increment);
}

MOAT_API int brk(void *end)
{
    moat_heap *heap;
    void *now;

    if (moat_malloc_caller(CALLER, &heap) != MOAT_CALLER_GUEST)
        return moat_next.brk(end);
    now = move_break(heap, 0);
    if (now == (void *)-1)
        return -1;
    return move_break(heap, (intptr_t)((uintptr_t)end - (uintptr_t)now)) !=
                   (void *)-1
               ? 0
               : -1;
}
