/*
 * call.c: a coroutine's whole life, create + run + destroy: moat against
 * Boost's fcontext, fiber and Coroutine2, glibc's ucontext, PCL, GNU Pth, Lua's
 * and LuaJIT's own coroutines and threads, in one interleaved run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/call.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

#define MAX_ENGINES 12

static const struct call_engine *engines[MAX_ENGINES];
static size_t engine_count;
static size_t reference; /* fcontext's number, else ucontext's */

static void add_engines(void)
{
    engines[engine_count++] = &call_moat;
    engines[engine_count++] = &call_moat_sized;
    engines[engine_count++] = &call_moat_zeroed;
    reference = engine_count;
#ifdef BENCH_FCONTEXT
    engines[engine_count++] = &call_fcontext;
    engines[engine_count++] = &call_fiber;
#else
    printf("Built without Boost.Context: the reference is ucontext.\n");
#endif
    engines[engine_count++] = &call_ucontext;
#ifdef BENCH_COROUTINE2
    engines[engine_count++] = &call_coroutine2;
#endif
#ifdef BENCH_PCL
    engines[engine_count++] = &call_pcl;
#endif
#ifdef BENCH_PTH
    engines[engine_count++] = &call_pth;
#endif
    engines[engine_count++] = &call_threads;
#ifdef BENCH_PLUGIN_LUA
    engines[engine_count++] = bench_load(BENCH_PLUGIN_LUA, "call_plugin");
#endif
#ifdef BENCH_PLUGIN_LUAJIT
    engines[engine_count++] = bench_load(BENCH_PLUGIN_LUAJIT, "call_plugin");
#endif
}

static call_body body_of(const struct call_engine *engine, bool fresh)
{
    return fresh ? engine->fresh : engine->cached;
}

static void sample(const struct call_engine *engine, bool fresh, double ops,
                   struct bench_series *series)
{
    size_t count = (size_t)(fresh ? ops : ops * engine->share) + 1;
    uint64_t expected = (uint64_t)count * (count + 1) / 2;
    double (*now)(void) = engine->threaded ? bench_process_ns : bench_now_ns;
    call_body body = body_of(engine, fresh);
    double start;

    (void)body(count / 16 + 1); /* warm-up */
    start = now();
    if (body(count) != expected) {
        fprintf(stderr, "%s: a wrong sum\n", engine->name);
        exit(1);
    }
    bench_add(series, (now() - start) / (double)count);
}

static void run_case(const char *name, bool fresh, double ops,
                     const struct bench_options *options)
{
    static struct bench_series series[MAX_ENGINES];
    const struct call_engine *able[MAX_ENGINES];
    size_t count = 0, base = 0;

    memset(series, 0, sizeof series);
    for (size_t e = 0; e < engine_count; e++) {
        if (body_of(engines[e], fresh) == NULL)
            continue;
        if (e == reference)
            base = count;
        able[count] = engines[e];
        series[count++].name = engines[e]->name;
    }
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t e = 0; e < count; e++)
            sample(able[e], fresh, ops * options->scale, &series[e]);
    bench_report(name, series, count, base);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv);

    bench_open("Create + run to the end + destroy", &options);
    add_engines();
    run_case("stack used before", false, 1e6, &options);
    run_case("guarded stack, no old contents", true, 2e4, &options);
    return bench_close(&options);
}
