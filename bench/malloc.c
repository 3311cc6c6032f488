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
#include <string.h>

#include <jansson.h>
#include <moat/moat.h>

#include "bench/bench.h"

#define QUOTA   ((size_t)512 << 20)
#define RECORDS 20000

struct allocator {
    void *(*take)(size_t bytes);
    void (*give_back)(void *block);
    void *(*resize)(void *block, size_t bytes);
};

static struct allocator libc, library;
static const struct allocator *in_use;
static double scale;

static size_t scaled(size_t count)
{
    size_t result = (size_t)((double)count * scale);

    return result > 0 ? result : 1;
}

/* ---- The work ------------------------------------------------------------ */

#define PAIRS 2000000

static void run_pairs(void)
{
    void *(*take)(size_t) = in_use->take;
    void (*give_back)(void *) = in_use->give_back;

    for (size_t i = 0; i < scaled(PAIRS); i++) {
        void *volatile block = take(64);

        give_back(block);
    }
}

#define KEPT   ((size_t)4000)
#define BLOCKS 400000

/* Blocks of many sizes, each returned when its slot is needed again. */
static void run_blocks(void)
{
    static void *kept[KEPT];
    uint32_t seed = 1;

    for (size_t i = 0; i < scaled(BLOCKS); i++) {
        size_t slot;

        seed = seed * 1664525 + 1013904223;
        slot = (seed >> 8) % KEPT;
        in_use->give_back(kept[slot]);
        kept[slot] = in_use->take(16 + ((seed >> 20) & 511));
    }
    for (size_t i = 0; i < KEPT; i++) {
        in_use->give_back(kept[i]);
        kept[i] = NULL;
    }
}

#define GROWN 20000

static void run_growing(void)
{
    for (size_t i = 0; i < scaled(GROWN); i++) {
        void *block = NULL;

        for (size_t bytes = 16; bytes < 2000; bytes += bytes / 2)
            block = in_use->resize(block, bytes);
        in_use->give_back(block);
    }
}

static char *json_text;

static void make_text(void)
{
    size_t records = scaled(RECORDS);
    char *at = json_text = malloc(records * 128 + 16);

    if (at == NULL)
        bench_stop("malloc");
    *at++ = '[';
    for (size_t i = 0; i < records; i++)
        at += sprintf(at,
                      "%s{\"id\": %zu, \"name\": \"user %zu\", \"tags\": "
                      "[\"a\", \"bb\", 1.5], \"more\": {\"x\": null}}",
                      i > 0 ? ", " : "", i, i);
    (void)strcpy(at, "]");
}

static void run_json(void)
{
    json_error_t error;
    json_t *value;

    json_set_alloc_funcs(in_use->take, in_use->give_back);
    value = json_loads(json_text, 0, &error);
    if (value == NULL)
        bench_stop(error.text);
    json_decref(value);
    json_set_alloc_funcs(malloc, free);
}

/* ---- Measuring ----------------------------------------------------------- */

static double measure(void (*work)(void), const struct allocator *allocator)
{
    double begin = bench_now_ns();

    in_use = allocator;
    work();
    return bench_now_ns() - begin;
}

struct visit {
    void (*work)(void);
    const struct allocator *allocator;
    double ns;
};

static void *run_in_guest(moat_co *self, void *input)
{
    struct visit *visit = input;

    (void)self;
    visit->ns = measure(visit->work, visit->allocator);
    return NULL;
}

static double measure_in_guest(void (*work)(void),
                               const struct allocator *allocator)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    struct visit visit = {work, allocator, 0};
    moat_event event;
    moat_co *co;

    limits.memory_bytes = QUOTA;
    options.limits = &limits;
    if (moat_co_create(&co, run_in_guest, &options) != MOAT_OK ||
        moat_co_resume(co, &visit, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        bench_stop("a guest");
    moat_co_destroy(co);
    return visit.ns;
}

static void compare(const char *name, void (*work)(void), size_t operations,
                    size_t rounds)
{
    struct bench_series series[] = {{.name = "C library"},
                                    {.name = "moat-malloc, host"},
                                    {.name = "moat-malloc, guest"}};
    double each = (double)scaled(operations);

    for (size_t i = 0; i < rounds; i++) {
        bench_add(&series[0], measure(work, &libc) / each);
        bench_add(&series[1], measure(work, &library) / each);
        bench_add(&series[2], measure_in_guest(work, &library) / each);
    }
    bench_report(name, series, 3, 0);
}

static void find(struct allocator *allocator, void *from)
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
    make_text();
    compare("malloc and free of 64 bytes", run_pairs, PAIRS, options.rounds);
    compare("blocks of 16 to 527 bytes", run_blocks, BLOCKS, options.rounds);
    compare("realloc, 16 to 2000 bytes", run_growing, GROWN, options.rounds);
    compare("jansson: a document", run_json, RECORDS, options.rounds);
    free(json_text);
    return bench_close(&options);
}
