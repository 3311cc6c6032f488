/*
 * mapping.h: memory that one script after the other uses.
 *
 * It stays mapped, and its first pages stay resident, so that a short script
 * costs no system call and no page fault. Nothing that was written to it is
 * left for the next one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_MAPPING_H
#define HOST_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

/* A mapping that was used keeps at most so many bytes resident. */
#define MAPPING_KEEP_BYTES ((size_t)256 * 1024)

struct mapping {
    char *start; /* NULL: not mapped */
    size_t bytes;
};

/* Maps `bytes` bytes, rounded up to pages, of zeros. Returns false with errno.
 */
bool mapping_open(struct mapping *mapping, size_t bytes);

/* Makes it all zeros again. Only its first `used` bytes have been written to;
 * with `used` the whole length, any have. */
void mapping_clean(struct mapping *mapping, size_t used);

void mapping_close(struct mapping *mapping);

#endif
