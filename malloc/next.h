/*
 * next.h: the functions that the process would have without this library: the
 * next ones in the order in which the dynamic linker searches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_NEXT_H
#define MOAT_MALLOC_NEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* X(name, result, parameters). Before these have been found, their pointers
 * lead to functions that find them: the host's path has no test. */
/* clang-format off */
#define MOAT_NEXT_MAP(X)                                                      \
    X(malloc,             void *, (size_t))                                   \
    X(calloc,             void *, (size_t, size_t))                           \
    X(realloc,            void *, (void *, size_t))                           \
    X(free,               void,   (void *))                                   \
    X(malloc_usable_size, size_t, (void *))                                   \
    X(memalign,           void *, (size_t, size_t))                           \
    X(aligned_alloc,      void *, (size_t, size_t))                           \
    X(posix_memalign,     int,    (void **, size_t, size_t))                  \
    X(valloc,             void *, (size_t))                                   \
    X(pvalloc,            void *, (size_t))                                   \
    X(mmap,               void *, (void *, size_t, int, int, int, off_t))     \
    X(munmap,             int,    (void *, size_t))                           \
    X(mremap,             void *, (void *, size_t, size_t, int, ...))         \
    X(brk,                int,    (void *))                                   \
    X(sbrk,               void *, (intptr_t))
/* clang-format on */

struct moat_next {
#define MOAT_NEXT_FIELD(name, result, parameters) result(*name) parameters;
    MOAT_NEXT_MAP(MOAT_NEXT_FIELD)
#undef MOAT_NEXT_FIELD
    bool is_glibc; /* malloc's is the C library's own */
};
/* Hidden, so that a call needs no look-up of the address. */
extern __attribute__((visibility("hidden"))) struct moat_next moat_next;

/* Writes a line to standard error. */
void moat_malloc_say(const char *what);

/* Ends the process, with a reason on standard error. */
_Noreturn void moat_malloc_give_up(const char *why);

/* The dynamic linker's code. */
extern __attribute__((visibility("hidden"))) struct moat_loader {
    uintptr_t base, begin, end;
} moat_loader;

static inline bool moat_next_is_loader(const void *address)
{
    return (uintptr_t)address - moat_loader.begin <
           moat_loader.end - moat_loader.begin;
}

#endif
