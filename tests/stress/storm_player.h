/*
 * storm_player.h: one coroutine of the storm, and what it was told to do.
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
    unsigned open;      /* frames of the guest's with cleanup code to run */
    unsigned deferred;  /* functions that must run when it ends           */
    unsigned long runs; /* what became of it, so that seeds can be compared */
};

/* What was planned, and came. */
struct tally {
    unsigned long steps, yields, returns, traps, nested, deadlines, cancels,
        resets, renewals, walks;
};

void tally_add(struct tally *to, const struct tally *from);

/* xorshift64* (Marsaglia; Vigna 2016): enough to choose. */
uint64_t storm_random(uint64_t *state);

/* Makes the coroutine and touches its whole stack. The first one's is walked:
 * what libunwind opens and allocates is there from then on. */
void player_open(struct player *player, bool is_first);

/* One random thing is done with it, and comes out as planned. */
void player_step(struct player *player, uint64_t *state, struct tally *tally);

/* No guest calls abort any more: glibc before 2.41 leaves the lock of abort
 * taken in a child that was forked while another thread held it. */
void players_are_in_a_child(void);

void player_close(struct player *player);

#endif
