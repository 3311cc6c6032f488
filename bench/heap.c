/*
 * heap.c: guest heaps beside the C library's malloc, under the same work of the
 * same libraries: each case takes its allocator by the library's own hook.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <moat/moat.h>

#include "bench/bench.h"
#include "bench/traces.h"

#define QUOTA ((size_t)512 << 20)

static moat_heap *heap;

static void *take(size_t bytes)
{
    return moat_heap_alloc(heap, bytes);
}

static void *resize(void *block, size_t bytes)
{
    return moat_heap_realloc(heap, block, bytes);
}

static void give_back(void *block)
{
    moat_heap_free(heap, block);
}

static double measure(const struct trace *trace,
                      const struct trace_allocator *allocator)
{
    double begin = bench_now_ns();

    trace->run(allocator);
    return bench_now_ns() - begin;
}

static double measure_heap(const struct trace *trace)
{
    struct trace_allocator allocator = {.take = take,
                                        .resize = resize,
                                        .give_back = give_back,
                                        .lua = moat_heap_lua,
                                        .duk_take = moat_heap_duk_alloc,
                                        .duk_resize = moat_heap_duk_realloc,
                                        .duk_give_back = moat_heap_duk_free};
    double ns;

    if (moat_heap_create(&heap, QUOTA) != MOAT_OK)
        bench_stop("moat_heap_create");
    allocator.arg = heap;
    ns = measure(trace, &allocator);
    moat_heap_destroy(heap);
    return ns;
}

static void compare(const struct trace *trace, size_t rounds)
{
    static const struct trace_allocator libc = {
        .take = malloc, .resize = realloc, .give_back = free};
    struct bench_series series[] = {{.name = "malloc"}, {.name = "guest heap"}};

    for (size_t i = 0; i < rounds; i++) {
        bench_add(&series[0], measure(trace, &libc));
        bench_add(&series[1], measure_heap(trace));
    }
    bench_report(trace->name, series, 2, 0);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 11);

    bench_open("Guest heaps", &options);
    traces_begin(options.scale);
    for (size_t i = 0; i < trace_count; i++)
        compare(&traces[i], options.rounds);
    traces_end();
    return bench_close(&options);
}
