/*
 * span.c: runs of pages.
 *
 * Free spans are kept in bins by length. A span is taken from the first bin in
 * which one fits, else from the pages that were never used. Two free spans are
 * never neighbours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/span.h"

#include <errno.h>

#include "heap/meter.h"
#include "heap/region.h"
#include "sys/pages.h"
#include "sys/size.h"

/* Pages that are made accessible together, at least. */
#define OPEN_PAGES ((size_t)64)

/* Spans of a bin that are looked at before a larger bin is. */
#define MAX_LOOKS 16

/* Once in so many returned spans the heap looks whether it holds more memory
 * than it has lately used; it keeps SLACK_PAGES more than that. */
#define PERIOD      1024u
#define SLACK_PAGES ((size_t)64)

static struct moat_span *span_at(const moat_heap *heap, size_t page)
{
    return &heap->spans[page];
}

/* ---- Bins ---------------------------------------------------------------- */

static unsigned bin_of(size_t pages)
{
    unsigned log;

    if (pages <= MOAT_HEAP_EXACT)
        return (unsigned)pages - 1;
    log = 63u - (unsigned)__builtin_clzl(pages);
    return MOAT_HEAP_EXACT + (log - 5) * 4 +
           (unsigned)((pages >> (log - 2)) & 3);
}

static void put_in(moat_heap *heap, struct moat_span *span)
{
    unsigned bin = bin_of(span->pages);
    uint32_t number = (uint32_t)moat_heap_page_of(heap, span) + 1;

    span->prev = 0;
    span->next = heap->bins[bin];
    if (span->next != 0)
        span_at(heap, span->next - 1)->prev = number;
    heap->bins[bin] = number;
    heap->filled[bin / 64] |= (uint64_t)1 << (bin % 64);
}

static void take_out(moat_heap *heap, struct moat_span *span)
{
    unsigned bin = bin_of(span->pages);

    if (span->next != 0)
        span_at(heap, span->next - 1)->prev = span->prev;
    if (span->prev != 0)
        span_at(heap, span->prev - 1)->next = span->next;
    else
        heap->bins[bin] = span->next;
    if (heap->bins[bin] == 0)
        heap->filled[bin / 64] &= ~((uint64_t)1 << (bin % 64));
}

/* Returns a span of the bin that is long enough, among its first. */
static struct moat_span *look_in(const moat_heap *heap, unsigned bin,
                                 size_t pages)
{
    uint32_t number = heap->bins[bin];

    for (int looks = 0; number != 0 && looks < MAX_LOOKS; looks++) {
        struct moat_span *span = span_at(heap, number - 1);

        if (span->pages >= pages)
            return span;
        number = span->next;
    }
    return NULL;
}

/* Returns the first span of the first bin from `bin` on that has one. */
static struct moat_span *first_from(const moat_heap *heap, unsigned bin)
{
    for (unsigned word = bin / 64; word < MOAT_HEAP_BINS / 64; word++) {
        uint64_t bits = heap->filled[word];

        if (word == bin / 64)
            bits &= ~(uint64_t)0 << (bin % 64);
        if (bits != 0) {
            bin = word * 64 + (unsigned)__builtin_ctzl(bits);
            return span_at(heap, heap->bins[bin] - 1);
        }
    }
    return NULL;
}

static struct moat_span *find(const moat_heap *heap, size_t pages)
{
    unsigned bin = bin_of(pages);
    struct moat_span *span = look_in(heap, bin, pages);

    return span != NULL ? span : first_from(heap, bin + 1);
}

/* ---- Free spans ---------------------------------------------------------- */

static bool is_zero(const struct moat_span *span)
{
    return span->size_class != 0;
}

/* Describes the pages as a span; both its ends lead to its first page. */
static struct moat_span *describe(moat_heap *heap, size_t page, size_t pages,
                                  enum moat_span_kind kind)
{
    struct moat_span *first = span_at(heap, page);
    struct moat_span *last = span_at(heap, page + pages - 1);

    last->kind = (uint8_t)kind;
    last->back = (uint32_t)(pages - 1);
    first->kind = (uint8_t)kind;
    first->back = 0;
    first->pages = (uint32_t)pages;
    return first;
}

static void make_free(moat_heap *heap, size_t page, size_t pages, bool zero)
{
    struct moat_span *span = describe(heap, page, pages, MOAT_SPAN_FREE);

    span->size_class = zero;
    if (!zero)
        heap->dirty += pages;
    put_in(heap, span);
}

/* Takes a free span out of its bin, and its pages out of the count. */
static void unmake_free(moat_heap *heap, struct moat_span *span)
{
    take_out(heap, span);
    if (!is_zero(span))
        heap->dirty -= span->pages;
}

