/*
 * malloc.c: the library moat-malloc beside the C library's malloc, on the
 * host's stack and on a guest's, for the same work.
 *
 * Both are called by pointers, so that they can run in turn in one process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <stdlib.h>

#include <moat/moat.h>

#include "bench/bench.h"
#include "bench/traces.h"

#define QUOTA ((size_t)512 << 20)

static struct trace_allocator libc, library;
static double scale;

static size_t scaled(size_t count)
{
    size_t result = (size_t)((double)count * scale);

    return result > 0 ? result : 1;
}

/* ---- The work ------------------------------------------------------------ */

#define PAIRS 2000000

static void run_pairs(const struct trace_allocator *allocator)
{
    void *(*take)(size_t) = allocator->take;
    void (*give_back)(void *) = allocator->give_back;
    size_t count = scaled(PAIRS);

    for (size_t i = 0; i < count; i++) {
        void *volatile block = take(64);

        give_back(block);
    }
}

#define GROWN 20000

static void run_growing(const struct trace_allocator *allocator)
{
    size_t count = scaled(GROWN);

    for (size_t i = 0; i < count; i++) {
        void *block = NULL;

        for (size_t bytes = 16; bytes < 2000; bytes += bytes / 2)
            block = allocator->resize(block, bytes);
        allocator->give_back(block);
    }
}

/* ---- Measuring ----------------------------------------------------------- */

static double measure(const struct trace *trace,
                      const struct trace_allocator *allocator)
{
    double begin = bench_now_ns();

    trace->run(allocator);
    return bench_now_ns() - begin;
}

struct visit {
    const struct trace *trace;
    double ns;
};

static void *run_in_guest(moat_co *self, void *input)
{
    struct visit *visit = input;

    (void)self;
    visit->ns = measure(visit->trace, &library);
    return NULL;
}

static double measure_in_guest(const struct trace *trace)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    struct visit visit = {trace, 0};
    moat_event event;
    moat_co *co;

    limits.memory_bytes = QUOTA;
    options.limits = &limits;
    options.stack_bytes = (size_t)1 << 20;
    if (moat_co_create(&co, run_in_guest, &options) != MOAT_OK ||
        moat_co_resume(co, &visit, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        bench_stop("a guest");
    moat_co_destroy(co);
    return visit.ns;
}

static void compare(const struct trace *trace, size_t operations, size_t rounds)
{
    struct bench_series series[] = {{.name = "C library"},
                                    {.name = "moat-malloc, host"},
                                    {.name = "moat-malloc, guest"}};
    double each = (double)operations;

    for (size_t i = 0; i < rounds; i++) {
        bench_add(&series[0], measure(trace, &libc) / each);
        bench_add(&series[1], measure(trace, &library) / each);
        bench_add(&series[2], measure_in_guest(trace) / each);
    }
    bench_report(trace->name, series, 3, 0);
}

static void find(struct trace_allocator *allocator, void *from)
{
    *(void **)&allocator->take = dlsym(from, "malloc");
    *(void **)&allocator->give_back = dlsym(from, "free");
    *(void **)&allocator->resize = dlsym(from, "realloc");
    if (allocator->take == NULL || allocator->give_back == NULL ||
        allocator->resize == NULL)
        bench_stop("dlsym");
}

int main(int argc, char **argv)
{
    static const struct trace pairs = {"malloc and free of 64 bytes",
                                       run_pairs};
    static const struct trace growing = {"realloc, 16 to 2000 bytes",
                                         run_growing};
    struct bench_options options = bench_read_options(argc, argv, 21);
    void *handle = dlopen("libc.so.6", RTLD_NOW);

    if (handle == NULL)
        bench_stop("dlopen");
    find(&libc, handle);
    find(&library, RTLD_DEFAULT);
    if (libc.take == library.take)
        bench_stop("moat-malloc, which is not there,");
    scale = options.scale;
    bench_open("malloc and moat-malloc", &options);
    traces_begin(scale);
    compare(&pairs, scaled(PAIRS), options.rounds);
    compare(&growing, scaled(GROWN), options.rounds);
    for (size_t i = 0; i < trace_count; i++)
        compare(&traces[i], 1, options.rounds);
    traces_end();
    return bench_close(&options);
}
