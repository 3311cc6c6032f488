/*
 * kept.c: heaps that have ended, but to which variables may still refer.
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

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/allocator.h>

#include "heap/hall.h"
#include "heap/heap.h"
#include "heap/layout.h"
#include "heap/search.h"
#include "sys/clock.h"
#include "sys/filter.h"
#include "sys/lock.h"
#include "sys/refusal.h"

/* A look takes at most a twentieth of the time: the next one is due when so
 * many times its duration have passed. Before that it is due when so many heaps
 * wait, or so much memory: little if a look reads little, or else as much as it
 * reads. */
#define PAUSE      20
#define MOST_HEAPS 512
#define LITTLE     ((size_t)64 << 10)
#define READS_MUCH ((size_t)1 << 20)

static struct {
    atomic_size_t most; /* bytes that may be kept; 0: nothing is */
    moat_heap_roots roots;
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

static atomic_bool looking;

bool moat_kept_is_on(void)
{
    return atomic_load_explicit(&options.most, memory_order_relaxed) != 0;
}

/* The C library's list of loaded files is locked during a look, and would stay
 * so in the child. */
void moat_kept_before_fork(void)
{
    while (atomic_exchange(&looking, true))
        (void)sched_yield();
}

void moat_kept_after_fork(void)
{
    atomic_store(&looking, false);
}

/* ---- Dropping ------------------------------------------------------------ */

static size_t bytes_found(void)
{
    size_t sum = 0;

    for (const struct moat_heap_region *each = first; each != NULL;
         each = each->next) {
        if (moat_search_found(each))
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
    if (!moat_search_found(each))
        return true;
    if (*found <= most || (each->direct && bytes + each->bytes <= most))
        return false;
    *found -= each->bytes;
    return true;
}

static void add_waiting(const struct moat_heap_region *region)
{
    waiting.count++;
    waiting.bytes += region->bytes - MOAT_KEPT_OVERHEAD;
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
    struct moat_heap_region *begin, *end, *dropped;
    uint64_t since = moat_clock_ns(), now;
    size_t read;

    moat_lock(&moat_heap_regions_lock);
    begin = first;
    end = newest;
    moat_unlock(&moat_heap_regions_lock);
    read = moat_search(begin, options.roots);
    moat_lock(&moat_heap_regions_lock);
    dropped = sort_out(end);
    now = moat_clock_ns();
    due = now + PAUSE * (now - since);
    due_bytes = read > READS_MUCH ? read : LITTLE;
    if (due_bytes > atomic_load(&options.most))
        due_bytes = atomic_load(&options.most);
    moat_unlock(&moat_heap_regions_lock);
    drop_all(dropped);
}

size_t moat_kept_look(void)
{
    if (count != 0 && !atomic_exchange(&looking, true)) {
        look_once();
        atomic_store(&looking, false);
    }
    return count;
}

/* Twice as much as may stay is the most that waits. Returns whether the region
 * does. */
static bool append(struct moat_heap_region *region, bool *is_due)
{
    bool fits;

    moat_lock(&moat_heap_regions_lock);
    fits = bytes + region->bytes <= 2 * atomic_load(&options.most);
    *is_due = true;
    if (!fits) {
        moat_unlock(&moat_heap_regions_lock);
        return false;
    }
    region->next = NULL;
    *(newest != NULL ? &newest->next : &first) = region;
    newest = region;
    count++;
    bytes += region->bytes;
    add_waiting(region);
    *is_due = waiting.count >= MOST_HEAPS || waiting.bytes >= due_bytes ||
              moat_clock_ns() >= due;
    moat_unlock(&moat_heap_regions_lock);
    return true;
}

void moat_kept_add(struct moat_heap_region *region)
{
    unsigned char filter = moat_filter_pause();
    bool is_due;

    region->thread = (int)syscall(SYS_gettid);
    moat_filter_restore(filter);
    region->bytes =
        (region->fresh << MOAT_HEAP_PAGE_SHIFT) + MOAT_KEPT_OVERHEAD;
    if (!append(region, &is_due)) {
        region->next = NULL;
        drop_all(region);
    }
    if (is_due && !moat_lock_is_held())
        (void)moat_kept_look();
}

/* ---- The public functions ------------------------------------------------ */

moat_status moat_heap_keep(moat_heap_roots roots, size_t limit_bytes)
{
    if (roots == NULL && limit_bytes != 0)
        return moat_refuse(MOAT_E_INVAL, "roots is NULL");
    if (limit_bytes != 0) {
        if (!moat_search_works())
            return moat_refuse(MOAT_E_UNSUPPORTED,
                               "process_vm_readv is forbidden");
        if (!moat_search_prepare())
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
