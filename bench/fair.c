/*
 * fair.c: the share of the thread's CPU time that a guest gets which computes,
 * among a hundred that never end, where all take turns of one slice each.
 *
 * The guest that computes lives for a fixed number of turns of all. Its share
 * is what it has used by moat_co_usage, of what the thread's clock has counted
 * in that time; a fair one is 1 of 101. The rest of the thread's time is that
 * of the switches, the timer and the loop here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <moat/moat.h>
#include <moat/usage.h>

#include "bench/bench.h"

#define ENDLESS 100
#define GUESTS  (ENDLESS + 1)

static volatile uint64_t laps;

static void *loop(moat_co *self, void *input)
{
    (void)self;
    for (;;)
        laps++;
    return input;
}

/* Its instructions are not those of the others. */
static void *compute(moat_co *self, void *input)
{
    volatile double value = 1;

    (void)self;
    for (;;)
        value = value * 1.000001 + 1 / value;
    return input;
}

static moat_co *create(moat_entry entry, uint64_t slice_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.slice_ns = slice_ns;
    options.limits = &limits;
    options.flags = MOAT_CO_EXACT_USAGE;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        bench_stop("moat_co_create");
    return co;
}

static void run_rounds(moat_co **guests, size_t rounds)
{
    for (size_t i = 0; i < rounds * GUESTS; i++) {
        moat_event event;

        if (moat_co_resume(guests[i % GUESTS], NULL, &event) != MOAT_OK ||
            event.kind != MOAT_EVENT_PREEMPT)
            bench_stop("a slice");
    }
}

static double cpu_of(const moat_co *co)
{
    moat_usage usage = MOAT_USAGE_INIT;

    if (moat_co_usage(co, &usage) != MOAT_OK)
        bench_stop("moat_co_usage");
    return (double)usage.cpu_ns;
}

static void print_shares(uint64_t slice_ns, double of_one, double of_guests,
                         double all)
{
    char name[64];

    snprintf(name, sizeof name, "slices of %llu us",
             (unsigned long long)(slice_ns / 1000));
    printf("%s: the one has %.4f %% of the thread's time, %.4f of a fair "
           "share; of what the guests have used, %.4f of it\n",
           name, 100 * of_one / all, of_one / all * GUESTS,
           of_one / of_guests * GUESTS);
    bench_note(name, "of a fair share of the thread's time",
               of_one / all * GUESTS);
    bench_note(name, "of a fair share of the guests' time",
               of_one / of_guests * GUESTS);
}

static void measure(uint64_t slice_ns, size_t rounds)
{
    moat_co *guests[GUESTS];
    double start, all, of_guests = 0, of_one;

    for (size_t i = 0; i < ENDLESS; i++)
        guests[i] = create(loop, slice_ns);
    guests[ENDLESS] = create(compute, slice_ns);
    start = bench_now_ns();
    run_rounds(guests, rounds);
    all = bench_now_ns() - start;
    of_one = cpu_of(guests[ENDLESS]);
    for (size_t i = 0; i < GUESTS; i++) {
        of_guests += cpu_of(guests[i]);
        moat_co_destroy(guests[i]);
    }
    print_shares(slice_ns, of_one, of_guests, all);
}

int main(int argc, char **argv)
{
    static const uint64_t slices_us[] = {50, 200, 1000, 5000};
    struct bench_options options = bench_read_options(argc, argv, 1);

    bench_open("One guest among a hundred that never end", &options);
    for (size_t i = 0; i < sizeof slices_us / sizeof slices_us[0]; i++) {
        /* Two seconds each. */
        double rounds = 2e6 / (double)slices_us[i] / GUESTS * options.scale;

        measure(slices_us[i] * 1000, rounds < 1 ? 1 : (size_t)rounds);
    }
    return bench_close(&options);
}
