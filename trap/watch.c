/*
 * watch.c: the timer of a thread, as far as limited guests are entered.
 *
 * A limited guest must be found by the timer soon after it was entered, but a
 * resume should neither read a clock nor call the system. There are two ways.
 *
 * Where resumes are rare each reads the clock, and notes which guest it enters
 * at what time: the stamp. The timer is set for the end of the limit, unless it
 * is set for an earlier time. That is so little beside what happens between two
 * resumes that it does not count.
 *
 * Where they are frequent they are inline: the thread watches. The timer is set
 * for a time that is less than the tolerance of the shortest limit ahead, the
 * watch's length. When it fires, a guest without a clock was entered after the
 * timer was set, so a clock that begins then is late by less than the
 * tolerance. To let it fire that often would cost several per cent of the time
 * on many machines, since an interrupt of the timer takes microseconds. So it
 * does not: one resume in so many finds its fuel used up, reads the clock here,
 * and sets the timer anew before it fires. The fuel is chosen so that this
 * happens about a dozen times in the watch's length. The timer fires only if
 * resumes have become rare.
 *
 * To set the timer takes half a microsecond on a CPU of one's own, and twenty
 * times that on some virtual ones. So what it takes is measured, and resumes
 * are called rare where a stamp each costs less.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/watch.h"

#include <stdatomic.h>

#include "stack/annotate.h"
#include "sys/clock.h"
#include "sys/refusal.h"
#include "sys/stretch.h"
#include "trap/alarm.h"
#include "trap/asides.h"
#include "trap/coroutine.h"
#include "trap/cpu_clock.h"
#include "trap/guest_clock.h"
#include "trap/preempt.h"

#define NEVER MOAT_CLOCK_END

/* A limit may be late by this part of it, or by this time. */
#define TOLERANCE_PART 50
#define TOLERANCE_NS   UINT64_C(500000)

/* Of the tolerance the watch takes nine tenths, and leaves the rest to the
 * delivery of signals. Class 7 has the least tolerance, each one below twice as
 * much. */
#define SHORTEST_WATCH_NS UINT64_C(450000)
#define SHORTEST_CLASS    7

#define MAX_FUEL ((uint64_t)1 << 16)

/* The time that a stamp takes, roughly, and the most that setting the timer is
 * assumed to take. */
#define STAMP_NS       60u
#define MAX_SETTING_NS 50000u

/* After the timer has fired. */
#define LOOKS_AGAIN 2
#define LONGER_EACH 64

/* A thread whose limits have become longer watches less closely after so many
 * looks. */
#define LOOKS_BEFORE_LONGER 64

static uint64_t shorter(uint64_t a, uint64_t b)
{
    return b != 0 && b < a ? b : a;
}

static uint64_t tolerance(uint64_t limit_ns)
{
    uint64_t part = limit_ns / TOLERANCE_PART;

    return part > TOLERANCE_NS ? part : TOLERANCE_NS;
}

static uint64_t watch_ns(unsigned class)
{
    return SHORTEST_WATCH_NS << (SHORTEST_CLASS - class);
}

static unsigned class_of(const struct moat_time_limits *limits)
{
    uint64_t shortest = NEVER, most;
    unsigned class = SHORTEST_CLASS;

    shortest = shorter(shortest, limits->resume_cpu_ns);
    shortest = shorter(shortest, limits->total_cpu_ns);
    shortest = shorter(shortest, limits->wall_ns);
    shortest = shorter(shortest, limits->total_wall_ns);
    shortest = shorter(shortest, limits->slice_ns);
    most = tolerance(shortest) / 10 * 9;
    while (class > 1 && watch_ns(class - 1) <= most)
        class --;
    return class;
}

uint64_t moat_watch_class(const struct moat_time_limits *limits)
{
    return 2 * (uint64_t)class_of(limits);
}

/* --- the fuel ------------------------------------------------------------- */

/* The watch is as close as the shortest limit met lately needs it. */
static void choose_class(struct moat_watch *watch, unsigned class)
{
    if (class >= watch->class || ++watch->longer > LOOKS_BEFORE_LONGER) {
        watch->class = class;
        watch->longer = 0;
    }
}

/* `elapsed` is what the last resumes took, as many as there was fuel. */
static void choose_fuel(struct moat_watch *watch, uint64_t elapsed)
{
    uint64_t length = watch_ns(watch->class), fuel = watch->fuel;

    if (elapsed > length || moat_alarm_survives_fork() ||
        elapsed / fuel * watch->setting_ns > STAMP_NS * length) {
        watch->fuel = 1;
    } else if (elapsed < length / 16) {
        if (fuel < MAX_FUEL)
            watch->fuel = fuel * 2;
    } else if (elapsed > length / 8) {
        watch->fuel = fuel - fuel / 2;
    }
}

/* --- entering ------------------------------------------------------------- */

