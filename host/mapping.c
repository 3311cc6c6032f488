/*
 * mapping.c: memory that is mapped once, and cleaned after each use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mapping.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool mapping_open(struct mapping *mapping, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *start;

    bytes = (bytes + page - 1) & ~(page - 1);
    start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *mapping = (struct mapping){NULL, 0};
    if (start == MAP_FAILED)
        return false;
    *mapping = (struct mapping){start, bytes};
    return true;
}

/* Dropped pages are pages of zeros. Locked ones cannot be dropped. */
static void drop(char *start, size_t bytes)
{
    if (bytes > 0 && madvise(start, bytes, MADV_DONTNEED) != 0)
        memset(start, 0, bytes);
}

void mapping_clean(struct mapping *mapping, size_t used)
{
    if (used == mapping->bytes) {
        drop(mapping->start, used);
    } else if (used <= MAPPING_KEEP_BYTES) {
        memset(mapping->start, 0, used);
    } else {
        memset(mapping->start, 0, MAPPING_KEEP_BYTES);
        drop(mapping->start + MAPPING_KEEP_BYTES,
             mapping->bytes - MAPPING_KEEP_BYTES);
    }
}

void mapping_close(struct mapping *mapping)
{
    if (mapping->start != NULL)
        munmap(mapping->start, mapping->bytes);
    *mapping = (struct mapping){NULL, 0};
}
