/*
 * heap.c: size classes with free lists in a range that only grows.
 *
 * Blocks lie side by side from the start of the range, each with a header
 * before it and eight known bytes after it, so the heap can be walked. Freed
 * memory is reused in its own class and never merged. A class is at most a
 * quarter larger than the request.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap.h"

#include <string.h>
#include <sys/mman.h>

#define GRANULE ((size_t)16)
/* Classes of every granule up to FINE granules, then four per doubling. */
#define FINE    32u
#define CLASSES (FINE + 4 * 32)

#define LIVE   UINT32_C(0x6c697665)
#define FREE   UINT32_C(0x66726565)
#define MARKED UINT32_C(0x6d61726b)
#define FENCE  UINT64_C(0x9d5f3be1c7a20846)

struct header {
    uint32_t granules; /* the block with header and fence */
    uint32_t state;    /* LIVE, FREE, MARKED: live and reached */
    union {
        size_t bytes;        /* LIVE: the requested size */
        struct header *next; /* FREE: in its class; must not lie where a freed
                              * block's user would write */
    };
};

struct heap {
    char *next, *end; /* memory that was never used */
    char *first;      /* the first block's header */
    struct header *lists[CLASSES];
};

static struct header *header_of(const void *block)
{
    return (struct header *)((uintptr_t)block - sizeof(struct header));
}

static char *payload_of(struct header *header)
{
    return (char *)(header + 1);
}

/* Returns the class for so many granules, and its size. */
static unsigned class_of(size_t granules, size_t *size)
{
    unsigned shift;

    if (granules <= FINE) {
        *size = granules;
        return (unsigned)granules - 1;
    }
    shift = 61u - (unsigned)__builtin_clzl(granules - 1);
    *size = (((granules - 1) >> shift) + 1) << shift;
    return FINE + (shift - 3) * 4 + (unsigned)((granules - 1) >> shift) - 4;
}

struct heap *heap_make(void *range, size_t bytes)
{
    struct heap *heap = range;

    heap->first =
        (char *)range + ((sizeof(*heap) + GRANULE - 1) & ~(GRANULE - 1));
    heap->next = heap->first;
    heap->end = (char *)range + bytes;
    return heap;
}

static void label(struct header *header, size_t bytes)
{
    uint64_t fence = FENCE;

    header->state = LIVE;
    header->bytes = bytes;
    memcpy(payload_of(header) + bytes, &fence, sizeof(fence));
}

/* Makes a block of unused memory. Memory skipped for alignment becomes a free
 * block that is in no list. */
static struct header *cut(struct heap *heap, size_t align, size_t granules)
{
    uintptr_t at = (uintptr_t)heap->next;
    uintptr_t block = at + sizeof(struct header);
    struct header *header;

    block = (block + align - 1) & ~(uintptr_t)(align - 1);
    if (block - at < sizeof(struct header) || block > (uintptr_t)heap->end ||
        granules > ((uintptr_t)heap->end - block) / GRANULE)
        return NULL;
    header = header_of((void *)block);
    if ((uintptr_t)header != at) {
        struct header *gap = (struct header *)at;

        gap->granules = (uint32_t)(((uintptr_t)header - at) / GRANULE);
        gap->state = FREE;
    }
    header->granules = (uint32_t)granules;
    heap->next = (char *)header + granules * GRANULE;
    return header;
}

void *heap_take(struct heap *heap, size_t align, size_t bytes, bool zeroed)
{
    size_t room = sizeof(struct header) + sizeof(uint64_t), granules;
    struct header *header, **list;

    if (bytes > (size_t)UINT32_MAX)
        return NULL;
    list = &heap->lists[class_of((bytes + room + GRANULE - 1) / GRANULE,
                                 &granules)];
    header = *list;
    if (header != NULL && align <= GRANULE) {
        *list = header->next;
        if (zeroed)
            memset(payload_of(header), 0, bytes);
    } else {
        /* Never used before, so it is already zero. */
        header = cut(heap, align < GRANULE ? GRANULE : align, granules);
        if (header == NULL)
            return NULL;
    }
    label(header, bytes);
    return payload_of(header);
}

bool heap_has(const struct heap *heap, const void *address)
{
    return (uintptr_t)address >= (uintptr_t)heap &&
           (uintptr_t)address < (uintptr_t)heap->end;
}

