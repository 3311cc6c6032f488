/*
 * threads.c: the backend of threads that hand over: each guest has one of its
 * own, and one of them runs at a time.
 *
 * A side that leaves stores its context in its point and continues at the base
 * of its thread, which wakes the thread of the other side and waits. That one
 * loads the context. So a point can be continued by any thread, if its own one
 * is gone: in a forked child, in a thread that has adopted the coroutine, or
 * after its carrier was given to another guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "arch/arch.h"
#include "switch/context.h"
#include "switch/idle.h"
#include "switch/switch.h"

/* Returns who continues at `there`; NULL: any carrier that is free. Without the
 * thread that waits at a resume, the running one continues there. */
static struct moat_carrier *find(const struct moat_crew *crew,
                                 const struct moat_point *there)
{
    if (there->serial == crew->serial && there->waiter->waits_at == there)
        return there->waiter;
    return there->front.suspended ? NULL : crew->running;
}

static void depart(struct moat_carrier *self, struct moat_point *here,
                   const ucontext_t *to, struct moat_carrier *by)
{
    self->waits_at = here;
    self->waits_in_guest = here != NULL && here->front.suspended;
    self->to = to;
    self->by = by;
    self->departs = true;
}

static void swap(struct moat_point *here, const ucontext_t *to,
                 struct moat_carrier *by)
{
    struct moat_carrier *self = moat_crew->running;

    here->waiter = self;
    here->serial = moat_crew->serial;
    depart(self, here, to, by);
    here->front.top = MOAT_ARCH_STACK_POINTER();
    if (swapcontext(&here->context, &self->base) != 0)
        abort();
}

void moat_point_swap(struct moat_point *here, struct moat_point *there)
{
    swap(here, &there->context, find(moat_crew_of_process(), there));
}

void moat_point_start(struct moat_point *here, uintptr_t base,
                      void (*first)(moat_co *co), moat_co *co)
{
    (void)moat_crew_of_process();
    swap(here, moat_context_begin(base, first, co), NULL);
}

void moat_point_go(struct moat_point *there)
{
    struct moat_crew *crew = moat_crew_of_process();
    struct moat_carrier *self = crew->running;

    depart(self, NULL, &there->context, find(crew, there));
    (void)setcontext(&self->base);
    abort();
}

void moat_switch_forget(const moat_co *co)
{
    if (moat_crew != NULL && !moat_switch_is_fresh(co))
        moat_idle_release(moat_crew, co->point);
}
