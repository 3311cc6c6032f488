/*
 * timers.c: a heap of deadlines. Each task knows its index, so that a wait that
 * ends early removes its timer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/task.h"
#include "sched/timers.h"

#define FIRST_ROOM 64

static size_t parent_of(size_t place)
{
    return (place + 2) / 4;
}

static size_t first_child_of(size_t place)
{
    return 4 * place - 2;
}

static void put(struct timers *timers, size_t place, struct timer timer)
{
    timers->heap[place] = timer;
    timer.task->timer = place;
}

static void rise(struct timers *timers, size_t place, struct timer timer)
{
    while (place > 1) {
        size_t parent = parent_of(place);

        if (timers->heap[parent].deadline <= timer.deadline)
            break;
        put(timers, place, timers->heap[parent]);
        place = parent;
    }
    put(timers, place, timer);
}

/* The child with the earliest deadline; 0: there is none. */
static size_t least_child(const struct timers *timers, size_t place)
{
    size_t child = first_child_of(place);
    size_t least = 0;

    for (size_t i = child; i < child + 4 && i <= timers->count; i++)
        if (least == 0 ||
            timers->heap[i].deadline < timers->heap[least].deadline)
            least = i;
    return least;
}

static void sink(struct timers *timers, size_t place, struct timer timer)
{
    for (;;) {
        size_t child = least_child(timers, place);

        if (child == 0 || timers->heap[child].deadline >= timer.deadline)
            break;
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, timer);
}

static bool grow(struct timers *timers)
{
    size_t room = timers->room == 0 ? FIRST_ROOM : 2 * timers->room;
    struct timer *heap = realloc(timers->heap, (room + 1) * sizeof *heap);

    if (heap == NULL)
        return false;
    timers->heap = heap;
    timers->room = room;
    return true;
}

bool moat_timers_add(struct timers *timers, struct moat_task *task,
                     uint64_t deadline)
{
    struct timer timer = {deadline, task};

    if (timers->count == timers->room && !grow(timers))
        return false;
    rise(timers, ++timers->count, timer);
    return true;
}

void moat_timers_remove(struct timers *timers, struct moat_task *task)
{
    size_t place = task->timer;
    struct timer last;

    if (place == 0)
        return;
    task->timer = 0;
    last = timers->heap[timers->count--];
    if (last.task == task)
        return;
    if (place > 1 && timers->heap[parent_of(place)].deadline > last.deadline)
        rise(timers, place, last);
    else
        sink(timers, place, last);
}

uint64_t moat_timers_next(const struct timers *timers)
{
    return timers->count == 0 ? MOAT_NO_DEADLINE : timers->heap[1].deadline;
}

struct moat_task *moat_timers_due(const struct timers *timers, uint64_t now)
{
    return timers->count != 0 && timers->heap[1].deadline <= now
               ? timers->heap[1].task
               : NULL;
}

void moat_timers_free(struct timers *timers)
{
    free(timers->heap);
}
