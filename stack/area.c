/*
 * area.c: the images of suspended coroutines, by size.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/area.h"

#include <string.h>

#include "sys/memory.h"
#include "sys/size.h"

#define CHUNK_BYTES ((size_t)256 << 10)

/* Images above have mappings of their own. */
#define MAX_IMAGE_BYTES ((size_t)128 << 10)

#define STEP_BYTES  ((size_t)8)
#define SMALL_BYTES ((size_t)1024)
#define SMALL_COUNT (SMALL_BYTES / STEP_BYTES)

struct moat_chunk {
    struct moat_chunk *next, *previous; /* of its class, with room           */
    struct moat_chunk *older, *newer;   /* of all                            */
    void *free;                         /* images that were given back       */
    uint32_t class_index;
    uint32_t used;     /* images                                             */
    uint32_t fresh;    /* the first that was never taken                     */
    uint32_t capacity; /* images that fit                                    */
    uint32_t each;     /* bytes of one                                       */
    bool leaving;      /* its images have to move                         */
};

/* Where the first image of a chunk is. Frames end 16 bytes above a multiple of
 * 64: an image of a multiple of 32 bytes is aligned to the same multiple of 32
 * as its frames, so that a copy of aligned blocks is one on both sides. */
#define FIRST_AT ((size_t)80)

_Static_assert(sizeof(struct moat_chunk) <= FIRST_AT &&
                   FIRST_AT % STEP_BYTES == 0,
               "images begin after the chunk's own words");

/* --- classes -------------------------------------------------------------- */

/* Eighths of powers of two: the highest bit, and the three below it. */
static unsigned large_class(size_t bytes)
{
    unsigned bit = 63 - (unsigned)__builtin_clzl(bytes - 1);
    size_t eighth = ((bytes - 1) >> (bit - 3)) - 8;

    return (unsigned)(SMALL_COUNT + ((size_t)bit - 10) * 8 + eighth);
}

static unsigned class_of(size_t bytes)
{
    if (bytes <= SMALL_BYTES)
        return (unsigned)((bytes + STEP_BYTES - 1) / STEP_BYTES) - 1;
    return large_class(bytes);
}

static size_t class_bytes(unsigned index)
{
    unsigned large = index - (unsigned)SMALL_COUNT;

    if (index < SMALL_COUNT)
        return ((size_t)index + 1) * STEP_BYTES;
    return (size_t)(9 + large % 8) << (large / 8 + 7);
}

_Static_assert(SMALL_COUNT + (size_t)7 * 8 == MOAT_AREA_CLASSES,
               "a class for each eighth from 1 KiB to 128 KiB");

/* --- chunks --------------------------------------------------------------- */

static struct moat_chunk *chunk_of(const void *image)
{
    return (struct moat_chunk *)((uintptr_t)image & ~(CHUNK_BYTES - 1));
}

/* Reserves twice as much, of which one half is aligned. */
static uintptr_t map_aligned(void)
{
    uintptr_t begin = moat_memory_reserve(2 * CHUNK_BYTES), aligned;

    if (begin == 0)
        return 0;
    aligned = (begin + CHUNK_BYTES - 1) & ~(CHUNK_BYTES - 1);
    if (aligned != begin)
        moat_memory_release(begin, aligned - begin);
    moat_memory_release(aligned + CHUNK_BYTES, begin + CHUNK_BYTES - aligned);
    if (moat_memory_open(aligned, CHUNK_BYTES) == MOAT_OK)
        return aligned;
    moat_memory_release(aligned, CHUNK_BYTES);
    return 0;
}

static void link_with_room(struct moat_area *area, struct moat_chunk *chunk)
{
    struct moat_chunk **head = &area->with_room[chunk->class_index];

    chunk->previous = NULL;
    chunk->next = *head;
    if (*head != NULL)
        (*head)->previous = chunk;
    *head = chunk;
}

static void unlink_with_room(struct moat_area *area, struct moat_chunk *chunk)
{
    if (chunk->previous != NULL)
        chunk->previous->next = chunk->next;
    else
        area->with_room[chunk->class_index] = chunk->next;
    if (chunk->next != NULL)
        chunk->next->previous = chunk->previous;
}

static struct moat_chunk *make_chunk(struct moat_area *area, unsigned index)
{
    struct moat_chunk *chunk = (struct moat_chunk *)map_aligned();

    if (chunk == NULL)
        return NULL;
    chunk->class_index = index;
    chunk->each = (uint32_t)class_bytes(index);
    chunk->capacity = (uint32_t)((CHUNK_BYTES - FIRST_AT) / class_bytes(index));
    chunk->older = area->chunks;
    if (area->chunks != NULL)
        area->chunks->newer = chunk;
    area->chunks = chunk;
    area->mapped_bytes += CHUNK_BYTES;
    link_with_room(area, chunk);
    return chunk;
}