/* Returns when to look at the guests that are entered already. */
static uint64_t due_of_others(uint64_t now)
{
    uint64_t due, aside, look_at;
    struct moat_guest_clock *clock;

    if (moat_running() == NULL && moat_alarm.asides == NULL)
        return NEVER;
    clock = moat_guest_clocks_start(moat_running(), now);
    due = moat_guest_clock_due(clock);
    /* One that had CPU time left at the last look is not due yet. */
    if (due <= now && !moat_guest_clock_is_over(clock, now, &look_at))
        due = look_at;
    aside = moat_earlier(moat_asides_look(now),
                         moat_slices_look(moat_running(), now));
    return moat_earlier(due, aside);
}

/* The timer must fire in [from, to]. If its time is over, its signal was taken
 * by other code (sigwait, another handler) and will not come again. Where the
 * words here may be those of a child's parent, only setting it shows whether it
 * is there. */
static moat_status arm_within(uint64_t now, uint64_t from, uint64_t to)
{
    uint64_t armed_at = moat_alarm.armed_at;

    if (armed_at > now && armed_at >= from && armed_at <= to &&
        !moat_alarm_survives_fork())
        return MOAT_OK;
    return moat_alarm_set_surely(to);
}

/* Keeps a moving average of what a setting takes. */
static moat_status set_and_measure(uint64_t now, uint64_t from, uint64_t to)
{
    struct moat_watch *watch = &moat_alarm.watch;
    uint64_t armed_at = moat_alarm.armed_at, took;
    moat_status status = arm_within(now, from, to);

    if (moat_alarm.armed_at == armed_at)
        return status;
    took = moat_clock_ns() - now;
    if (took > MAX_SETTING_NS)
        took = MAX_SETTING_NS;
    watch->setting_ns += took / 8;
    watch->setting_ns -= watch->setting_ns / 8;
    return status;
}

/* Inline resumes are allowed before the timer is set: if it fires in between,
 * they are forbidden again and it is set in vain. */
static moat_status watch_on(struct moat_watch *watch, uint64_t now,
                            uint64_t others)
{
    uint64_t length = watch_ns(watch->class);
    uint64_t to = moat_earlier(now + length, others);

    watch->stamped = NULL;
    *moat_tls.fuel = watch->fuel - 1;
    atomic_signal_fence(memory_order_seq_cst);
    moat_tls.reach = moat_annotate_active() ? 0 : 2 * (uint64_t)watch->class;
    watch->on = true;
    atomic_signal_fence(memory_order_seq_cst);
    return set_and_measure(now, moat_earlier(now + length / 16 * 3, to), to);
}

static uint64_t due_alone(const struct moat_time_limits *limits, uint64_t now)
{
    uint64_t shortest =
        shorter(shorter(NEVER, limits->wall_ns), limits->resume_cpu_ns);

    /* At the end of the last slice the timer was set for about this one. */
    if (limits->slice_ns != 0)
        shortest = moat_earlier(
            shortest, moat_later_by(limits->slice_ns,
                                    2 * moat_slice_slack(limits->slice_ns)));
    return moat_later_by(now, shortest);
}

/* The CPU clock is read if the last reading is so old that the upper bound
 * could be off by half of the tolerance. */
static moat_status stamp(struct moat_watch *watch, struct co *co, uint64_t now,
                         uint64_t others)
{
    const struct moat_time_limits *limits = &moat_guest_clock_of(co)->limits;
    uint64_t cpu = 0, due = due_alone(limits, now), error = NEVER;

    if (limits->resume_cpu_ns != 0)
        error = tolerance(limits->resume_cpu_ns) / 2;
    if (limits->slice_ns != 0)
        error = moat_earlier(error, moat_slice_slack(limits->slice_ns));
    if (error != NEVER)
        cpu = moat_cpu_clock_at_most(now, error);
    if (cpu == NEVER)
        return moat_refuse_errno("clock_gettime");
    moat_tls.reach = 0;
    watch->on = false;
    watch->stamped = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    watch->stamped_at = now;
    watch->stamped_cpu = cpu;
    atomic_signal_fence(memory_order_seq_cst);
    watch->stamped = co;
    watch->entering = true;
    atomic_signal_fence(memory_order_seq_cst);
    return arm_within(now, 0, moat_earlier(due, others));
}

/* What has used up the fuel comes back here the next time as well: the word has
 * wrapped around. */
void moat_watch_refused(void)
{
    moat_tls.reach = 0;
}

/* If the timer is gone, the limits of those that run stay in force. */
static moat_status entered(moat_status status)
{
    if (status == MOAT_OK || moat_alarm.has_timer)
        return status;
    (void)moat_guest_clocks_start(moat_running(), moat_clock_ns());
    moat_asides_arm_again();
    return status;
}

