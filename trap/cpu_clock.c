/*
 * cpu_clock.c: the CPU time of a thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/cpu_clock.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "arch/arch.h"
#include "sys/clock.h"
#include "sys/fork.h"
#include "sys/stretch.h"
#include "trap/crew.h"

#define NEVER MOAT_CLOCK_END

/* A sample serves for so long. Another one a time that long costs a fifth of a
 * per cent, and what is wrong with this one, as on a virtual CPU that was
 * stopped meanwhile, grows no larger. */
#define STRETCH_NS UINT64_C(250000)

/* In 2^-32 ns, for all threads; 0: not known. It is measured from one sample to
 * the next, if the thread has run on without a break: on one CPU. */
static _Atomic uint64_t tick_length;

/* Both clocks must have been read within this time. */
#define NEAR_TICKS UINT64_C(4000)

/* All in nanoseconds but for the ticks. The handler of the thread writes it,
 * too. */
static __thread struct {
    volatile uint64_t at;     /* when the last sample was taken; 0: there is
                                 none                                        */
    volatile uint64_t cpu;    /* the thread's CPU time then                  */
    volatile uint64_t ticks;  /* the CPU's clock then; 0: not known          */
    volatile uint64_t told;   /* the latest time that was returned           */
    volatile uint64_t before; /* CPU time up to the last fork                */
    volatile unsigned taken;  /* samples, modulo 2^32                        */
} clock_of_thread __attribute__((tls_model("initial-exec")));

/* The CPU time of a crew is that of several threads (crew.h), each of which has
 * stretches of its own. */
static bool is_whole(void)
{
    return !MOAT_SWITCH_CREWS && moat_stretch_is_whole();
}

/* --- samples -------------------------------------------------------------- */

struct sample {
    uint64_t at, cpu, ticks;
};

/* The handler may take a new sample between the reads. */
static struct sample last_sample(void)
{
    struct sample last;

    do {
        last.at = clock_of_thread.at;
        last.cpu = clock_of_thread.cpu;
        last.ticks = clock_of_thread.ticks;
    } while (last.at != clock_of_thread.at);
    return last;
}

static bool is_of(const struct sample *last, uint64_t now, uint64_t most_ns)
{
    return last->at != 0 && now >= last->at && now - last->at <= most_ns;
}

static void measure_ticks(const struct sample *last, uint64_t at,
                          uint64_t ticks)
{
    uint64_t ns = at - last->at, count = ticks - last->ticks;

    if (last->ticks != 0 && ticks != 0 && is_of(last, at, 4 * STRETCH_NS) &&
        ns >= STRETCH_NS / 2 && count >= STRETCH_NS / 64)
        atomic_store_explicit(&tick_length, (ns << 32) / count,
                              memory_order_relaxed);
}

/* The CPU's clock, if nothing has come between the two readings. */
static uint64_t read_together(uint64_t *at)
{
    uint64_t ticks = moat_arch_ticks();

    *at = moat_clock_ns();
    return moat_arch_ticks() - ticks < NEAR_TICKS ? ticks : 0;
}

/* A child's clock starts at 0, and limits that were in force before the fork
 * stay: they count on from what was told last. */
static void begin_anew(void)
{
    clock_of_thread.before = clock_of_thread.told;
    clock_of_thread.at = 0;
    moat_fork_settle(MOAT_FORK_CLOCKS);
}

/* The times are read before the CPU time: so what is added to the sample later
 * is never too little. A signal amid this takes a sample, too, and then neither
 * is kept. */
static uint64_t take_sample(const struct sample *last)
{
    unsigned taken = ++clock_of_thread.taken;
    bool whole = is_whole();
    uint64_t at, cpu, ticks;

    clock_of_thread.at = 0;
    if (moat_fork_happened(MOAT_FORK_CLOCKS))
        begin_anew();
    moat_stretch_begin();
    ticks = read_together(&at);
    if (whole && is_whole())
        measure_ticks(last, at, ticks);
    cpu = moat_later_by(clock_of_thread.before, moat_crew_cpu_ns());
    if (at == NEVER || cpu == NEVER)
        return NEVER;
    clock_of_thread.cpu = cpu;
    clock_of_thread.ticks = ticks;
    clock_of_thread.at = at;
    if (clock_of_thread.taken != taken)
        clock_of_thread.at = 0;
    return cpu;
}

/* --- reading it ----------------------------------------------------------- */

/* The time that interrupts take is not the thread's, so a stretch may be ahead
 * of the system's clock by microseconds. It then stands still, so that what is
 * charged by differences never adds up to more than the system's clock has. */
static uint64_t told(uint64_t cpu)
{
    if (cpu < clock_of_thread.told)
        return clock_of_thread.told;
    clock_of_thread.told = cpu;
    return cpu;
}

uint64_t moat_cpu_clock(uint64_t now)
{
    struct sample last = last_sample();
    uint64_t cpu;

    if (is_of(&last, now, STRETCH_NS) && is_whole())
        return told(last.cpu + (now - last.at));
    cpu = take_sample(&last);
    return cpu != NEVER ? told(cpu) : NEVER;
}

/* Since the last sample the CPU time has grown by no more than the real time.
 * So a sample serves until its error could exceed error_ns. */
uint64_t moat_cpu_clock_at_most(uint64_t now, uint64_t error_ns)
{
    struct sample last = last_sample();

    if (is_of(&last, now, error_ns))
        return last.cpu + (now - last.at);
    return moat_cpu_clock(now);
}

/* Returns the time since the sample by the CPU's clock; NEVER: it cannot tell.
 */
static uint64_t since(const struct sample *last)
{
    uint64_t length = atomic_load_explicit(&tick_length, memory_order_relaxed);
    uint64_t count = moat_arch_ticks() - last->ticks;

    if (last->at == 0 || last->ticks == 0 || length == 0 || count >> 31 != 0 ||
        !is_whole())
        return NEVER;
    count = count * length >> 32;
    return count <= STRETCH_NS ? count : NEVER;
}

uint64_t moat_cpu_clock_now(uint64_t *cpu)
{
    struct sample last = last_sample();
    uint64_t now = since(&last);

    if (now != NEVER) {
        *cpu = told(last.cpu + now);
        return last.at + now;
    }
    now = moat_clock_ns();
    *cpu = now != NEVER ? moat_cpu_clock(now) : NEVER;
    return now;
}

/* --- the thread's way ----------------------------------------------------- */

void moat_cpu_clock_after_fork(void)
{
    if (moat_fork_happened(MOAT_FORK_CLOCKS) || !moat_fork_can_tell())
        begin_anew();
}

void moat_cpu_clock_end(void)
{
    moat_stretch_end();
    clock_of_thread.at = 0;
}
