/*
 * copied.c: coroutines that take turns on one stack (MOAT_STACK_COPIED): the
 * cost of a turn by the bytes in use, in a round robin of eight, beside one of
 * eight with stacks of their own and two copies of so many bytes; and the
 * memory of many that wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

static const size_t sizes[] = {64, 128, 256, 512, 1024, 4096, 16384, 65536};

enum { COPIED, UNLIKE, BARE, SERIES };

/* In the round robin. */
#define COUNT ((size_t)8)

/* Not a power of two, as all images would share a few cache sets. */
#define IMAGE_BYTES ((size_t)(128 + 64) * 1024 + 448)

/* A guest with so many bytes in use, more or less: the image tells. */
static void *use(moat_co *self, void *input)
{
    size_t bytes = *(const size_t *)moat_co_user(self);
    volatile char *room = __builtin_alloca(bytes);

    room[0] = 1;
    for (;;)
        input = moat_co_yield(self, input);
    return (void *)room;
}

/* The same without any. */
static void *wait_only(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static moat_co *create(moat_stack_kind kind, moat_entry entry, const void *user)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_kind = kind;
    options.user = (void *)user;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        bench_stop("moat_co_create");
    return co;
}

static void resume(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_YIELD)
        bench_stop("moat_co_resume");
}

static moat_engine_info info(void)
{
    moat_engine_info out = MOAT_ENGINE_INFO_INIT;

    if (moat_engine_get_info(&out) != MOAT_OK)
        bench_stop("moat_engine_get_info");
    return out;
}

/* --- a turn --------------------------------------------------------------- */

static double time_turns(moat_co *const *all, size_t turns)
{
    double start = bench_now_ns();

    for (size_t i = 0; i < turns; i++)
        resume(all[i % COUNT]);
    return (bench_now_ns() - start) / (double)turns;
}

/* The copies' lengths are not known when this is compiled, as they are not in
 * the library. */
static double time_bare(moat_co *const *all, size_t turns, size_t bytes)
{
    static char stack[IMAGE_BYTES], images[COUNT][IMAGE_BYTES];
    volatile size_t length = bytes;
    double start = bench_now_ns();

    for (size_t i = 0; i < turns; i++) {
        memcpy(images[(i - 1) % COUNT], stack, length);
        __asm__ volatile("" : : "r"(images) : "memory");
        memcpy(stack, images[i % COUNT], length);
        __asm__ volatile("" : : "r"(stack) : "memory");
        resume(all[i % COUNT]);
    }
    return (bench_now_ns() - start) / (double)turns;
}

static void run_turns(size_t bytes, const struct bench_options *options)
{
    static struct bench_series series[SERIES];
    size_t guest_bytes = bytes > 64 ? bytes - 64 : 0;
    size_t turns = (size_t)(4e7 / (double)(bytes + 200) * options->scale) + 2;
    const size_t longer_bytes = guest_bytes + 64;
    moat_co *copied[COUNT], *unlike[COUNT], *own[COUNT];
    char name[64];
    size_t image;

    memset(series, 0, sizeof series);
    series[COPIED].name = "copied";
    series[UNLIKE].name = "copied, every other 64 bytes longer";
    series[BARE].name = "two memcpy, own stacks";
    for (size_t i = 0; i < COUNT; i++) {
        copied[i] = create(MOAT_STACK_COPIED,
                           guest_bytes != 0 ? use : wait_only, &guest_bytes);
        own[i] = create(MOAT_STACK_OWN, wait_only, NULL);
        resume(copied[i]);
        resume(own[i]);
    }
    image = info().copied_bytes / info().copied_away;
    for (size_t i = 0; i < COUNT; i++) {
        unlike[i] = create(MOAT_STACK_COPIED, use,
                           i % 2 == 0 ? &guest_bytes : &longer_bytes);
        resume(unlike[i]);
    }
    for (size_t round = 0; round < options->rounds; round++) {
        bench_add(&series[COPIED], time_turns(copied, turns));
        bench_add(&series[UNLIKE], time_turns(unlike, turns));
        bench_add(&series[BARE], time_bare(own, turns, image));
    }
    snprintf(name, sizeof name, "a turn with %zu bytes in use", image);
    bench_report(name, series, SERIES, BARE);
    for (size_t i = 0; i < COUNT; i++) {
        moat_co_destroy(copied[i]);
        moat_co_destroy(unlike[i]);
        moat_co_destroy(own[i]);
    }
}

/* --- memory --------------------------------------------------------------- */

static double resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2)
        bench_stop("/proc/self/statm");
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* By the resident memory of the process. The list of handles, in which each has
 * a word, was touched before. */
static void run_idle(const struct bench_options *options)
{
    size_t count = (size_t)(1e6 * options->scale) + 1, bytes = 104;
    moat_co **all = malloc(count * sizeof *all);
    double before;

    if (all == NULL)
        bench_stop("malloc");
    memset(all, 1, count * sizeof *all); /* not 0, which would be calloc */
    before = resident_bytes();
    for (size_t i = 0; i < count; i++) {
        all[i] = create(MOAT_STACK_COPIED, use, &bytes);
        resume(all[i]);
    }
    printf("\n%zu suspended: %.1f bytes of frames each, %.1f mapped for them, "
           "%.1f resident in all\n",
           count, (double)info().copied_bytes / (double)info().copied_away,
           (double)info().copied_mapped_bytes / (double)count,
           (resident_bytes() - before) / (double)count);
    bench_note("suspended", "resident bytes each",
               (resident_bytes() - before) / (double)count);
    for (size_t i = 0; i < count; i++)
        moat_co_destroy(all[i]);
    free(all);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 15);

    bench_open("Coroutines that take turns on one stack", &options);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        run_turns(sizes[i], &options);
    run_idle(&options);
    return bench_close(&options);
}