static moat_status enter(struct co *co)
{
    struct moat_watch *watch = &moat_alarm.watch;
    moat_status status = moat_alarm_make();
    uint64_t now, others;

    if (status != MOAT_OK)
        return status;
    now = moat_clock_ns();
    if (now == NEVER)
        return moat_refuse_errno("clock_gettime");
    others = due_of_others(now);
    choose_class(watch, class_of(&moat_guest_clock_of(co)->limits));
    choose_fuel(watch, now - watch->looked_at);
    watch->looked_at = now;
    if (watch->fuel > 1)
        return watch_on(watch, now, others);
    return stamp(watch, co, now, others);
}

/* Not all guests can be resumed inline; the timer may watch them as well. Where
 * an inline resume came here for more fuel, the word has wrapped around. */
static bool is_watched(const struct co *co)
{
    const struct moat_watch *watch = &moat_alarm.watch;

    if (moat_watch_class(&moat_guest_clock_of(co)->limits) > moat_tls.reach ||
        *moat_tls.fuel == 0 || *moat_tls.fuel >= watch->fuel)
        return false;
    --*moat_tls.fuel;
    return true;
}

moat_status moat_watch_enter(struct co *co)
{
    return is_watched(co) ? MOAT_OK : entered(enter(co));
}

void moat_watch_left(void)
{
    moat_alarm.watch.entering = false;
    moat_asides_end_waiting(moat_running());
}

/* --- at the signal -------------------------------------------------------- */

/* One on its way in need not have got there by the next look: a busy machine
 * may run nothing of the thread between two signals. So there is another one,
 * after a much longer time. */
uint64_t moat_watch_end(uint64_t now)
{
    struct moat_watch *watch = &moat_alarm.watch;
    uint64_t wait_ns = SHORTEST_WATCH_NS;

    moat_tls.reach = 0;
    if (watch->on || watch->entering)
        watch->looks = LOOKS_AGAIN;
    watch->on = watch->entering = false;
    watch->fuel = 1;
    if (watch->looks == 0)
        return NEVER;
    for (unsigned i = watch->looks--; i < LOOKS_AGAIN; i++)
        wait_ns *= LONGER_EACH;
    return moat_later_by(now, wait_ns);
}

/* --- accounts ------------------------------------------------------------- */

static moat_status arm_for_account(const struct moat_guest_clock *clock,
                                   uint64_t now)
{
    const struct moat_time_limits *limits = &clock->limits;
    uint64_t due = due_alone(limits, now), others = due_of_others(now);

    if (limits->total_wall_ns != 0)
        due = moat_earlier(
            due,
            moat_later_by(now, limits->total_wall_ns > clock->used_wall
                                   ? limits->total_wall_ns - clock->used_wall
                                   : 0));
    if (limits->total_cpu_ns != 0)
        due = moat_earlier(
            due, moat_later_by(now, limits->total_cpu_ns > clock->used_cpu
                                        ? limits->total_cpu_ns - clock->used_cpu
                                        : 0));
    moat_alarm.watch.entering = true;
    atomic_signal_fence(memory_order_seq_cst);
    return arm_within(now, 0, moat_earlier(due, others));
}

void moat_watch_begin_life(struct co *co)
{
    struct moat_guest_clock *clock = moat_guest_clock_of(co);

    clock->used_wall = clock->used_cpu = clock->resumes = 0;
}

static moat_status enter_accounted(struct co *co)
{
    struct moat_guest_clock *clock = moat_guest_clock_of(co);
    bool limited = (co->traits & CO_LIMITED) != 0;
    moat_status status = limited ? moat_alarm_make() : MOAT_OK;
    uint64_t cpu, now;

    if (status != MOAT_OK)
        return status;
    if (moat_arch_is_fresh(handle_of(co))) {
        moat_stretch_prepare();
        moat_watch_begin_life(co);
    }
    now = moat_cpu_clock_now(&cpu);
    if (now == NEVER || ((co->traits & CO_COUNTS_CPU) != 0 && cpu == NEVER))
        return moat_refuse_errno("clock_gettime");
    if (limited)
        status = arm_for_account(clock, now);
    if (status != MOAT_OK)
        return status;
    clock->since = now;
    clock->since_cpu = cpu;
    clock->resumes++;
    return MOAT_OK;
}

moat_status moat_watch_enter_accounted(struct co *co)
{
    return entered(enter_accounted(co));
}

void moat_watch_leave_accounted(struct co *co)
{
    struct moat_guest_clock *clock = moat_guest_clock_of(co);
    uint64_t cpu, now = moat_cpu_clock_now(&cpu);

    if (now != NEVER && now > clock->since) {
        clock->used_wall += now - clock->since;
        clock->since = now;
    }
    if ((co->traits & CO_COUNTS_CPU) != 0 && cpu != NEVER &&
        cpu > clock->since_cpu) {
        clock->used_cpu += cpu - clock->since_cpu;
        clock->since_cpu = cpu;
    }
}