size_t heap_used(const struct heap *heap)
{
    return (size_t)(heap->next - (const char *)heap);
}

bool heap_owns(const struct heap *heap, const void *block)
{
    const struct header *header = header_of(block);
    uint64_t fence;

    if ((uintptr_t)block % GRANULE != 0 ||
        (uintptr_t)header < (uintptr_t)heap->first ||
        (uintptr_t)block >= (uintptr_t)heap->next || header->state != LIVE ||
        header->bytes > (size_t)header->granules * GRANULE)
        return false;
    memcpy(&fence, (const char *)block + header->bytes, sizeof(fence));
    return fence == FENCE;
}

size_t heap_size(const void *block)
{
    return header_of(block)->bytes;
}

void heap_give(struct heap *heap, void *block)
{
    struct header *header = header_of(block);
    size_t size;
    unsigned class = class_of(header->granules, &size);

    header->state = FREE;
    header->next = heap->lists[class];
    heap->lists[class] = header;
}

void *heap_resize(struct heap *heap, void *block, size_t bytes)
{
    struct header *header = header_of(block);
    size_t room =
        (size_t)header->granules * GRANULE - sizeof(*header) - sizeof(uint64_t);
    void *moved;

    if (bytes <= room && bytes >= room / 2) {
        label(header, bytes);
        return block;
    }
    moved = heap_take(heap, GRANULE, bytes, false);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, header->bytes < bytes ? header->bytes : bytes);
    heap_give(heap, block);
    return moved;
}

static struct header *following(struct header *header)
{
    return (struct header *)(void *)((char *)header +
                                     (size_t)header->granules * GRANULE);
}

/* The live blocks in order of address, and the stack of those whose words are
 * still to be scanned. */
struct marking {
    struct header **blocks;
    size_t count;
    struct header **pending;
    size_t pending_count;
};

static size_t list_live(const struct heap *heap, struct header **blocks)
{
    size_t count = 0;

    for (struct header *at = (struct header *)(void *)heap->first;
         (char *)at < heap->next; at = following(at)) {
        if (at->state != LIVE)
            continue;
        if (blocks != NULL)
            blocks[count] = at;
        count++;
    }
    return count;
}

/* Marks the block that a word points to, if it is a pointer. */
static void mark(struct marking *marking, uintptr_t word)
{
    size_t low = 0, high = marking->count;
    struct header *header;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if ((uintptr_t)marking->blocks[middle] <= word)
            low = middle;
        else
            high = middle;
    }
    header = marking->blocks[low];
    if (word < (uintptr_t)payload_of(header) ||
        word > (uintptr_t)payload_of(header) + header->bytes ||
        header->state != LIVE)
        return;
    header->state = MARKED;
    marking->pending[marking->pending_count++] = header;
}

static void mark_words(struct marking *marking, const uintptr_t *words,
                       size_t count)
{
    uintptr_t low = (uintptr_t)marking->blocks[0];
    uintptr_t high = (uintptr_t)following(marking->blocks[marking->count - 1]);

    for (size_t i = 0; i < count; i++) {
        if (words[i] >= low && words[i] < high)
            mark(marking, words[i]);
    }
}

static void mark_all(struct marking *marking, const struct heap_root *roots,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        mark_words(marking, roots[i].words, roots[i].count);
    while (marking->pending_count > 0) {
        struct header *header = marking->pending[--marking->pending_count];

        mark_words(marking, (const uintptr_t *)(void *)payload_of(header),
                   header->bytes / sizeof(uintptr_t));
    }
}

static void sweep(struct heap *heap, const struct marking *marking)
{
    for (size_t i = 0; i < marking->count; i++) {
        if (marking->blocks[i]->state == MARKED)
            marking->blocks[i]->state = LIVE;
        else
            heap_give(heap, payload_of(marking->blocks[i]));
    }
}

void heap_collect(struct heap *heap, const struct heap_root *roots,
                  size_t count)
{
    struct marking marking = {NULL, list_live(heap, NULL), NULL, 0};
    size_t bytes = 2 * marking.count * sizeof(*marking.blocks);

    if (marking.count == 0)
        return;
    marking.blocks = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (marking.blocks == MAP_FAILED)
        return;
    marking.pending = marking.blocks + marking.count;
    (void)list_live(heap, marking.blocks);
    mark_all(&marking, roots, count);
    sweep(heap, &marking);
    (void)munmap(marking.blocks, bytes);
}
