/*
 * idle.c: carriers that the next guest may have.
 *
 * SPDX-License-Identifier: MIT
 */
#include "switch/idle.h"

void moat_idle_put(struct moat_crew *crew, struct moat_carrier *carrier)
{
    carrier->idle = crew->idle;
    crew->idle = carrier;
}

struct moat_carrier *moat_idle_take(struct moat_crew *crew)
{
    struct moat_carrier *carrier = crew->idle;

    if (carrier != NULL)
        crew->idle = carrier->idle;
    return carrier;
}

static bool waits_in_guest(const struct moat_carrier *carrier)
{
    return carrier->waits_in_guest && carrier->waits_at != NULL;
}

/* In turn, so that none loses its carrier again and again. */
struct moat_carrier *moat_idle_take_waiting(struct moat_crew *crew)
{
    struct moat_carrier *each = crew->victim;

    for (size_t i = 0; i < crew->count; i++) {
        each = each != NULL && each->next != NULL ? each->next : crew->all;
        if (waits_in_guest(each)) {
            crew->victim = each;
            return each;
        }
    }
    return NULL;
}

/* The guest's stack, and the point on it, may be overwritten: it is found by
 * its address. */
void moat_idle_release(struct moat_crew *crew, const struct moat_point *point)
{
    for (struct moat_carrier *each = crew->all; each != NULL;
         each = each->next) {
        if (waits_in_guest(each) && each->waits_at == point) {
            each->waits_at = NULL;
            moat_idle_put(crew, each);
            return;
        }
    }
}
