/*
 * switch.c: the round trip resume + yield, and the hand-over from one coroutine
 * to another: moat against Boost's fcontext, fiber and Coroutine2, glibc's
 * ucontext, PCL, GNU Pth, Lua's and LuaJIT's own coroutines and threads, in one
 * interleaved run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/switch.h"

#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

#define MAX_ENGINES 12

static const char *const case_names[CASE_COUNT] = {
    "flat loop",           "accumulating loop",  "one call down",
    "tree walk, depth 14", "eight resume sites", "hand-over in a ring of two"};

static const struct bench_engine *engines[MAX_ENGINES];
static size_t engine_count;
static size_t reference; /* fcontext's number, else ucontext's */

static void add_plugin(const char *path)
{
    engines[engine_count++] = bench_load(path, "bench_plugin");
}

static void add_engines(void)
{
    engines[engine_count++] = &engine_moat_inline;
    add_plugin(BENCH_PLUGIN_INLINE);
    add_plugin(BENCH_PLUGIN_OUTLINE);
    reference = engine_count;
#ifdef BENCH_FCONTEXT
    engines[engine_count++] = &engine_fcontext;
    engines[engine_count++] = &engine_fiber;
#else
    printf("Built without Boost.Context: the reference is ucontext.\n");
#endif
#ifdef BENCH_COROUTINE2
    engines[engine_count++] = &engine_coroutine2;
#endif
#ifdef BENCH_PCL
    engines[engine_count++] = &engine_pcl;
#endif
#ifdef BENCH_PTH
    engines[engine_count++] = &engine_pth;
#endif
    engines[engine_count++] = &engine_ucontext;
    engines[engine_count++] = &engine_threads;
#ifdef BENCH_PLUGIN_LUA
    add_plugin(BENCH_PLUGIN_LUA);
#endif
#ifdef BENCH_PLUGIN_LUAJIT
    add_plugin(BENCH_PLUGIN_LUAJIT);
#endif
}

/* The sums of two engines over the same count must agree: a switch that loses a
 * value is not fast, it is wrong. */
static void check_sums(void)
{
    size_t count = TREE_NODES + 1;

    for (int i = 0; i < CASE_COUNT; i++)
        for (size_t e = 1; e < engine_count; e++)
            if (engines[e]->bodies[i] != NULL &&
                engines[e]->bodies[i](count) != engines[0]->bodies[i](count)) {
                fprintf(stderr, "%s: %s and %s give different sums\n",
                        case_names[i], engines[0]->name, engines[e]->name);
                exit(1);
            }
}

static size_t eighths(double count)
{
    return ((size_t)count + 8) / 8 * 8;
}

static void sample(const struct bench_engine *engine, int number, size_t ops,
                   struct bench_series *series)
{
    size_t count = eighths((double)ops * engine->share);
    double (*now)(void) = engine->threaded ? bench_process_ns : bench_now_ns;
    double start;

    engine->bodies[number](eighths((double)count / 16)); /* warm-up */
    start = now();
    engine->bodies[number](count);
    bench_add(series, (now() - start) / (double)count);
}

static void run_case(int number, const struct bench_options *options)
{
    static struct bench_series series[MAX_ENGINES];
    const struct bench_engine *able[MAX_ENGINES];
    size_t ops = (size_t)(2e6 * options->scale) + 1, count = 0, base = 0;

    memset(series, 0, sizeof(series));
    for (size_t e = 0; e < engine_count; e++) {
        if (engines[e]->bodies[number] == NULL)
            continue;
        if (e == reference)
            base = count;
        able[count] = engines[e];
        series[count++].name = engines[e]->name;
    }
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t e = 0; e < count; e++)
            sample(able[e], number, ops, &series[e]);
    bench_report(case_names[number], series, count, base);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv);

    bench_open("Round trip resume + yield, all checks on", &options);
    add_engines();
    check_sums();
    for (int number = 0; number < CASE_COUNT; number++)
        run_case(number, &options);
    run_around(&options);
    return bench_close(&options);
}
