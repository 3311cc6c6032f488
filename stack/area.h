/*
 * area.h: where the frames of suspended coroutines are kept whose stack is in
 * use by another (MOAT_STACK_COPIED). A thread has one area.
 *
 * Images are of any size; most are of some hundred bytes. Those of one size
 * class, which are a multiple of 8 bytes up to 1 KiB and an eighth apart
 * above, lie in chunks without a word between them: what an image costs is
 * its size. A chunk begins at a multiple of its size, so that an image leads to
 * its chunk. Larger images have mappings of their own.
 *
 * An area grows chunk by chunk, and returns a chunk that holds nothing, unless
 * it is the last of its class with room. Where many images have gone and few
 * are left in each chunk, moving them together (compaction) empties chunks: the
 * area marks those that should be empty, and the owner of the images moves
 * them.
 *
 * One thread uses an area. No lock is held.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_AREA_H
#define MOAT_STACK_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOAT_AREA_CLASSES 184

struct moat_chunk;

/* All zeros: empty. */
struct moat_area {
    struct moat_chunk *with_room[MOAT_AREA_CLASSES]; /* per class         */
    size_t image_bytes;  /* of all images, rounded up to their classes    */
    size_t mapped_bytes; /* of all chunks and mappings                    */
    struct moat_chunk *chunks; /* all                                     */
};

/* Returns memory for an image; NULL: the system has none. */
void *moat_area_take(struct moat_area *area, size_t bytes);

/* Takes an image back; `bytes` is what it was taken with. */
void moat_area_give(struct moat_area *area, void *image, size_t bytes);

/* Marks the chunks that are not needed for the images that are left, and
 * returns whether there are any. Until moat_area_settle images are taken from
 * others. */
bool moat_area_thin_out(struct moat_area *area);

/* Returns whether an image should be moved. */
bool moat_area_should_move(const void *image, size_t bytes);

/* Takes the marks back, and returns all empty chunks to the system. */
void moat_area_settle(struct moat_area *area);

#endif
