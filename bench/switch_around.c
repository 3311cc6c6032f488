/*
 * switch_around.c: does a round trip cost more, the more there is around it?
 * One coroutine is resumed while others are suspended, mappings exist and code
 * is registered that have nothing to do with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "bench/bench.h"
#include "bench/switch.h"
#include "bench/task_moat.h"

#define CODE_AT    ((uintptr_t)0x200000000000)
#define CODE_APART ((uintptr_t)256)

#define MOST_OTHERS   ((size_t)100000)
#define MOST_MAPPINGS ((size_t)60000)
#define MOST_RANGES   ((size_t)10000)

#define REPEATS 5 /* samples of each per round; BENCH_MAX_ROUNDS are kept */

static const struct around {
    const char *name;
    size_t others, mappings, ranges;
} arounds[] = {
    {"nothing else", 0, 0, 0},
    {"10,000 others suspended", 10000, 0, 0},
    {"100,000 others suspended", MOST_OTHERS, 0, 0},
    {"60,000 mappings", 0, MOST_MAPPINGS, 0},
    {"10,000 registered ranges", 0, 0, MOST_RANGES},
    {"all of these", MOST_OTHERS, MOST_MAPPINGS, MOST_RANGES},
};
#define AROUNDS (sizeof arounds / sizeof arounds[0])

static const struct {
    const char *name;
    enum bench_case number;
} shapes[] = {{"one of many, accumulating loop", CASE_ACCUMULATE},
              {"one of many, one call down", CASE_ONE_DOWN}};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static struct task *others[MOST_OTHERS];
static moat_code_id ids[MOST_RANGES];
static void *mappings;

static void *waiting_guest(struct task *self, void *input)
{
    for (;;)
        input = yield(self, input);
    return NULL;
}

static void begin(const struct around *around)
{
    moat_code code = MOAT_CODE_INIT;

    for (size_t i = 0; i < around->others; i++) {
        others[i] = make_task(waiting_guest);
        resume(others[i], NULL);
    }
    code.size = CODE_APART;
    code.name = "compiled_function";
    for (size_t i = 0; i < around->ranges; i++) {
        code.start = (void *)(CODE_AT + i * CODE_APART);
        if (moat_code_register(&code, &ids[i]) != MOAT_OK)
            abort();
    }
    if (around->mappings != 0)
        mappings = bench_map_many(around->mappings);
}

static void end(const struct around *around)
{
    if (around->mappings != 0)
        bench_unmap_many(mappings, around->mappings);
    for (size_t i = 0; i < around->ranges; i++)
        if (moat_code_unregister(ids[i]) != MOAT_OK)
            abort();
    for (size_t i = around->others; i > 0; i--)
        drop_task(others[i - 1]);
}

/* Short ones, so that some are not interrupted on a machine with other work. */
static void sample(bench_body body, size_t count, struct bench_series *series)
{
    double start;

    (void)body(count / 16 + 1); /* warm-up */
    start = bench_now_ns();
    (void)body(count);
    bench_add(series, (bench_now_ns() - start) / (double)count);
}

void run_around(const struct bench_options *options)
{
    static struct bench_series series[SHAPES][AROUNDS];
    size_t count = (size_t)(2e5 * options->scale) + 1;

    task_options.stack_bytes = (size_t)64 * 1024;
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t a = 0; a < AROUNDS; a++) {
            begin(&arounds[a]);
            for (size_t i = 0; i < REPEATS * SHAPES; i++)
                sample(engine_moat_inline.bodies[shapes[i % SHAPES].number],
                       count, &series[i % SHAPES][a]);
            end(&arounds[a]);
        }
    for (size_t s = 0; s < SHAPES; s++) {
        for (size_t a = 0; a < AROUNDS; a++)
            series[s][a].name = arounds[a].name;
        bench_report(shapes[s].name, series[s], AROUNDS, 0);
    }
}
