/*
 * ends.c: a backtrace of any depth in a fixed room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/ends.h"

#include <string.h>

/* While frames arrive the ring has the last part of the array. */
#define RING (MOAT_ENDS_FIRST + MOAT_ENDS_BORDERS)

static void keep_border(struct moat_both_ends *ends, const moat_frame *frame,
                        size_t number)
{
    if (!(frame->flags & MOAT_FRAME_ROOT) || ends->borders == MOAT_ENDS_BORDERS)
        return;
    ends->frames[MOAT_ENDS_FIRST + ends->borders] = *frame;
    ends->border_numbers[ends->borders++] = number;
}

static void put_in_ring(struct moat_both_ends *ends, const moat_frame *frame,
                        size_t number)
{
    size_t after_first = number - MOAT_ENDS_FIRST;
    moat_frame *slot = &ends->frames[RING + after_first % MOAT_ENDS_LAST];

    if (after_first >= MOAT_ENDS_LAST)
        keep_border(ends, slot, number - MOAT_ENDS_LAST);
    *slot = *frame;
}

void moat_ends_put(struct moat_both_ends *ends, const moat_frame *frame)
{
    size_t number = ends->total++;

    if (number < MOAT_ENDS_FIRST)
        ends->frames[number] = *frame;
    else
        put_in_ring(ends, frame, number);
}

static void reverse(moat_frame *frames, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        moat_frame held = frames[i];

        frames[i] = frames[count - 1 - i];
        frames[count - 1 - i] = held;
    }
}

/* Turns the ring such that its oldest frame, the `oldest`-th, comes first. */
static void turn(moat_frame *ring, size_t oldest)
{
    reverse(ring, oldest);
    reverse(ring + oldest, MOAT_ENDS_LAST - oldest);
    reverse(ring, MOAT_ENDS_LAST);
}

void moat_ends_close(struct moat_both_ends *ends)
{
    size_t after_first, in_ring;

    ends->count = ends->total;
    if (ends->total <= MOAT_ENDS_FIRST)
        return;
    after_first = ends->total - MOAT_ENDS_FIRST;
    in_ring = after_first < MOAT_ENDS_LAST ? after_first : MOAT_ENDS_LAST;
    if (after_first > MOAT_ENDS_LAST)
        turn(ends->frames + RING, after_first % MOAT_ENDS_LAST);
    memmove(ends->frames + MOAT_ENDS_FIRST + ends->borders, ends->frames + RING,
            in_ring * sizeof ends->frames[0]);
    ends->count = MOAT_ENDS_FIRST + ends->borders + in_ring;
}
