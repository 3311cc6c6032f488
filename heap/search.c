/*
 * search.c: the search for references to heaps.
 *
 * It reads every word of the variables. One that is an address in a heap's
 * pages marks the heap, and the pages of a marked heap are read in turn: of one
 * that has ended, and of one in use, which may have got a block that leads on.
 * All is read by the kernel, for which nothing faults, and only pages that have
 * contents.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/search.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap/heap.h"
#include "heap/layout.h"
#include "sys/filter.h"
#include "sys/page.h"
#include "sys/pagemap.h"

/* Of the variables that are read at once. */
#define BUFFER_BYTES ((size_t)64 << 10)

/* Below this it does not pay to ask which pages have contents. */
#define SMALL ((size_t)256 << 10)

static uintptr_t *buffer;

static struct {
    unsigned long mark;
    int thread, pagemap;
    bool direct; /* variables are read, not heaps */
    size_t read;
    struct moat_heap_region *marked, **end;
} look;

static struct {
    struct moat_memory_part parts[MOAT_MEMORY_PARTS];
    size_t count, bytes;
} gathered; /* to be read */

/* ---- Marking ------------------------------------------------------------- */

static void mark(struct moat_heap_region *region)
{
    if (region->mark == look.mark)
        return;
    region->mark = look.mark;
    region->direct = look.direct;
    region->next_marked = NULL;
    *look.end = region;
    look.end = &region->next_marked;
}

/* A heap's own tables do not count: handles lead there. */
static void follow(uintptr_t address)
{
    struct moat_hall *hall = moat_hall_of(address);
    struct moat_heap_region *region;
    struct moat_pages used;

    if (hall == NULL)
        return;
    region = &hall->regions[moat_hall_index(hall, address)];
    if (moat_region_quota(region) == 0 && !atomic_load(&region->kept))
        return;
    used = moat_region_used(hall, region);
    if (address >= used.low && address < used.high)
        mark(region);
}

static void follow_all(const uintptr_t *words, size_t number)
{
    uintptr_t begin = moat_heap_bounds.begin, all = moat_heap_bounds.bytes;

    for (size_t i = 0; i < number; i++) {
        if (MOAT_UNLIKELY(words[i] - begin < all))
            follow(words[i]);
    }
}

/* A page that cannot be read is passed over. */
static void read_words(struct moat_memory_part part)
{
    size_t page = moat_page_bytes();
    uintptr_t end = part.begin + part.bytes;

    while (part.begin < end) {
        size_t copied;

        part.bytes = end - part.begin;
        if (moat_memory_read(&part, 1, buffer, &copied) != MOAT_OK)
            copied = 0;
        follow_all(buffer, copied / sizeof(uintptr_t));
        part.begin += copied;
        if (copied < part.bytes)
            part.begin = (part.begin & ~(page - 1)) + page;
    }
}

/* Reads what was gathered, by one system call if all of it can be read. */
static void read_gathered(void)
{
    size_t copied;

    if (moat_memory_read(gathered.parts, gathered.count, buffer, &copied) ==
            MOAT_OK &&
        copied == gathered.bytes) {
        follow_all(buffer, copied / sizeof(uintptr_t));
    } else {
        for (size_t i = 0; i < gathered.count; i++)
            read_words(gathered.parts[i]);
    }
    look.read += gathered.bytes;
    gathered.count = gathered.bytes = 0;
}

static void gather(uintptr_t low, uintptr_t high)
{
    while (low < high) {
        size_t size = high - low, room = BUFFER_BYTES - gathered.bytes;

        if (size > room)
            size = room;
        gathered.parts[gathered.count++] = (struct moat_memory_part){low, size};
        gathered.bytes += size;
        low += size;
        if (gathered.bytes == BUFFER_BYTES ||
            gathered.count == MOAT_MEMORY_PARTS)
            read_gathered();
    }
}

static bool read_run(uintptr_t low, uintptr_t high, void *arg)
{
    const struct moat_pages *asked = arg;

    gather(low > asked->low ? low : asked->low,
           high < asked->high ? high : asked->high);
    return true;
}

static void read_range(uintptr_t low, uintptr_t high)
{
    size_t page = moat_page_bytes();
    struct moat_pages asked = {low, high};

    if (high - low >= SMALL && look.pagemap < 0)
        look.pagemap = moat_pagemap_open();
    if (high - low < SMALL || look.pagemap < 0 ||
        moat_pagemap_visit(look.pagemap, low & ~(page - 1),
                           (high + page - 1) & ~(page - 1), read_run,
                           &asked) != MOAT_OK)
        gather(low, high);
}

/* This library's own variables have addresses of what has long ended. */
static void see_variables(const void *begin, size_t size)
{
    uintptr_t low =
        ((uintptr_t)begin + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);
    uintptr_t high = ((uintptr_t)begin + size) & ~(sizeof(uintptr_t) - 1);

    if ((uintptr_t)&look - (uintptr_t)begin >= size && low < high)
        read_range(low, high);
}

static bool is_another_threads(const struct moat_heap_region *region)
{
    return region->thread != look.thread &&
           (syscall(SYS_tgkill, getpid(), region->thread, 0) == 0 ||
            errno != ESRCH);
}

static void read_heaps(void)
{
    for (struct moat_heap_region *each = look.marked; each != NULL;
         each = each->next_marked) {
        size_t index, before = look.read;
        struct moat_hall *hall = moat_hall_of_region(each, &index);
        struct moat_pages used = moat_region_used(hall, each);

        read_range(used.low, used.high);
        read_gathered();
        each->bytes = look.read - before + MOAT_KEPT_OVERHEAD;
    }
}

size_t moat_search(struct moat_heap_region *first, moat_heap_roots roots)
{
    unsigned char filter = moat_filter_pause();

    gathered.count = gathered.bytes = 0; /* a fork may have come amid a look */
    look.mark++;
    look.read = 0;
    look.thread = (int)syscall(SYS_gettid);
    look.pagemap = -1;
    look.marked = NULL;
    look.end = &look.marked;
    look.direct = true;
    for (; first != NULL; first = first->next) {
        if (is_another_threads(first))
            mark(first);
    }
    roots(see_variables);
    read_gathered();
    look.direct = false;
    read_heaps();
    if (look.pagemap >= 0)
        moat_pagemap_close(look.pagemap);
    moat_filter_restore(filter);
    return look.read;
}

bool moat_search_found(const struct moat_heap_region *region)
{
    return region->mark == look.mark;
}

/* ---- The buffer ---------------------------------------------------------- */

bool moat_search_works(void)
{
    struct moat_memory_part part = {(uintptr_t)&look, sizeof(uintptr_t)};
    uintptr_t word;
    size_t copied;

    return moat_memory_read(&part, 1, &word, &copied) == MOAT_OK &&
           copied == sizeof word;
}

bool moat_search_prepare(void)
{
    uintptr_t begin;

    if (buffer != NULL)
        return true;
    begin = moat_memory_reserve(BUFFER_BYTES);
    if (begin == 0)
        return false;
    if (moat_memory_open(begin, BUFFER_BYTES) == MOAT_OK) {
        buffer = (uintptr_t *)begin;
        return true;
    }
    moat_memory_release(begin, BUFFER_BYTES);
    return false;
}
