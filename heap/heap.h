/*
 * heap.h: what a guest's heap is made of.
 *
 * All state of a heap lies in its own region of addresses. So dropping the
 * region frees everything, whatever state a fault left it in; no lock is ever
 * held, and nothing outside refers into it.
 *
 *   begin                                                            end
 *   | guard | struct moat_heap | spans[] | pages ....... | inaccessible |
 *                                        ^pages    ^fresh  ^opened
 *
 * Memory is handed out in pages of MOAT_HEAP_PAGE bytes, whatever the system's
 * page is. A span is a run of pages with one purpose: free, a row of small
 * blocks of one class (size_class.h), one large block, or a mapping that a
 * guest asked for (mapping.c). spans[i] describes the span that begins at page
 * i. In a span of small blocks each further page's entry leads back to the
 * first, so the entry of the page that has a block leads to its span; in the
 * others only the last page's does, for merging.
 *
 * Small blocks are linked by their offset in the span, in units of 16 bytes,
 * with a check beside it: a guest that writes to a block it has freed, or over
 * the end of one whose neighbour is free, ends when the damaged block is next
 * to be handed out.
 *
 * A span of small blocks is in one of four conditions:
 *
 *   current   `current[class]` leads to it: blocks are taken from it
 *   partial   on the list `partial[class]`: it has free blocks
 *   full      on no list: all blocks are in use
 *   free      no longer of small blocks
 *
 * The functions of this folder run on the guest's stack and may be stopped at
 * any instruction. After that the heap must not be used until it is reset.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_HEAP_H
#define MOAT_HEAP_HEAP_H

#include <stdint.h>

#include <moat/heap.h>

#include "heap/size_class.h"

#define MOAT_HEAP_PAGE_SHIFT 12
#define MOAT_HEAP_PAGE       ((size_t)1 << MOAT_HEAP_PAGE_SHIFT)

/* The bins of free spans: one per length up to 32 pages, then four per power of
 * two, up to 2^27 pages. */
#define MOAT_HEAP_BINS      128u
#define MOAT_HEAP_EXACT     32u
#define MOAT_HEAP_MAX_BYTES ((size_t)1 << 38)

enum moat_span_kind {
    MOAT_SPAN_NONE, /* never used: zero, as the region is */
    MOAT_SPAN_FREE,
    MOAT_SPAN_SMALL,  /* of at most MOAT_HEAP_MAX_PLAIN bytes each */
    MOAT_SPAN_TAILED, /* of more: their blocks have tails (tail.h) */
    MOAT_SPAN_REST,   /* a further page of a span of small blocks */
    MOAT_SPAN_LARGE,
    MOAT_SPAN_MAPPED, /* taken by mmap(2), not a block */
};

/* `keep` of spans whose last free block may be returned without further ado,
 * and of those in which each returned block changes the condition. */
#define MOAT_SPAN_KEEP_CURRENT ((int16_t)-1)
#define MOAT_SPAN_KEEP_PARTIAL ((int16_t)0)
#define MOAT_SPAN_KEEP_FULL    INT16_MAX

struct moat_span {
    uint16_t free; /* the first free block: its unit plus 1; 0: none   */
    uint16_t cut;  /* units that have been made into blocks            */
    int16_t used;  /* blocks in use                                    */
    int16_t keep;  /* with `used` at this or below, free has more to do */
    uint32_t pages;
    uint32_t back;       /* pages from the span's first one to this entry's */
    uint32_t next, prev; /* page numbers plus 1 on a list; 0: the end       */
    uint32_t reciprocal; /* of the size of a block, times 2^32, rounded up  */
    uint16_t units;      /* of a block                                      */
    uint8_t kind;
    uint8_t size_class; /* of small blocks; of a free span: 1: zeros; of a
                           mapping: 1: other memory was put there         */
};

_Static_assert(sizeof(struct moat_span) == 32,
               "the address of a span's pages is found by a shift");

struct moat_heap {
    struct moat_span *current[MOAT_HEAP_CLASSES]; /* never NULL              */
    struct moat_span *spans;
    uintptr_t pages; /* the address of page 0                        */
    uint64_t mark;   /* in free blocks: moat_free_block              */
    size_t fresh;    /* pages from here on were never used           */
    size_t opened;   /* pages from here on are inaccessible          */
    size_t capacity; /* pages for which there are addresses          */
    size_t quota;    /* pages that may be in use                     */
    size_t in_use;   /* pages of spans that are not free             */
    size_t dirty;    /* pages of free spans that hold memory         */
    size_t peak;     /* most pages that were in use                  */
    size_t recent;   /* the same, since `countdown` began            */
    unsigned countdown;
    unsigned misuse;       /* enum moat_misuse                         */
    struct moat_span none; /* an empty span, where no span is current */
    uint32_t partial[MOAT_HEAP_CLASSES]; /* page numbers plus 1             */
    uint32_t mapped;       /* the first mapping: its page number plus 1   */
    uintptr_t break_begin; /* of the break; 0: it has not been moved yet  */
    size_t break_bytes;    /* from there to the break                     */
    size_t break_pages;    /* of the quota                                */
    size_t break_opened;   /* pages that are accessible                   */
    size_t break_room;     /* pages for which there are addresses         */
    uint8_t growth[MOAT_HEAP_CLASSES]; /* the next span is 2^n as long     */
    uint32_t bins[MOAT_HEAP_BINS];
    uint64_t filled[MOAT_HEAP_BINS / 64];

    /* meter.h: when it was started, or 0; up to when `page_us` has been added
     * up; pages in use times microseconds. */
    uint64_t meter, metered_at, page_us;
};

/* The payload of a free small block. The mark is the heap's, with `next` in its
 * low bits by exclusive or. If the two do not match, the block was written to
 * since it was freed, maybe by a few bytes over the end of the one before it. A
 * block that has the mark's other bits may be about to be freed twice. */
struct moat_free_block {
    uint64_t next; /* as moat_span.free */
    uint64_t mark;
};

static inline size_t moat_heap_page_of(const moat_heap *heap,
                                       const struct moat_span *span)
{
    return (size_t)(span - heap->spans);
}

/* By the entry's offset: a difference of pointers would be divided first. */
static inline uintptr_t moat_span_begin(const moat_heap *heap,
                                        const struct moat_span *span)
{
    uintptr_t offset = (uintptr_t)span - (uintptr_t)heap->spans;

    return heap->pages + offset * (MOAT_HEAP_PAGE / sizeof *span);
}

/* X(name, text) */
/* clang-format off */
#define MOAT_MISUSE_MAP(X)                                                  \
    X(MOAT_MISUSE_NOT_A_BLOCK,   "freed or resized what is not a block")    \
    X(MOAT_MISUSE_FREED_TWICE,   "freed a block twice")                     \
    X(MOAT_MISUSE_USED_FREED,    "wrote to a block after freeing it")       \
    X(MOAT_MISUSE_OVERRUN,       "wrote past the end of a block")
/* clang-format on */

enum moat_misuse {
    MOAT_MISUSE_NONE,
#define MOAT_MISUSE_ENUM(name, text) name,
    MOAT_MISUSE_MAP(MOAT_MISUSE_ENUM)
#undef MOAT_MISUSE_ENUM
        MOAT_MISUSES
};

/* Notes what was done and raises SIGABRT: in a coroutine a trap, elsewhere the
 * end of the process. */
_Noreturn void moat_heap_misused(moat_heap *heap, enum moat_misuse what);

#endif
