/*
 * code.c: registering, finding and unregistering code with 100, 1,000 and
 * 10,000 ranges registered: ranges with a name alone, and ranges with frames
 * and lines, which are published to other unwinders and debuggers. The cost
 * must not grow with the number.
 *
 * First all ranges in order, as in a program that compiles, runs and ends; then
 * some in random order among ranges that stay registered.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "bench/bench.h"

#define FIRST ((uintptr_t)0x200000000000)
#define APART ((uintptr_t)256)
#define BATCH ((size_t)50)

enum { MANY = 10000, SIZES = 3, OPERATIONS = 3, KINDS = 2, ORDERS = 2 };

static const size_t sizes[SIZES] = {100, 1000, MANY};
static const char *const size_names[SIZES] = {"of 100", "of 1,000",
                                              "of 10,000"};
static const char *const operations[KINDS][OPERATIONS] = {
    {"register a name", "find a name by a pc", "unregister a name"},
    {"register frames and lines", "find a line by a pc",
     "unregister frames and lines"}};
static const char *const order_names[ORDERS] = {"all", "random"};
static const moat_code_line lines[] = {{0, 10},  {20, 11},  {50, 12},
                                       {90, 13}, {140, 14}, {180, 15}};

static moat_code_id ids[MANY];
static size_t picked[BATCH];
static unsigned seed = 1;
static size_t kind;

static void add(size_t number)
{
    moat_code code = MOAT_CODE_INIT;

    code.start = (void *)(FIRST + number * APART);
    code.size = 200;
    code.name = "compiled_function";
    if (kind == 1) {
        code.unwind = MOAT_CODE_UNWIND_FIXED;
        code.frame_bytes = 56;
        code.file = "a_script.lua";
        code.lines = lines;
        code.line_count = sizeof lines / sizeof lines[0];
    }
    if (moat_code_register(&code, &ids[number]) != MOAT_OK)
        bench_stop("moat_code_register");
}

static void drop(size_t number)
{
    if (moat_code_unregister(ids[number]) != MOAT_OK)
        bench_stop("moat_code_unregister");
}

/* Formats a frame's name and offset, as a report does. */
static void find(size_t number)
{
    const moat_frame frame = {FIRST + number * APART + 100, 0, NULL,
                              MOAT_FRAME_TRAP};
    char line[128];

    if (moat_frame_describe(&frame, line, sizeof line) != MOAT_OK ||
        line[0] != 'c')
        bench_stop("moat_frame_describe");
}

/* Picks distinct ranges in random order. */
static void pick(size_t among)
{
    size_t stride = among / BATCH;

    for (size_t i = 0; i < BATCH; i++) {
        seed = seed * 1103515245u + 12345u;
        picked[i * 7 % BATCH] = i * stride + (seed >> 8) % stride;
    }
}

static double time_picked(void (*operation)(size_t number))
{
    double start = bench_now_ns();

    for (size_t i = 0; i < BATCH; i++)
        operation(picked[i]);
    return bench_now_ns() - start;
}

static double time_all(void (*operation)(size_t number), size_t count)
{
    double start = bench_now_ns();

    for (size_t i = 0; i < count; i++)
        operation(i);
    return bench_now_ns() - start;
}

static void add_samples(struct bench_series series[OPERATIONS][SIZES],
                        size_t size, const double spent[OPERATIONS],
                        size_t times)
{
    for (size_t i = 0; i < OPERATIONS; i++)
        bench_add(&series[i][size], spent[i] / (double)times);
}

static void sample_all(size_t size, size_t times,
                       struct bench_series series[OPERATIONS][SIZES])
{
    double spent[OPERATIONS] = {0, 0, 0};
    size_t count = sizes[size], done;

    for (done = 0; done < times; done += count) {
        spent[0] += time_all(add, count);
        spent[1] += time_all(find, count);
        spent[2] += time_all(drop, count);
    }
    add_samples(series, size, spent, done);
}

static void sample_random(size_t size, size_t times,
                          struct bench_series series[OPERATIONS][SIZES])
{
    double spent[OPERATIONS] = {0, 0, 0};
    size_t done;

    (void)time_all(add, sizes[size]);
    for (done = 0; done < times; done += BATCH) {
        pick(sizes[size]);
        spent[1] += time_picked(find);
        spent[2] += time_picked(drop);
        spent[0] += time_picked(add);
    }
    (void)time_all(drop, sizes[size]);
    add_samples(series, size, spent, done);
}

typedef struct bench_series all_series[ORDERS][KINDS][OPERATIONS][SIZES];

static void sample(all_series series, size_t times)
{
    for (kind = 0; kind < KINDS; kind++) {
        for (size_t size = 0; size < SIZES; size++) {
            sample_all(size, times, series[0][kind]);
            sample_random(size, times, series[1][kind]);
        }
    }
}

static void report(all_series series, size_t order, size_t i)
{
    struct bench_series *sizes_of = series[order][kind][i];
    char name[64];

    for (size_t size = 0; size < SIZES; size++)
        sizes_of[size].name = size_names[size];
    snprintf(name, sizeof name, "%s, %s", operations[kind][i],
             order_names[order]);
    bench_report(name, sizes_of, SIZES, 0);
}

int main(int argc, char **argv)
{
    static all_series series;
    struct bench_options options = bench_read_options(argc, argv, 15);

    bench_open("Registered code", &options);
    for (size_t round = 0; round < options.rounds; round++)
        sample(series, (size_t)(20000 * options.scale) + 1);
    for (size_t order = 0; order < ORDERS; order++)
        for (kind = 0; kind < KINDS; kind++)
            for (size_t i = 0; i < OPERATIONS; i++)
                report(series, order, i);
    return bench_close(&options);
}
