/*
 * asides.c: limits that are set aside: in a host call, and with a thread's
 * guests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/asides.h"

#include <stdatomic.h>

#include "sys/clock.h"
#include "trap/alarm.h"
#include "trap/coroutine.h"
#include "trap/cpu_clock.h"
#include "trap/guest_clock.h"
#include "trap/preempt.h"

#define NEVER MOAT_CLOCK_END

/* How soon to look again at a limit that has passed. */
#define AGAIN_NS UINT64_C(1000000)

/* The limit does not apply to what the call has resumed. */
uint64_t moat_asides_look(uint64_t now)
{
    const struct moat_aside *innermost = moat_alarm.asides, *aside;
    uint64_t again = NEVER, look_at;

    for (aside = innermost; aside != NULL; aside = aside->outer) {
        if (moat_guest_clock_is_over(moat_guest_clocks_start(aside->co, now),
                                     now, &look_at)) {
            look_at = moat_later_by(now, AGAIN_NS);
            if (aside == innermost && moat_running() == resumer_of(aside->co))
                moat_tls.poll = 1;
        }
        again = moat_earlier(again, look_at);
        again = moat_earlier(again, moat_slices_look(aside->co, now));
    }
    return again;
}

void moat_asides_arm_again(void)
{
    uint64_t now = moat_clock_ns(), look_at;
    uint64_t aside = moat_asides_look(now);

    if (moat_guest_clock_is_over(moat_guest_clock_find(moat_running()), now,
                                 &look_at))
        look_at = now;
    look_at = moat_earlier(look_at, moat_slices_look(moat_running(), now));
    look_at = moat_earlier(look_at, aside);
    if (look_at != NEVER && moat_alarm_make() == MOAT_OK)
        (void)moat_alarm_set_surely(look_at);
}

void moat_asides_end_waiting(const struct co *running)
{
    bool waits = moat_tls.poll != 0;
    uint64_t now, look_at;

    moat_tls.poll = 0;
    if (!waits)
        return;
    now = moat_clock_ns();
    (void)moat_asides_look(now);
    if (moat_guest_clock_is_over(moat_guest_clock_find(running), now, &look_at))
        moat_tls.poll = 1;
}

/* The timer stays as it is: it is early enough for what comes back. */
void moat_aside_begin(struct moat_aside *aside, struct co *co)
{
    aside->co = co;
    aside->outer = moat_alarm.asides;
    atomic_signal_fence(memory_order_seq_cst);
    moat_alarm.asides = aside;
}

/* The timer looks again only after a while. */
void moat_aside_end(const struct moat_aside *aside)
{
    const struct moat_guest_clock *clock = moat_guest_clock_find(aside->co);
    uint64_t now, look_at;

    moat_alarm.asides = aside->outer;
    if (clock == NULL)
        return;
    now = moat_clock_ns();
    if (moat_guest_clock_due(clock) <= now &&
        moat_guest_clock_is_over(clock, now, &look_at))
        moat_tls.poll = 1;
}

/* --- fibers of the host --------------------------------------------------- */

static bool is_timed(const struct moat_asides_parked *parked)
{
    const struct co *co = parked->running;

    while (co != NULL && (co->traits & (CO_LIMITED | CO_ACCOUNTED)) == 0)
        co = resumer_of(co);
    return co != NULL || parked->asides != NULL;
}

static void start_all(struct moat_asides_parked *parked)
{
    uint64_t now = moat_clock_ns();

    parked->cpu = moat_cpu_clock(now);
    (void)moat_guest_clocks_start(parked->running, now);
    for (const struct moat_aside *each = parked->asides; each != NULL;
         each = each->outer)
        (void)moat_guest_clocks_start(each->co, now);
}

/* The timer stays as it is: its signal finds no limit in force. The clocks must
 * run, since the timer does not find these guests meanwhile. */
void moat_asides_park(struct moat_asides_parked *out)
{
    out->running = moat_running();
    out->asides = moat_alarm.asides;
    out->timed = is_timed(out);
    if (out->timed)
        start_all(out);
    moat_alarm.asides = NULL;
    moat_tls.poll = 0;
}

/* A guest that made a host call is no resumer of what the call resumed; its own
 * resumers are those of the call. */
static void shift_all(const struct moat_asides_parked *parked, uint64_t ns)
{
    moat_guest_clocks_shift_cpu(parked->running, NULL, ns);
    for (const struct moat_aside *each = parked->asides; each != NULL;
         each = each->outer)
        moat_guest_clocks_shift_cpu(each->co, resumer_of(each->co), ns);
}

void moat_asides_unpark(const struct moat_asides_parked *parked)
{
    uint64_t cpu;

    if (!parked->timed)
        return;
    cpu = moat_cpu_clock(moat_clock_ns());
    if (cpu != MOAT_CLOCK_END && parked->cpu != MOAT_CLOCK_END &&
        cpu > parked->cpu)
        shift_all(parked, cpu - parked->cpu);
    moat_tls.poll = 0;
    moat_alarm.asides = parked->asides;
    moat_asides_arm_again();
}