/* It is empty, and only on the list of all. */
static void unmap_chunk(struct moat_area *area, struct moat_chunk *chunk)
{
    if (chunk->newer != NULL)
        chunk->newer->older = chunk->older;
    else
        area->chunks = chunk->older;
    if (chunk->older != NULL)
        chunk->older->newer = chunk->newer;
    area->mapped_bytes -= CHUNK_BYTES;
    moat_memory_release((uintptr_t)chunk, CHUNK_BYTES);
}

/* --- images --------------------------------------------------------------- */

static void *take_from(struct moat_area *area, struct moat_chunk *chunk)
{
    void *image = chunk->free;

    if (image != NULL)
        memcpy(&chunk->free, image, sizeof(void *));
    else
        image = (char *)chunk + FIRST_AT + (size_t)chunk->fresh++ * chunk->each;
    if (++chunk->used == chunk->capacity)
        unlink_with_room(area, chunk);
    area->image_bytes += chunk->each;
    return image;
}

static void *take_mapping(struct moat_area *area, size_t bytes)
{
    uintptr_t begin;

    if (!moat_size_to_pages(bytes, &bytes))
        return NULL;
    begin = moat_memory_reserve(bytes);
    if (begin == 0)
        return NULL;
    if (moat_memory_open(begin, bytes) != MOAT_OK) {
        moat_memory_release(begin, bytes);
        return NULL;
    }
    area->image_bytes += bytes;
    area->mapped_bytes += bytes;
    return (void *)begin;
}

void *moat_area_take(struct moat_area *area, size_t bytes)
{
    struct moat_chunk *chunk;
    unsigned index;

    if (bytes > MAX_IMAGE_BYTES)
        return take_mapping(area, bytes);
    index = class_of(bytes);
    chunk = area->with_room[index];
    if (chunk == NULL)
        chunk = make_chunk(area, index);
    return chunk != NULL ? take_from(area, chunk) : NULL;
}

static void give_mapping(struct moat_area *area, void *image, size_t bytes)
{
    (void)moat_size_to_pages(bytes, &bytes);
    area->image_bytes -= bytes;
    area->mapped_bytes -= bytes;
    moat_memory_release((uintptr_t)image, bytes);
}

/* The last one with room stays: a class that is in use at all takes and gives
 * all the time. */
static bool is_superfluous(const struct moat_chunk *chunk)
{
    return chunk->used == 0 && !chunk->leaving &&
           (chunk->next != NULL || chunk->previous != NULL);
}

void moat_area_give(struct moat_area *area, void *image, size_t bytes)
{
    struct moat_chunk *chunk;

    if (bytes > MAX_IMAGE_BYTES) {
        give_mapping(area, image, bytes);
        return;
    }
    chunk = chunk_of(image);
    memcpy(image, &chunk->free, sizeof(void *));
    chunk->free = image;
    area->image_bytes -= chunk->each;
    if (chunk->used-- == chunk->capacity && !chunk->leaving)
        link_with_room(area, chunk);
    if (is_superfluous(chunk)) {
        unlink_with_room(area, chunk);
        unmap_chunk(area, chunk);
    }
}

/* --- compaction ----------------------------------------------------------- */

struct tally {
    size_t used, chunks;
};

static struct tally tally_of(const struct moat_area *area, unsigned index)
{
    struct tally sum = {0, 0};

    for (const struct moat_chunk *each = area->chunks; each != NULL;
         each = each->older) {
        if (each->class_index == index) {
            sum.used += each->used;
            sum.chunks++;
        }
    }
    return sum;
}

/* Returns the chunk of a class that has the fewest images; NULL: all leave. */
static struct moat_chunk *emptiest(const struct moat_area *area, unsigned index)
{
    struct moat_chunk *found = NULL;

    for (struct moat_chunk *each = area->with_room[index]; each != NULL;
         each = each->next) {
        if (found == NULL || each->used < found->used)
            found = each;
    }
    return found;
}

/* Full ones are never among them: those that are needed have as much room. */
static bool thin_out_class(struct moat_area *area, unsigned index)
{
    struct tally sum = tally_of(area, index);
    size_t fit = (CHUNK_BYTES - FIRST_AT) / class_bytes(index);
    size_t needed = (sum.used + fit - 1) / fit;
    bool any = sum.chunks > needed;

    for (; sum.chunks > needed; sum.chunks--) {
        struct moat_chunk *chunk = emptiest(area, index);

        unlink_with_room(area, chunk);
        chunk->leaving = true;
    }
    return any;
}

bool moat_area_thin_out(struct moat_area *area)
{
    bool any = false;

    for (unsigned i = 0; i < MOAT_AREA_CLASSES; i++)
        any |= thin_out_class(area, i);
    return any;
}

bool moat_area_should_move(const void *image, size_t bytes)
{
    return bytes <= MAX_IMAGE_BYTES && chunk_of(image)->leaving;
}

void moat_area_settle(struct moat_area *area)
{
    struct moat_chunk *each = area->chunks, *older;

    for (; each != NULL; each = older) {
        older = each->older;
        if (each->used == 0 && !each->leaving)
            unlink_with_room(area, each);
        if (each->used == 0) {
            unmap_chunk(area, each);
            continue;
        }
        if (each->leaving)
            link_with_room(area, each);
        each->leaving = false;
    }
}
