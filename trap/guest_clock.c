/*
 * guest_clock.c: the limits of a guest, and since when they count.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/guest_clock.h"

#include <stdatomic.h>

#include "sys/clock.h"
#include "trap/alarm.h"
#include "trap/cpu_clock.h"

#define NEVER MOAT_CLOCK_END

/* --- the clock of one resume ---------------------------------------------- */

static uint64_t left_of(uint64_t total, uint64_t used)
{
    return total > used ? total - used : 0;
}

static uint64_t end_of(uint64_t since, uint64_t resume_ns, uint64_t total_ns,
                       uint64_t used)
{
    uint64_t end = NEVER;

    if (resume_ns != 0)
        end = moat_later_by(since, resume_ns);
    if (total_ns != 0)
        end = moat_earlier(end, moat_later_by(since, left_of(total_ns, used)));
    return end;
}

static bool limits_cpu(const struct moat_guest_clock *clock)
{
    return clock->limits.resume_cpu_ns != 0 ||
           clock->limits.total_cpu_ns != 0 || clock->limits.slice_ns != 0;
}

/* Returns whether the watch has stamped the resume (watch.c). */
static bool is_stamped(const struct co *co)
{
    return moat_alarm.watch.stamped == co;
}

/* Never too early: the time when the guest was entered, if that is known, else
 * now. A CPU clock that cannot be read has passed every limit. */
static void set_beginning(const struct co *co, struct moat_guest_clock *clock,
                          uint64_t now)
{
    if ((co->traits & CO_ACCOUNTED) != 0)
        return;
    if (is_stamped(co)) {
        clock->since = moat_alarm.watch.stamped_at;
        clock->since_cpu = moat_alarm.watch.stamped_cpu;
    } else {
        clock->since = now;
        clock->since_cpu = limits_cpu(clock) ? moat_cpu_clock(now) : 0;
    }
}

static struct moat_guest_clock *earlier_wall(struct moat_guest_clock *clock,
                                             struct moat_guest_clock *outer)
{
    struct moat_guest_clock *other = outer != NULL ? outer->first_wall : NULL;

    if (clock->wall_at == NEVER ||
        (other != NULL && other->wall_at < clock->wall_at))
        return other;
    return clock;
}

static struct moat_guest_clock *earlier_cpu(struct moat_guest_clock *clock,
                                            struct moat_guest_clock *outer)
{
    struct moat_guest_clock *other = outer != NULL ? outer->first_cpu : NULL;

    if (clock->cpu_at == NEVER ||
        (other != NULL && other->cpu_at < clock->cpu_at))
        return other;
    return clock;
}

static struct moat_guest_clock *
start(struct co *co, struct moat_guest_clock *outer, uint64_t now)
{
    struct moat_guest_clock *clock = moat_guest_clock_of(co);
    const struct moat_time_limits *limits = &clock->limits;

    set_beginning(co, clock, now);
    clock->wall_at = end_of(clock->since, limits->wall_ns,
                            limits->total_wall_ns, clock->used_wall);
    clock->cpu_at = end_of(clock->since_cpu, limits->resume_cpu_ns,
                           limits->total_cpu_ns, clock->used_cpu);
    if (limits_cpu(clock) && clock->since_cpu == NEVER)
        clock->cpu_at = 0;
    clock->first_wall = earlier_wall(clock, outer);
    clock->first_cpu = earlier_cpu(clock, outer);
    atomic_signal_fence(memory_order_seq_cst);
    co->control.state = MOAT_MARK_TIMED;
    return clock;
}

/* --- the chain ------------------------------------------------------------ */

/* All clocks outside one that runs do. A guest in the middle of a switch is not
 * entered yet, or has left. The outermost is started first. */
struct moat_guest_clock *moat_guest_clocks_start(struct co *innermost,
                                                 uint64_t now)
{
    struct moat_guest_clock *first = NULL, *outer = NULL;
    struct co *each = NULL;

    for (struct co *co = innermost; co != NULL && outer == NULL;
         co = resumer_of(co)) {
        struct moat_guest_clock *clock = moat_guest_clock_of(co);

        if ((co->traits & CO_LIMITED) == 0 || !moat_is_entered(co))
            continue;
        if (first == NULL)
            first = clock;
        if (co->control.state == MOAT_MARK_TIMED) {
            outer = clock;
        } else {
            clock->inner = each;
            each = co;
        }
    }
    for (; each != NULL; each = moat_guest_clock_of(each)->inner)
        outer = start(each, outer, now);
    return first;
}