/* Returns the free span that ends before the page or begins at it, or NULL. */
static struct moat_span *free_before(const moat_heap *heap, size_t page)
{
    struct moat_span *last;

    if (page == 0)
        return NULL;
    last = span_at(heap, page - 1);
    return last->kind == MOAT_SPAN_FREE ? last - last->back : NULL;
}

static struct moat_span *free_at(const moat_heap *heap, size_t page)
{
    struct moat_span *span = span_at(heap, page);

    return page < heap->fresh && span->kind == MOAT_SPAN_FREE ? span : NULL;
}

/* Makes pages free that a span had in use, together with their neighbours. What
 * they make up together is zero only if nothing of it was used. Their first
 * entry no longer describes a span if another comes before: a block must not be
 * found there once more. */
static void merge(moat_heap *heap, size_t page, size_t pages)
{
    struct moat_span *before = free_before(heap, page);
    struct moat_span *after = free_at(heap, page + pages);

    span_at(heap, page)->kind = MOAT_SPAN_NONE;

    if (after != NULL) {
        unmake_free(heap, after);
        pages += after->pages;
    }
    if (before != NULL) {
        unmake_free(heap, before);
        page -= before->pages;
        pages += before->pages;
    }
    make_free(heap, page, pages, false);
}

/* ---- Memory -------------------------------------------------------------- */

/* free(3) leaves errno as it is. */
static bool drop_pages(uintptr_t low, uintptr_t high)
{
    int error = errno;
    moat_status status = moat_pages_drop_range(low, high);

    errno = error;
    return status == MOAT_OK;
}

void moat_span_drop(moat_heap *heap, struct moat_span *span)
{
    uintptr_t begin = moat_span_begin(heap, span);
    uintptr_t end = begin + ((uintptr_t)span->pages << MOAT_HEAP_PAGE_SHIFT);
    uintptr_t low = moat_page_of(begin + moat_page_bytes() - 1);
    uintptr_t high = moat_page_of(end);

    if (is_zero(span) || low >= high || !drop_pages(low, high))
        return;
    heap->dirty -= span->pages;
    /* The ends share a page of the system with others, if that is larger. */
    if (low == begin && high == end)
        span->size_class = true;
    else
        heap->dirty += span->pages;
}

/* Longest spans first: they give most back for one system call. */
void moat_span_purge(moat_heap *heap, size_t keep)
{
    for (unsigned bin = MOAT_HEAP_BINS; bin-- > 0 && heap->dirty > keep;) {
        uint32_t number = heap->bins[bin];

        while (number != 0 && heap->dirty > keep) {
            struct moat_span *span = span_at(heap, number - 1);

            moat_span_drop(heap, span);
            number = span->next;
        }
    }
}

/* Memory is given back when a period has passed in which less was used than is
 * held. Otherwise a guest that takes and returns the same memory again and
 * again would pay the system for each page each time. */
static void count_return(moat_heap *heap)
{
    size_t held = heap->in_use + heap->dirty;

    if (heap->countdown-- != 0)
        return;
    heap->countdown = PERIOD;
    if (held > heap->recent + SLACK_PAGES)
        moat_span_purge(heap, heap->recent + SLACK_PAGES - heap->in_use);
    heap->recent = heap->in_use;
}

static void set_in_use(moat_heap *heap, size_t pages)
{
    if (heap->metered_at != 0)
        moat_heap_meter_add(heap);
    heap->in_use = pages;
}

static void count_use(moat_heap *heap, size_t pages)
{
    set_in_use(heap, heap->in_use + pages);
    if (heap->in_use > heap->recent)
        heap->recent = heap->in_use;
    if (heap->in_use > heap->peak)
        heap->peak = heap->in_use;
}

/* Returns whether the quota has room for so many pages of memory more. */
static bool has_room(const moat_heap *heap, size_t pages)
{
    return heap->dirty <= heap->quota - heap->in_use - pages;
}

/* Returns whether the quota allows so many pages more. What free spans hold
 * counts too, so it may have to be given back first. */
static bool allows(moat_heap *heap, size_t pages)
{
    if (pages > heap->quota - heap->in_use)
        return false;
    if (!has_room(heap, pages))
        moat_span_purge(heap, heap->quota - heap->in_use - pages);
    return true;
}

/* Makes so many pages more accessible. Half of the last step's more, so that
 * their number stays small, but no more than the quota allows: in locked memory
 * (mlockall) what is accessible takes memory. */
static bool open_more(moat_heap *heap, size_t pages)
{
    size_t more = heap->opened / 2 > OPEN_PAGES ? heap->opened / 2 : OPEN_PAGES;
    size_t left = heap->quota - heap->in_use;

    if (more > left)
        more = left > OPEN_PAGES ? left : OPEN_PAGES;
    if (more < pages)
        more = pages;
    if (more > heap->capacity - heap->opened)
        more = heap->capacity - heap->opened;
    if (more < pages ||
        moat_memory_open(heap->pages + (heap->opened << MOAT_HEAP_PAGE_SHIFT),
                         more << MOAT_HEAP_PAGE_SHIFT) != MOAT_OK)
        return false;
    heap->opened += more;
    return true;
}

