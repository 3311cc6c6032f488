/*
 * trap.c: recovery from a null write and from a stack overflow, beside the bare
 * round trip of the same signal through the kernel: a handler that only skips
 * the instruction, on an alternate stack with the same flags. Each with a
 * hundred, ten thousand and sixty thousand mappings in the process.
 *
 * Both do the same work before the fault: the bare overflow walks down a stack
 * and into a guard of the same sizes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "bench/bench.h"
#include "bench/fault.h"

/* Mappings in the process. */
static const size_t levels[] = {100, 10000, 60000};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static const struct {
    const char *name;
    fault_body run;
    bool bare;
} variants[] = {
    {"null: bare signal", fault_bare_null, true},
    {"null: moat, reset", fault_moat_null, false},
    {"null: moat, destroy, create", fault_moat_recreate, false},
    {"overflow: bare signal", fault_bare_overflow, true},
    {"overflow: moat, reset", fault_moat_overflow, false},
};

#define VARIANTS  (sizeof(variants) / sizeof(variants[0]))
#define OVERFLOWS 3 /* the index of the first */
#define REPEATS   5 /* samples per round; at most BENCH_MAX_ROUNDS are kept */

static void sample(size_t number, size_t count, struct bench_series *series)
{
    double start;

    if (variants[number].bare)
        fault_bare_install();
    (void)variants[number].run(count / 16 + 1); /* warm-up */
    start = bench_now_ns();
    if (variants[number].run(count) != count)
        bench_stop(variants[number].name);
    bench_add(series, (bench_now_ns() - start) / (double)count);
    if (variants[number].bare)
        fault_bare_restore();
}

/* The samples are short, so that some run undisturbed on a busy machine. */
static void sample_all(size_t level, size_t count, struct bench_series *series)
{
    void *pages = bench_map_many(levels[level]);

    for (size_t repeat = 0; repeat < REPEATS; repeat++) {
        for (size_t i = 0; i < VARIANTS; i++)
            sample(i, count, &series[i]);
    }
    bench_unmap_many(pages, levels[level]);
}

/* Reports one variant against the number of mappings. */
static void report_levels(struct bench_series series[LEVELS][VARIANTS],
                          size_t variant, const char *name)
{
    static char names[LEVELS][32];
    struct bench_series across[LEVELS];

    for (size_t i = 0; i < LEVELS; i++) {
        across[i] = series[i][variant];
        snprintf(names[i], sizeof(names[i]), "%zu mappings", levels[i]);
        across[i].name = names[i];
    }
    bench_report(name, across, LEVELS, 0);
}

int main(int argc, char **argv)
{
    static struct bench_series series[LEVELS][VARIANTS];
    struct bench_options options = bench_read_options(argc, argv, 15);
    size_t count = (size_t)(1000 * options.scale) + 1;

    bench_open("Recovery from a guest's fault", &options);
    if (moat_engine_init(NULL) != MOAT_OK || moat_thread_attach() != MOAT_OK)
        bench_stop("moat_engine_init");
    for (size_t level = 0; level < LEVELS; level++) {
        for (size_t i = 0; i < VARIANTS; i++)
            series[level][i].name = variants[i].name;
    }
    for (size_t round = 0; round < options.rounds; round++) {
        for (size_t level = 0; level < LEVELS; level++)
            sample_all(level, count, series[level]);
    }
    if (moat_engine_check() != MOAT_OK)
        bench_stop("moat_engine_check");
    for (size_t level = 0; level < LEVELS; level++) {
        char name[64];

        snprintf(name, sizeof(name), "null write, %zu mappings", levels[level]);
        bench_report(name, series[level], OVERFLOWS, 0);
        snprintf(name, sizeof(name), "overflow, %zu mappings", levels[level]);
        bench_report(name, series[level] + OVERFLOWS, VARIANTS - OVERFLOWS, 0);
    }
    report_levels(series, 1, "null write and reset");
    report_levels(series, OVERFLOWS + 1, "overflow and reset");
    return bench_close(&options);
}