struct moat_guest_clock *moat_guest_clock_find(const struct co *innermost)
{
    for (; innermost != NULL; innermost = resumer_of(innermost)) {
        if ((innermost->traits & CO_LIMITED) != 0 &&
            innermost->control.state == MOAT_MARK_TIMED)
            return moat_guest_clock_of(innermost);
    }
    return NULL;
}

void moat_guest_clocks_shift_cpu(const struct co *innermost,
                                 const struct co *end, uint64_t ns)
{
    for (; innermost != end && innermost != NULL;
         innermost = resumer_of(innermost)) {
        struct moat_guest_clock *clock = moat_guest_clock_of(innermost);

        if ((innermost->traits & (CO_LIMITED | CO_ACCOUNTED)) == 0)
            continue;
        clock->since_cpu = moat_later_by(clock->since_cpu, ns);
        clock->cpu_at = moat_later_by(clock->cpu_at, ns);
    }
}

/* --- looking at it -------------------------------------------------------- */

static struct moat_limit_passed which(uint64_t used, uint64_t used_before,
                                      const moat_limit kinds[2],
                                      uint64_t resume_ns, uint64_t total_ns)
{
    const struct moat_limit_passed total = {kinds[1], total_ns,
                                            used_before + used};
    const struct moat_limit_passed resume = {kinds[0], resume_ns, used};

    if (total_ns == 0 ||
        (resume_ns != 0 && resume_ns < left_of(total_ns, used_before)))
        return resume;
    return total;
}

static void note_wall(const struct moat_guest_clock *clock, uint64_t now)
{
    static const moat_limit kinds[2] = {MOAT_LIMIT_WALL, MOAT_LIMIT_TOTAL_WALL};

    moat_alarm.passed =
        which(left_of(now, clock->since), clock->used_wall, kinds,
              clock->limits.wall_ns, clock->limits.total_wall_ns);
}

static void note_cpu(const struct moat_guest_clock *clock, uint64_t cpu)
{
    static const moat_limit kinds[2] = {MOAT_LIMIT_RESUME_CPU,
                                        MOAT_LIMIT_TOTAL_CPU};

    moat_alarm.passed =
        which(left_of(cpu, clock->since_cpu), clock->used_cpu, kinds,
              clock->limits.resume_cpu_ns, clock->limits.total_cpu_ns);
}

static bool is_used_up(moat_limit kind, uint64_t total, uint64_t used)
{
    if (total == 0 || used < total)
        return false;
    moat_alarm.passed = (struct moat_limit_passed){kind, total, used};
    return true;
}

bool moat_guest_clock_is_used_up(const struct co *co)
{
    const struct moat_guest_clock *clock = moat_guest_clock_of(co);
    const struct moat_time_limits *limits = &clock->limits;

    if ((co->traits & CO_ACCOUNTED) == 0 || (co->traits & CO_LIMITED) == 0)
        return false;
    return is_used_up(MOAT_LIMIT_TOTAL_CPU, limits->total_cpu_ns,
                      clock->used_cpu) ||
           is_used_up(MOAT_LIMIT_TOTAL_WALL, limits->total_wall_ns,
                      clock->used_wall);
}

bool moat_guest_clock_is_over(const struct moat_guest_clock *clock,
                              uint64_t now, uint64_t *look_at)
{
    const struct moat_guest_clock *wall, *limit;
    uint64_t cpu;

    *look_at = NEVER;
    if (clock == NULL)
        return false;
    wall = clock->first_wall;
    limit = clock->first_cpu;
    if (wall != NULL && now >= wall->wall_at) {
        note_wall(wall, now);
        return true;
    }
    if (wall != NULL)
        *look_at = wall->wall_at;
    if (limit == NULL)
        return false;
    cpu = moat_cpu_clock(now);
    if (cpu >= limit->cpu_at) {
        note_cpu(limit, cpu);
        return true;
    }
    *look_at = moat_earlier(*look_at, moat_later_by(now, limit->cpu_at - cpu));
    return false;
}

/* CPU time passes no faster than real time. */
uint64_t moat_guest_clock_due(const struct moat_guest_clock *clock)
{
    const struct moat_guest_clock *limit;
    uint64_t due = NEVER;

    if (clock == NULL)
        return NEVER;
    if (clock->first_wall != NULL)
        due = clock->first_wall->wall_at;
    limit = clock->first_cpu;
    if (limit != NULL)
        due = moat_earlier(
            due, moat_later_by(limit->since,
                               left_of(limit->cpu_at, limit->since_cpu)));
    return due;
}
