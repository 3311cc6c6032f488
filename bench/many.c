/*
 * many.c: many coroutines at once: round robin over sets of growing size, one
 * by one in random order, and the requests of a service. An engine whose guards
 * are mappings is left out where there would be more of these than the system
 * gives; fcontext goes on without guards.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/many.h"

#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

static const struct many_engine *const engines[] = {
    &many_moat_batch, &many_moat, &many_ucontext,
#ifdef BENCH_COROUTINE2
    &many_coroutine2,
#endif
#ifdef BENCH_FCONTEXT
    &many_fcontext,
#endif
};
#define ENGINES (sizeof engines / sizeof engines[0])

static const size_t sizes[] = {16, 128, 1024, 4096, 16384, 65536, 100000};

/* Those that take part in a case; the last is the reference. */
struct field {
    const struct many_engine *engines[ENGINES];
    struct bench_series series[ENGINES];
    size_t count;
};

static void enter(struct field *field, const struct many_engine *engine,
                  size_t coroutines)
{
    if (engine->most != 0 && coroutines > engine->most)
        return;
    field->engines[field->count] = engine;
    field->series[field->count].name = engine->name;
    field->series[field->count].count = 0;
    field->count++;
}

static void report(const char *name, struct field *field)
{
    bench_report(name, field->series, field->count, field->count - 1);
}

static void check(uint64_t sum, uint64_t expected, const char *name)
{
    if (sum == expected)
        return;
    fprintf(stderr, "%s: a wrong sum\n", name);
    exit(1);
}

static void sample_round_robin(const struct many_engine *engine, size_t count,
                               double ops, struct bench_series *series)
{
    size_t rounds = (size_t)(ops * engine->share / (double)count) + 1;
    uint64_t expected = (uint64_t)rounds * count * (count + 1) / 2;
    uint64_t sum;
    double start;

    engine->open(count, count <= MANY_GUARDED);
    (void)engine->round_robin(1); /* warm-up */
    start = bench_now_ns();
    sum = engine->round_robin(rounds);
    bench_add(series,
              (bench_now_ns() - start) / ((double)rounds * (double)count));
    engine->close();
    check(sum, expected, engine->name);
}

static void run_round_robin(size_t count, const struct bench_options *options)
{
    static struct field field;
    char name[64];

    field.count = 0;
    for (size_t e = 0; e < ENGINES; e++)
        enter(&field, engines[e], count);
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t e = 0; e < field.count; e++)
            sample_round_robin(field.engines[e], count, 2e6 * options->scale,
                               &field.series[e]);
    snprintf(name, sizeof name, "round robin over %zu%s", count,
             count > MANY_GUARDED ? ", moat guarded" : "");
    report(name, &field);
}

static void sample_service(const struct many_engine *engine, double ops,
                           size_t active, struct bench_series *series)
{
    size_t requests = (size_t)(ops * engine->share) + active;
    double start = bench_now_ns();
    uint64_t sum = engine->serve(requests, active);
    uint64_t first = active, last = active + requests - 1;

    bench_add(series, (bench_now_ns() - start) / (double)requests);
    check(sum, (first + last) * requests / 2, engine->name);
}

static void run_service(const struct bench_options *options)
{
    static struct field field;
    size_t active = 10000;

    field.count = 0;
    for (size_t e = 0; e < ENGINES; e++)
        if (engines[e]->serve != NULL)
            enter(&field, engines[e], active);
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t e = 0; e < field.count; e++)
            sample_service(field.engines[e], 1e6 * options->scale, active,
                           &field.series[e]);
    report("service, 10000 active, 32 KiB each", &field);
}

/* The same for all engines and runs. */
static void shuffle(uint32_t *order, size_t count)
{
    uint64_t state = 88172645463325252u;

    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count - 1; i > 0; i--) {
        size_t other;
        uint32_t held = order[i];

        state ^= state << 13; /* xorshift64 */
        state ^= state >> 7;
        state ^= state << 17;
        other = state % (i + 1);
        order[i] = order[other];
        order[other] = held;
    }
}

/* One set at a time: all of them would not fit into memory. */
static void sample_order(const struct many_engine *engine,
                         const uint32_t *order, size_t count, size_t rounds,
                         struct bench_series *series)
{
    engine->open(count, count <= MANY_GUARDED);
    (void)engine->in_order(order); /* warm-up */
    for (size_t round = 0; round < rounds; round++) {
        double start = bench_now_ns();
        uint64_t sum = engine->in_order(order);

        bench_add(series, (bench_now_ns() - start) / (double)count);
        check(sum, (uint64_t)count * (count + 1) / 2, engine->name);
    }
    engine->close();
}

static void run_order(const struct bench_options *options)
{
    static struct field field;
    size_t count = options->scale < 1e-5 ? 10 : (size_t)(1e6 * options->scale);
    uint32_t *order = malloc(count * sizeof *order);
    char name[64];

    if (order == NULL)
        exit(2);
    shuffle(order, count);
    field.count = 0;
    for (size_t e = 0; e < ENGINES; e++)
        enter(&field, engines[e], count);
    for (size_t e = 0; e < field.count; e++)
        sample_order(field.engines[e], order, count, options->rounds,
                     &field.series[e]);
    snprintf(name, sizeof name, "random order over %zu", count);
    report(name, &field);
    free(order);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv);

    bench_open("Many coroutines, each writing to its stack", &options);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        run_round_robin(sizes[i], &options);
    run_order(&options);
    run_service(&options);
    return bench_close(&options);
}
