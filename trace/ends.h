/*
 * ends.h: a backtrace of any depth in a fixed room.
 *
 * An overflow has thousands of frames, and so may a chain of resumers. What is
 * of interest are the two ends, the fault and `main`, and the borders of the
 * coroutines in between. Frames arrive one by one, the innermost first, and
 * their number is known only after the last:
 *
 *   | the first, in order | borders, in order | a ring that keeps the last |
 *
 * A frame that drops out of the ring is left out, unless it is a border.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_ENDS_H
#define MOAT_TRACE_ENDS_H

#include <stdbool.h>

#include <moat/backtrace.h>

#define MOAT_ENDS_FIRST   ((size_t)3 << 10)
#define MOAT_ENDS_BORDERS ((size_t)512)
#define MOAT_ENDS_LAST    ((size_t)512)
#define MOAT_ENDS_FRAMES  (MOAT_ENDS_FIRST + MOAT_ENDS_BORDERS + MOAT_ENDS_LAST)

/* Zeros: no frame so far. */
struct moat_both_ends {
    moat_frame frames[MOAT_ENDS_FRAMES];
    size_t border_numbers[MOAT_ENDS_BORDERS]; /* of those between the ends    */
    size_t borders;                           /* of these                     */
    size_t total; /* frames that arrived                                      */
    size_t count; /* frames that were kept; set by moat_ends_close            */
    bool starved; /* a guess was left undone, for want of stack               */
};

void moat_ends_put(struct moat_both_ends *ends, const moat_frame *frame);

/* Puts the frames that were kept in order: frames[0] to frames[count - 1]. */
void moat_ends_close(struct moat_both_ends *ends);

/* Returns the number of the i-th frame that was kept, counting those left out.
 * i == count: the number of all frames. */
static inline size_t moat_ends_number(const struct moat_both_ends *ends,
                                      size_t i)
{
    if (i < MOAT_ENDS_FIRST)
        return i;
    if (i < MOAT_ENDS_FIRST + ends->borders)
        return ends->border_numbers[i - MOAT_ENDS_FIRST];
    return ends->total - (ends->count - i);
}

/* Returns how many frames were left out just before the i-th. */
static inline size_t moat_ends_gap(const struct moat_both_ends *ends, size_t i)
{
    return i == 0 || i >= ends->count
               ? 0
               : moat_ends_number(ends, i) - moat_ends_number(ends, i - 1) - 1;
}

#endif
