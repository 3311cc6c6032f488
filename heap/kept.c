/*
 * kept.c: heaps that have ended, but to which variables may still refer.
 *
 * A look reads every word of the variables. One that is an address in a heap's
 * pages marks the heap, and the pages of a marked heap are read in turn: of one
 * that has ended, and of one in use, which may have got a block that leads on.
 * All is read by the kernel, for which nothing faults, and only pages that have
 * contents.
 *
 * A thread's own variables can only be read by itself. So a heap waits for the
 * thread that ended it, and for any other once that thread has ended.
 *
 * One thread looks at a time. Others do not wait for it: what they end waits.
 * No lock is held meanwhile, for the variables are found by way of the dynamic
 * linker, which has one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/kept.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/allocator.h>

#include "heap/hall.h"
#include "heap/heap.h"
#include "sys/clock.h"
#include "sys/filter.h"
#include "sys/lock.h"
#include "sys/page.h"
#include "sys/pagemap.h"
#include "sys/refusal.h"

/* A look takes at most a twentieth of the time: the next one is due when so
 * many times its duration have passed. Before that it is due when so many heaps
 * wait, or so much memory: little if a look reads little, or else as much as it
 * reads. */
#define PAUSE      20
#define MOST_HEAPS 512
#define LITTLE     ((size_t)64 << 10)
#define READS_MUCH ((size_t)1 << 20)

/* What each heap counts beside its pages: its mappings and tables. */
#define OVERHEAD ((size_t)64 << 10)

/* Of the variables that are read at once. */
#define BUFFER_BYTES ((size_t)64 << 10)

/* Below this it does not pay to ask which pages have contents. */
#define SMALL ((size_t)256 << 10)

static struct {
    atomic_size_t most; /* bytes that may be kept; 0: nothing is */
    moat_heap_roots *roots;
    uintptr_t *buffer;
} options;

/* By the regions' lock. In the order in which they ended. */
static struct moat_heap_region *first, *newest;
static size_t count;
static size_t bytes; /* of all, as far as it is known       */
static struct {
    size_t count, bytes;
} waiting;           /* of those that no look has seen yet  */
static uint64_t due; /* when it is time for a look, in nanoseconds */
static size_t due_bytes = LITTLE; /* of what waits */

/* Of the thread that looks. */
static atomic_bool looking;
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

bool moat_kept_is_on(void)
{
    return atomic_load_explicit(&options.most, memory_order_relaxed) != 0;
}

void moat_kept_after_fork(void)
{
    atomic_store(&looking, false);
}

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
        if (moat_memory_read(&part, 1, options.buffer, &copied) != MOAT_OK)
            copied = 0;
        follow_all(options.buffer, copied / sizeof(uintptr_t));
        part.begin += copied;
        if (copied < part.bytes)
            part.begin = (part.begin & ~(page - 1)) + page;
    }
}

