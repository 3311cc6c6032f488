/*
 * parking.c: the thread's guest, set aside while the host runs another of its
 * own fibers.
 *
 * What the thread knows of its guests is the word that names the running one,
 * the list of host calls, and the limits in force. It is kept in the cold part
 * of the guest that was entered last.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/coroutine.h"
#include "engine/filter.h"
#include "engine/host_call.h"
#include "engine/thread.h"

static void take_off(struct moat_parked *parked)
{
    parked->current = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    parked->calls = moat_host_calls_replace(NULL);
    moat_asides_park(&parked->limits);
    MOAT_TLS_WRITE_CURRENT(0);
    moat_filter_enter(NULL);
}

moat_parked *moat_guest_park(void)
{
    struct moat_thread *thread = moat_thread_self();
    struct co *co = moat_host_call_innermost();
    struct moat_parked *parked;

    if (co == NULL)
        return NULL;
    parked = &cold_of(co)->parked;
    take_off(parked);
    moat_host_calls_allow_cancellation(parked->calls);
    parked->thread = thread;
    parked->innermost = co;
    parked->next = thread->parked;
    thread->parked = parked;
    return parked;
}

/* Finds the link that leads to it; NULL: it is not parked. */
static struct moat_parked **find(struct moat_thread *thread,
                                 const struct moat_parked *parked)
{
    struct moat_parked **link = &thread->parked;

    while (*link != NULL && *link != parked)
        link = &(*link)->next;
    return *link != NULL ? link : NULL;
}

static void put_on(const struct moat_parked *parked)
{
    (void)moat_host_calls_replace(parked->calls);
    MOAT_TLS_WRITE_CURRENT(parked->current);
    moat_asides_unpark(&parked->limits);
    moat_filter_enter(moat_running());
}

moat_status moat_guest_unpark(moat_parked *parked)
{
    struct moat_parked **link;

    if (parked == NULL)
        return MOAT_OK;
    if (parked->thread != moat_thread_self())
        return MOAT_E_THREAD;
    link = find(parked->thread, parked);
    if (link == NULL || moat_host_call_innermost() != NULL)
        return MOAT_E_STATE;
    *link = parked->next;
    moat_host_calls_defer_cancellation(parked->calls);
    put_on(parked);
    return MOAT_OK;
}
