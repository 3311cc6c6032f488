/*
 * call.c: a coroutine's whole life, create + run + destroy: moat against
 * Boost.Context's fcontext and fiber and glibc's ucontext, in one interleaved
 * run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/call.h"

#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

static const struct call_engine *const engines[] = {
    &call_moat,     &call_moat_sized, &call_moat_zeroed,
#ifdef BENCH_FCONTEXT
    &call_fcontext, &call_fiber,
#endif
    &call_ucontext,
};
#define ENGINES   (sizeof engines / sizeof engines[0])
#define REFERENCE 3 /* fcontext, else ucontext */

static void sample(call_body body, size_t count, struct bench_series *series)
{
    uint64_t expected = (uint64_t)count * (count + 1) / 2;
    double start;

    (void)body(count / 16 + 1); /* warm-up */
    start = bench_now_ns();
    if (body(count) != expected) {
        fprintf(stderr, "%s: a wrong sum\n", series->name);
        exit(1);
    }
    bench_add(series, (bench_now_ns() - start) / (double)count);
}

static call_body body_of(const struct call_engine *engine, bool fresh)
{
    return fresh ? engine->fresh : engine->cached;
}

static void run_case(const char *name, bool fresh, double ops,
                     const struct bench_options *options)
{
    static struct bench_series series[ENGINES];
    call_body bodies[ENGINES];
    size_t count = (size_t)(ops * options->scale) + 1, used = 0, reference = 0;

    memset(series, 0, sizeof series);
    for (size_t e = 0; e < ENGINES; e++) {
        if (body_of(engines[e], fresh) == NULL)
            continue;
        if (e == REFERENCE)
            reference = used;
        bodies[used] = body_of(engines[e], fresh);
        series[used++].name = engines[e]->name;
    }
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t e = 0; e < used; e++)
            sample(bodies[e], count, &series[e]);
    bench_report(name, series, used, reference);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv);

    bench_open("Create + run to the end + destroy", &options);
    run_case("stack used before", false, 1e6, &options);
    run_case("guarded stack, no old contents", true, 2e4, &options);
    return bench_close(&options);
}