/* Reads what was gathered, by one system call if all of it can be read. */
static void read_gathered(void)
{
    size_t copied;

    if (moat_memory_read(gathered.parts, gathered.count, options.buffer,
                         &copied) == MOAT_OK &&
        copied == gathered.bytes) {
        follow_all(options.buffer, copied / sizeof(uintptr_t));
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

/* Entries are appended and not removed meanwhile. */
static void mark_all(void)
{
    struct moat_heap_region *each;

    moat_lock(&moat_heap_regions_lock);
    each = first;
    moat_unlock(&moat_heap_regions_lock);
    look.marked = NULL;
    look.end = &look.marked;
    look.direct = true;
    for (; each != NULL; each = each->next) {
        if (is_another_threads(each))
            mark(each);
    }
    options.roots(see_variables);
    read_gathered();
    look.direct = false;
    for (each = look.marked; each != NULL; each = each->next_marked) {
        size_t index;
        struct moat_hall *hall = moat_hall_of_region(each, &index);
        struct moat_pages used = moat_region_used(hall, each);

        each->bytes = look.read;
        read_range(used.low, used.high);
        read_gathered();
        each->bytes = look.read - each->bytes + OVERHEAD;
    }
}

/* ---- Dropping ------------------------------------------------------------ */

static size_t bytes_found(void)
{
    size_t sum = 0;

    for (const struct moat_heap_region *each = first; each != NULL;
         each = each->next) {
        if (each->mark == look.mark)
            sum += each->bytes;
    }
    return sum;
}

/* Returns whether a heap is dropped, one after the other as they ended. `found`
 * is what all that were found have, less what was dropped of it. A library that
 * leaves something behind each time it is stopped links it by way of heaps:
 * what is oldest of that is least needed. */
static bool is_dropped(const struct moat_heap_region *each, size_t *found,
                       size_t most)
{
    if (each->mark != look.mark)
        return true;
    if (*found <= most || (each->direct && bytes + each->bytes <= most))
        return false;
    *found -= each->bytes;
    return true;
}

static void add_waiting(const struct moat_heap_region *region)
{
    waiting.count++;
    waiting.bytes += region->bytes - OVERHEAD;
}

/* Takes those to be dropped off the list, up to the last one that was there
 * when the look began. */
static struct moat_heap_region *sort_out(const struct moat_heap_region *end)
{
    struct moat_heap_region *dropped = NULL, **at = &first;
    size_t most = atomic_load(&options.most), found = bytes_found();
    bool is_new = false;

    newest = NULL;
    count = 0;
    bytes = 0;
    waiting.count = waiting.bytes = 0;
    while (*at != NULL) {
        struct moat_heap_region *each = *at;

        if (!is_new && is_dropped(each, &found, most)) {
            *at = each->next;
            each->next = dropped;
            dropped = each;
        } else {
            count++;
            bytes += each->bytes;
            if (is_new)
                add_waiting(each);
            newest = each;
            at = &each->next;
        }
        is_new = is_new || each == end;
    }
    return dropped;
}

static void drop_all(struct moat_heap_region *each)
{
    while (each != NULL) {
        struct moat_heap_region *next = each->next;

        atomic_store(&each->kept, false);
        moat_region_drop(each);
        each = next;
    }
}

static void look_once(void)
{
    unsigned char filter = moat_filter_pause();
    struct moat_heap_region *end, *dropped;
    uint64_t begin = moat_clock_ns(), now;

    moat_lock(&moat_heap_regions_lock);
    end = newest;
    moat_unlock(&moat_heap_regions_lock);
    look.mark++;
    look.read = 0;
    look.thread = (int)syscall(SYS_gettid);
    look.pagemap = -1;
    mark_all();
    if (look.pagemap >= 0)
        moat_pagemap_close(look.pagemap);
    moat_lock(&moat_heap_regions_lock);
    dropped = sort_out(end);
    now = moat_clock_ns();
    due = now + PAUSE * (now - begin);
    due_bytes = look.read > READS_MUCH ? look.read : LITTLE;
    moat_unlock(&moat_heap_regions_lock);
    drop_all(dropped);
    moat_filter_restore(filter);
}

size_t moat_kept_look(void)
{
    if (count != 0 && !atomic_exchange(&looking, true)) {
        look_once();
        atomic_store(&looking, false);
    }
    return count;
}

static bool append(struct moat_heap_region *region)
{
    bool is_due;

    moat_lock(&moat_heap_regions_lock);
    region->next = NULL;
    *(newest != NULL ? &newest->next : &first) = region;
    newest = region;
    count++;
    bytes += region->bytes;
    add_waiting(region);
    is_due = waiting.count >= MOST_HEAPS || waiting.bytes >= due_bytes ||
             moat_clock_ns() >= due;
    moat_unlock(&moat_heap_regions_lock);
    return is_due;
}

void moat_kept_add(struct moat_heap_region *region)
{
    region->thread = (int)syscall(SYS_gettid);
    region->bytes = (region->fresh << MOAT_HEAP_PAGE_SHIFT) + OVERHEAD;
    if (append(region) && !moat_lock_is_held())
        (void)moat_kept_look();
}

/* ---- The public functions ------------------------------------------------ */

static bool can_read(void)
{
    struct moat_memory_part part = {(uintptr_t)&options, sizeof(uintptr_t)};
    uintptr_t word;
    size_t copied;

    return moat_memory_read(&part, 1, &word, &copied) == MOAT_OK &&
           copied == sizeof word;
}

static bool make_buffer(void)
{
    uintptr_t begin = moat_memory_reserve(BUFFER_BYTES);

    if (begin == 0)
        return false;
    if (moat_memory_open(begin, BUFFER_BYTES) == MOAT_OK) {
        options.buffer = (uintptr_t *)begin;
        return true;
    }
    moat_memory_release(begin, BUFFER_BYTES);
    return false;
}

moat_status moat_heap_keep(moat_heap_roots *roots, size_t limit_bytes)
{
    if (roots == NULL && limit_bytes != 0)
        return moat_refuse(MOAT_E_INVAL, "roots is NULL");
    if (limit_bytes != 0) {
        if (!can_read())
            return moat_refuse(MOAT_E_UNSUPPORTED,
                               "process_vm_readv is forbidden");
        if (options.buffer == NULL && !make_buffer())
            return MOAT_E_NOMEM;
        options.roots = roots;
    }
    atomic_store(&options.most, limit_bytes);
    return MOAT_OK;
}

size_t moat_heap_kept(size_t *heaps)
{
    size_t result;

    moat_lock(&moat_heap_regions_lock);
    result = bytes;
    if (heaps != NULL)
        *heaps = count;
    moat_unlock(&moat_heap_regions_lock);
    return result;
}

size_t moat_heap_kept_block(const void *pointer)
{
    const struct moat_hall *hall = moat_hall_of((uintptr_t)pointer);
    size_t index;

    if (hall == NULL)
        return 0;
    index = moat_hall_index(hall, (uintptr_t)pointer);
    if (!atomic_load(&hall->regions[index].kept))
        return 0;
    return moat_heap_find_block(moat_hall_heap(hall, index), pointer);
}
