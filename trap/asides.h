/*
 * asides.h: limits that are set aside: in a host call, and with a thread's
 * guests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_ASIDES_H
#define MOAT_TRAP_ASIDES_H

#include <stdbool.h>
#include <stdint.h>

struct co;

/* A host call of a guest that limits apply to. */
struct moat_aside {
    struct moat_aside *outer; /* NULL: none                                  */
    struct co *co;            /* the guest                                   */
};

/* Around a host call on the stack of the resumer: the guest's limits do not
 * stop what the call resumes, since the guest is no resumer of that. Time
 * passes nevertheless: a limit that has passed is found pending afterwards. */
void moat_aside_begin(struct moat_aside *aside, struct co *co);
void moat_aside_end(const struct moat_aside *aside);

/* Starts the clocks of such guests. Notes that a limit has passed, while the
 * host call itself runs. Returns when to look again. Signal-safe: yes. */
uint64_t moat_asides_look(uint64_t now);

/* A guest has left for `running`; NULL: for the host. A deadline that waited
 * was its own, or it is that of a host call or of those that run now. */
void moat_asides_end_waiting(const struct co *running);

/* Sets the timer for the clocks that run, after something else ran or in
 * another process. */
void moat_asides_arm_again(void);

/* The clocks and limits that were set aside with a thread's guests. */
struct moat_asides_parked {
    struct moat_aside *asides;
    struct co *running;
    bool timed;   /* they have limits or accounts                */
    uint64_t cpu; /* the thread's CPU time when they were parked */
};

/* Takes all limits out of force while the thread does something else, and puts
 * them back: before the thread's word no longer names the running guest, and
 * after it does again. Real time goes on meanwhile, CPU time does not. */
void moat_asides_park(struct moat_asides_parked *out);
void moat_asides_unpark(const struct moat_asides_parked *parked);

#endif
