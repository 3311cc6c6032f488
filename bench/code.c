/*
 * code.c: registering, finding and unregistering code, with 100, 1,000 and
 * 10,000 ranges registered: with a name alone, and with frames and lines, which
 * go to other unwinders and to debuggers. The ratio is what counts: it must not
 * grow with the number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <moat/moat.h>

#include "bench/bench.h"

#define FIRST ((uintptr_t)0x200000000000)
#define APART ((uintptr_t)256)
#define BATCH ((size_t)50)

enum { MANY = 10000, SIZES = 3, OPERATIONS = 3, KINDS = 2 };

static const size_t sizes[SIZES] = {100, 1000, MANY};
static const char *const size_names[SIZES] = {"of 100", "of 1,000",
                                              "of 10,000"};
static const char *const operations[KINDS][OPERATIONS] = {
    {"register a name", "find a name by a pc", "unregister a name"},
    {"register frames and lines", "find a line by a pc",
     "unregister frames and lines"}};
static const moat_code_line lines[] = {{0, 10},  {20, 11},  {50, 12},
                                       {90, 13}, {140, 14}, {180, 15}};

static moat_code_id ids[MANY];
static size_t picked[BATCH];
static unsigned seed = 1;
static size_t kind;

static void stop(const char *what)
{
    fprintf(stderr, "bench/code: %s failed\n", what);
    exit(1);
}

static void enrol(size_t number)
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
        stop("moat_code_register");
}

static void forget(size_t number)
{
    if (moat_code_unregister(ids[number]) != MOAT_OK)
        stop("moat_code_unregister");
}

/* As a report does: the name and the offset of a frame. */
static void find(size_t number)
{
    const moat_frame frame = {FIRST + number * APART + 100, 0, NULL,
                              MOAT_FRAME_TRAP};
    char line[128];

    if (moat_frame_describe(&frame, line, sizeof line) != MOAT_OK ||
        line[0] != 'c')
        stop("moat_frame_describe");
}

/* Different ones, in no order. */
static void pick(size_t among)
{
    size_t stride = among / BATCH;

    for (size_t i = 0; i < BATCH; i++) {
        seed = seed * 1103515245u + 12345u;
        picked[i * 7 % BATCH] = i * stride + (seed >> 8) % stride;
    }
}

static double time_each(void (*operation)(size_t number))
{
    double start = bench_now_ns();

    for (size_t i = 0; i < BATCH; i++)
        operation(picked[i]);
    return bench_now_ns() - start;
}

static void sample(size_t size, size_t batches,
                   struct bench_series series[OPERATIONS][SIZES])
{
    double spent[OPERATIONS] = {0, 0, 0};

    for (size_t i = 0; i < sizes[size]; i++)
        enrol(i);
    for (size_t i = 0; i < batches; i++) {
        pick(sizes[size]);
        spent[1] += time_each(find);
        spent[2] += time_each(forget);
        spent[0] += time_each(enrol);
    }
    for (size_t i = 0; i < sizes[size]; i++)
        forget(i);
    for (size_t i = 0; i < OPERATIONS; i++)
        bench_add(&series[i][size], spent[i] / (double)(batches * BATCH));
}

int main(int argc, char **argv)
{
    static struct bench_series series[KINDS][OPERATIONS][SIZES];
    struct bench_options options = bench_read_options(argc, argv);
    size_t batches = (size_t)(400 * options.scale) + 1;

    bench_open("Registered code", &options);
    for (size_t round = 0; round < options.rounds; round++)
        for (kind = 0; kind < KINDS; kind++)
            for (size_t size = 0; size < SIZES; size++)
                sample(size, batches, series[kind]);
    for (kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < OPERATIONS; i++) {
            for (size_t size = 0; size < SIZES; size++)
                series[kind][i][size].name = size_names[size];
            bench_report(operations[kind][i], series[kind][i], SIZES, 0);
        }
    }
    return bench_close(&options);
}
