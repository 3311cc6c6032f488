/*
 * timers.c: a heap of deadlines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "sched/timers.h"

#define FIRST_ROOM 64
#define LINE_BYTES ((size_t)64)

static size_t parent_of(size_t place)
{
    return (place + 2) / 4;
}

static size_t first_child_of(size_t place)
{
    return 4 * place - 2;
}

static void rise(struct timers *timers, size_t place, struct timer timer)
{
    while (place > 1) {
        size_t parent = parent_of(place);

        if (timers->heap[parent].deadline <= timer.deadline)
            break;
        timers->heap[place] = timers->heap[parent];
        place = parent;
    }
    timers->heap[place] = timer;
}

/* Of an entry's children, of which there is one at least, the earliest. */
static size_t least_child(const struct timers *timers, size_t place)
{
    size_t least = first_child_of(place);
    size_t last = least + 3 < timers->count ? least + 3 : timers->count;

    for (size_t i = least + 1; i <= last; i++)
        least =
            timers->heap[i].deadline < timers->heap[least].deadline ? i : least;
    return least;
}

static void sink(struct timers *timers, size_t place, struct timer timer)
{
    while (first_child_of(place) <= timers->count) {
        size_t child = least_child(timers, place);

        if (timers->heap[child].deadline >= timer.deadline)
            break;
        timers->heap[place] = timers->heap[child];
        place = child;
    }
    timers->heap[place] = timer;
}

static void drop_first(struct timers *timers)
{
    struct timer last = timers->heap[timers->count--];

    if (timers->count != 0)
        sink(timers, 1, last);
}

/* ---- Entries that do not count ------------------------------------------- */

/* Returns whether the entry, which its task names, is of a timer that is set.
 * Its deadline is that of the timer then, and the task names no entry. */
static bool take_over(struct timer *timer)
{
    struct moat_task *task = timer->task;

    if (task->entry != timer->deadline)
        return false;
    task->entry = 0;
    timer->deadline = task->timer;
    return task->timer != 0;
}

/* Keeps an entry for each timer that is set. */
static void sweep(struct timers *timers)
{
    size_t kept = 0;

    for (size_t i = 1; i <= timers->count; i++)
        if (take_over(&timers->heap[i]))
            timers->heap[++kept] = timers->heap[i];
    timers->count = kept;
    for (size_t i = 1; i <= kept; i++)
        timers->heap[i].task->entry = timers->heap[i].deadline;
    for (size_t i = kept < 2 ? 0 : parent_of(kept); i >= 1; i--)
        sink(timers, i, timers->heap[i]);
}

/* Drops entries until the first one is that of the earliest timer. */
static void settle(struct timers *timers)
{
    while (timers->count != 0) {
        struct timer first = timers->heap[1];
        uint64_t deadline = first.deadline;

        if (!take_over(&first)) {
            drop_first(timers);
            continue;
        }
        first.task->entry = first.deadline;
        if (first.deadline == deadline)
            return;
        sink(timers, 1, first);
    }
}

/* ---- Room ---------------------------------------------------------------- */

/* Index 2, the first child, is at the start of a line. */
static struct timer *first_line_of(void *memory)
{
    uintptr_t at = (uintptr_t)memory + LINE_BYTES - 1;

    at += 2 * sizeof(struct timer);
    return (struct timer *)(at - at % LINE_BYTES) - 2;
}

static bool grow(struct timers *timers)
{
    size_t room = timers->room == 0 ? FIRST_ROOM : 2 * timers->room;
    void *memory = malloc((room + 1) * sizeof(struct timer) + LINE_BYTES);
    struct timer *heap;

    if (memory == NULL)
        return false;
    heap = first_line_of(memory);
    if (timers->count != 0)
        memcpy(heap + 1, timers->heap + 1,
               timers->count * sizeof(struct timer));
    free(timers->memory);
    timers->memory = memory;
    timers->heap = heap;
    timers->room = room;
    return true;
}

static bool make_room(struct timers *timers)
{
    if (timers->count < timers->room)
        return true;
    if (timers->room == 0 || timers->armed > timers->room / 2)
        return grow(timers);
    sweep(timers);
    return true;
}

/* ---- Timers -------------------------------------------------------------- */

bool moat_timers_set(struct timers *timers, struct moat_task *task,
                     uint64_t deadline)
{
    if (task->entry == 0 || task->entry > deadline) {
        if (!make_room(timers))
            return false;
        rise(timers, ++timers->count, (struct timer){deadline, task});
        task->entry = deadline;
    }
    task->timer = deadline;
    timers->armed++;
    return true;
}

uint64_t moat_timers_next(struct timers *timers)
{
    settle(timers);
    return timers->count == 0 ? MOAT_NO_DEADLINE : timers->heap[1].deadline;
}

struct moat_task *moat_timers_due(struct timers *timers, uint64_t now)
{
    struct moat_task *task;

    if (timers->count == 0 || timers->heap[1].deadline > now)
        return NULL;
    settle(timers);
    if (timers->count == 0 || timers->heap[1].deadline > now)
        return NULL;
    task = timers->heap[1].task;
    task->entry = 0;
    drop_first(timers);
    if (timers->count != 0)
        __builtin_prefetch(timers->heap[1].task);
    return task;
}

void moat_timers_free(struct timers *timers)
{
    free(timers->memory);
}
