/*
 * storm_player.h: one coroutine of the storm, and the orders it has received.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_STRESS_STORM_PLAYER_H
#define TESTS_STRESS_STORM_PLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/moat.h>

struct player {
    moat_co *co;
    unsigned open;      /* guest frames whose cleanup code must run */
    unsigned deferred;  /* functions that must run when it ends */
    unsigned long runs; /* its results, so that runs of a seed can be
                         * compared */
};

/* Planned events that came. */
struct tally {
    unsigned long steps, yields, returns, traps, nested, deadlines, cancels,
        resets, renewals, walks;
};

void tally_add(struct tally *to, const struct tally *from);

/* xorshift64* (Marsaglia; Vigna 2016): good enough for choices. */
uint64_t storm_random(uint64_t *state);

/* Creates the coroutine and touches its whole stack. Takes a backtrace of the
 * first one, so that libunwind has opened and allocated everything it keeps. */
void player_open(struct player *player, bool is_first);

/* Does one random thing with it and checks the result. */
void player_step(struct player *player, uint64_t *state, struct tally *tally);

/* Removes abort from the guests' faults: before 2.41, glibc leaves abort's lock
 * held in a child that was forked while another thread held it. */
void players_are_in_a_child(void);

void player_close(struct player *player);

#endif