/* Makes sure that so many pages after the last one used are accessible, and
 * notes that they will be used. */
static bool reach(moat_heap *heap, size_t pages)
{
    size_t left = heap->opened - heap->fresh;

    if (pages > left && !open_more(heap, pages - left))
        return false;
    moat_heap_region_reached(heap, heap->fresh + pages, heap->opened);
    return true;
}

/* ---- Taking and returning ------------------------------------------------ */

static struct moat_span *take_fresh(moat_heap *heap, size_t pages)
{
    size_t page = heap->fresh;

    if (!reach(heap, pages))
        return NULL;
    heap->fresh += pages;
    return describe(heap, page, pages, MOAT_SPAN_LARGE);
}

/* Takes the first pages of a free span; the rest stays free. */
static struct moat_span *take_free(moat_heap *heap, struct moat_span *span,
                                   size_t pages)
{
    size_t page = moat_heap_page_of(heap, span);
    size_t rest = span->pages - pages;

    unmake_free(heap, span);
    if (rest != 0)
        make_free(heap, page + pages, rest, is_zero(span));
    return describe(heap, page, pages, MOAT_SPAN_LARGE);
}

struct moat_span *moat_span_take(moat_heap *heap, size_t pages, bool *zero)
{
    struct moat_span *span = NULL;

    if (!allows(heap, pages))
        return NULL;
    span = find(heap, pages);
    *zero = span == NULL || is_zero(span);
    /* Locked memory could not be given back. */
    if (*zero && !has_room(heap, pages))
        return NULL;
    span =
        span != NULL ? take_free(heap, span, pages) : take_fresh(heap, pages);
    if (span != NULL)
        count_use(heap, pages);
    return span;
}

void moat_span_return(moat_heap *heap, struct moat_span *span)
{
    size_t pages = span->pages;

    set_in_use(heap, heap->in_use - pages);
    merge(heap, moat_heap_page_of(heap, span), pages);
    count_return(heap);
}

void moat_span_shrink(moat_heap *heap, struct moat_span *span, size_t pages)
{
    size_t page = moat_heap_page_of(heap, span);
    size_t rest = span->pages - pages;

    if (rest == 0)
        return;
    (void)describe(heap, page, pages, MOAT_SPAN_LARGE);
    set_in_use(heap, heap->in_use - rest);
    merge(heap, page + pages, rest);
    count_return(heap);
}

bool moat_span_grow(moat_heap *heap, struct moat_span *span, size_t pages)
{
    size_t page = moat_heap_page_of(heap, span);
    size_t end = page + span->pages, more = pages - span->pages;
    struct moat_span *after = free_at(heap, end);

    if (!allows(heap, more))
        return false;
    if ((after == NULL || is_zero(after)) && !has_room(heap, more))
        return false;
    if (end == heap->fresh) {
        if (!reach(heap, more))
            return false;
        heap->fresh += more;
    } else if (after != NULL && after->pages >= more) {
        take_free(heap, after, more)->kind = MOAT_SPAN_NONE;
    } else {
        return false;
    }
    (void)describe(heap, page, pages, MOAT_SPAN_LARGE);
    count_use(heap, more);
    return true;
}

struct moat_span *moat_span_behead(moat_heap *heap, struct moat_span *span,
                                   size_t pages)
{
    size_t page = moat_heap_page_of(heap, span);
    size_t rest = span->pages - pages;

    (void)describe(heap, page + pages, rest, MOAT_SPAN_LARGE);
    set_in_use(heap, heap->in_use - pages);
    merge(heap, page, pages);
    return span_at(heap, page + pages);
}

void moat_span_return_part(moat_heap *heap, struct moat_span *span, size_t page,
                           size_t pages)
{
    size_t begin = moat_heap_page_of(heap, span);
    size_t before = page - begin, after = span->pages - before - pages;
    enum moat_span_kind kind = (enum moat_span_kind)span->kind;

    if (after != 0)
        (void)describe(heap, page + pages, after, kind);
    if (before != 0)
        (void)describe(heap, begin, before, kind);
    set_in_use(heap, heap->in_use - pages);
    merge(heap, page, pages);
    count_return(heap);
}

bool moat_span_charge(moat_heap *heap, size_t pages)
{
    if (!allows(heap, pages) || !has_room(heap, pages))
        return false;
    count_use(heap, pages);
    return true;
}

void moat_span_discharge(moat_heap *heap, size_t pages)
{
    set_in_use(heap, heap->in_use - pages);
}
