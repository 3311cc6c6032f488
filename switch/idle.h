/*
 * idle.h: carriers that the next guest may have.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_IDLE_H
#define MOAT_SWITCH_IDLE_H

#include "switch/carrier.h"

/* Puts a carrier without a guest on the crew's list; takes the latest. NULL:
 * there is none. */
void moat_idle_put(struct moat_crew *crew, struct moat_carrier *carrier);
struct moat_carrier *moat_idle_take(struct moat_crew *crew);

/* Takes the carrier of a suspended guest, which will get another; NULL: no
 * guest has one. */
struct moat_carrier *moat_idle_take_waiting(struct moat_crew *crew);

/* The guest that is suspended there never continues. */
void moat_idle_release(struct moat_crew *crew, const struct moat_point *point);

#endif
