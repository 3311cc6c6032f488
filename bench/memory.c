/*
 * memory.c: the cost of a million suspended, guarded coroutines in bytes,
 * mappings and time, created one by one and in batches, beside the kernel's
 * cost of the same number of guards and first pages. Some of the coroutines
 * then overflow into their guards. Last, the memory that remains once all are
 * destroyed, and after a trim.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <moat/moat.h>

#include "bench/bench.h"

#define STACK_BYTES ((size_t)48 << 10)
#define GUARD_BYTES ((size_t)16 << 10)
#define SLOT_BYTES  (STACK_BYTES + GUARD_BYTES)
#define CHUNK       ((size_t)1000) /* created in one way before the next */
#define BATCH       ((size_t)64)   /* guards in one process_madvise     */
#define SAMPLE      ((size_t)1000) /* coroutines that overflow          */

/* MADV_GUARD_INSTALL of Linux 6.13, which glibc 2.36 does not define. */
#define GUARD_INSTALL 102

/* PIDFD_SELF of linux/pidfd.h: this process, as a descriptor. */
#define SELF_THREAD (-10000)

/* ---- The process's memory ---- */

struct usage {
    size_t resident, page_tables; /* bytes */
    size_t mappings;
};

static size_t status_bytes(const char *text, const char *label)
{
    const char *found = strstr(text, label);

    return found != NULL
               ? (size_t)strtoull(found + strlen(label), NULL, 10) * 1024
               : 0;
}

static struct usage usage_now(void)
{
    static char text[8192];
    struct usage now = {0, 0, 0};
    FILE *file = fopen("/proc/self/status", "r");
    int c;

    if (file == NULL)
        abort();
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    now.resident = status_bytes(text, "VmRSS:");
    now.page_tables = status_bytes(text, "VmPTE:");
    file = fopen("/proc/self/maps", "r");
    if (file == NULL)
        abort();
    while ((c = getc(file)) != EOF)
        now.mappings += c == '\n';
    fclose(file);
    return now;
}

/* ---- The kernel alone ---- */

static char *floor_begin;
static size_t floor_bytes;

static void floor_open(size_t count)
{
    floor_bytes = count * SLOT_BYTES;
    floor_begin =
        mmap(NULL, floor_bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (floor_begin == MAP_FAILED ||
        madvise(floor_begin, floor_bytes, MADV_NOHUGEPAGE) != 0) {
        perror("mmap");
        exit(2);
    }
}

static char *floor_slot(size_t i)
{
    return floor_begin + i * SLOT_BYTES;
}

/* Puts a guard at the low end of each slot. */
static bool guard_each(size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        if (madvise(floor_slot(i), GUARD_BYTES, GUARD_INSTALL) != 0)
            return false;
    }
    return true;
}

static bool guard_batches(size_t first, size_t count)
{
    struct iovec parts[BATCH];

    for (size_t n; count > 0; first += n, count -= n) {
        n = count < BATCH ? count : BATCH;
        for (size_t i = 0; i < n; i++)
            parts[i] = (struct iovec){floor_slot(first + i), GUARD_BYTES};
        if (process_madvise(SELF_THREAD, parts, n, GUARD_INSTALL, 0) !=
            (ssize_t)(n * GUARD_BYTES))
            return false;
    }
    return true;
}

/* Also touches the topmost page of each slot. */
static void floor_make(bool (*guard)(size_t, size_t), size_t first,
                       size_t count)
{
    if (!guard(first, count)) {
        perror("madvise: guards need Linux 6.13");
        exit(2);
    }
    for (size_t i = first; i < first + count; i++)
        *(volatile char *)(floor_slot(i) + SLOT_BYTES - 1) = 1;
}

/* ---- moat ---- */

/* Recurses until `depth` is 0, or until the guard stops it. */
static size_t descend(size_t depth)
{
    volatile char frame[256];

    frame[0] = (char)depth;
    return depth == 0 ? 0 : descend(depth - 1) + (size_t)frame[0];
}

/* Yields until it is resumed with a value, then overflows its stack. */
static void *guest(moat_co *self, void *input)
{
    while (input == NULL)
        input = moat_co_yield(self, NULL);
    return (void *)descend(STACK_BYTES);
}

static moat_co_options options_of_all(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = STACK_BYTES;
    options.guard_bytes = GUARD_BYTES;
    return options;
}

static bool create_each(moat_co **out, size_t count)
{
    moat_co_options options = options_of_all();

    for (size_t i = 0; i < count; i++) {
        if (moat_co_create(&out[i], guest, &options) != MOAT_OK)
            return false;
    }
    return true;
}

static bool create_batch(moat_co **out, size_t count)
{
    moat_co_options options = options_of_all();
    size_t done;

    return moat_co_create_n(out, guest, &options, NULL, count, &done) ==
           MOAT_OK;
}

static void make(bool (*create)(moat_co **, size_t), moat_co **out,
                 size_t count)
{
    bool ok = create(out, count);
    moat_event event;

    for (size_t i = 0; ok && i < count; i++)
        ok = moat_co_resume(out[i], NULL, &event) == MOAT_OK &&
             event.kind == MOAT_EVENT_YIELD;
    if (!ok) {
        fprintf(stderr, "cannot create more coroutines\n");
        exit(1);
    }
}

static void overflow(moat_co *co)
{
    moat_trap_info info;
    moat_event event;

    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    if (moat_co_resume(co, co, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_TRAP ||
        moat_co_trap_info(co, &info) != MOAT_OK ||
        info.kind != MOAT_TRAP_STACK_OVERFLOW) {
        fprintf(stderr, "a guard did not stop an overflow\n");
        exit(1);
    }
}

/* ---- The run ---- */

static double elapsed(double *since)
{
    double now = bench_now_ns(), passed = now - *since;

    *since = now;
    return passed;
}

static void report_usage(const char *what, const struct usage *before,
                         const struct usage *now, size_t count)
{
    double resident = (double)now->resident - (double)before->resident;
    double tables = (double)now->page_tables - (double)before->page_tables;

    printf("%-34s %8.0f + %.0f bytes each (resident, page tables), %ld "
           "more mappings\n",
           what, resident / (double)count, tables / (double)count,
           (long)now->mappings - (long)before->mappings);
    bench_note(what, "resident_bytes_each", resident / (double)count);
    bench_note(what, "page_table_bytes_each", tables / (double)count);
    bench_note(what, "mappings",
               (double)now->mappings - (double)before->mappings);
}

/* Creates half of them in each way. */
static void fill(moat_co **all, size_t count)
{
    static struct bench_series series[] = {
        {.name = "created one by one"},
        {.name = "created in batches"},
        {.name = "guard and page alone"},
        {.name = "the same, guards in batches"}};
    double since = bench_now_ns(), ns[4] = {0, 0, 0, 0};

    for (size_t i = 0; i < count; i += 2 * CHUNK) {
        make(create_each, all + i, CHUNK);
        ns[0] += elapsed(&since);
        floor_make(guard_each, i, CHUNK);
        ns[2] += elapsed(&since);
        make(create_batch, all + i + CHUNK, CHUNK);
        ns[1] += elapsed(&since);
        floor_make(guard_batches, i + CHUNK, CHUNK);
        ns[3] += elapsed(&since);
    }
    for (size_t i = 0; i < 4; i++)
        bench_add(&series[i], 2 * ns[i] / (double)count);
    bench_report("create and run to the first yield", series, 4, 2);
}

static void overflow_sample(moat_co **all, size_t count)
{
    size_t step = count / SAMPLE + 1, done = 0;

    for (size_t i = 0; i < count; i += step, done++)
        overflow(all[i]);
    printf("%zu overflows, each stopped by a guard\n", done);
}

static void trim(size_t count)
{
    struct bench_series series = {.name = "moat"};
    double since = bench_now_ns();
    size_t released;

    if (moat_engine_trim(0, &released) != MOAT_OK) {
        bench_stop("moat_engine_trim");
    }
    bench_add(&series, elapsed(&since) / (double)count);
    bench_report("trim, for each", &series, 1, 0);
    printf("%zu bytes released\n", released);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 15);
    size_t count = (size_t)(1e6 * options.scale) / (2 * CHUNK) * 2 * CHUNK;
    struct usage before, made, gone, trimmed;
    moat_co **all;

    if (count == 0)
        count = 2 * CHUNK;
    bench_open("Many suspended, guarded coroutines", &options);
    all = calloc(count, sizeof *all);
    if (all == NULL)
        return 2;
    memset(all, 0xff, count * sizeof *all);
    make(create_each, all, 1);
    moat_co_destroy(all[0]);
    floor_open(count);
    before = usage_now();
    fill(all, count);
    (void)munmap(floor_begin, floor_bytes);
    made = usage_now();
    printf("%zu coroutines\n", count);
    report_usage("suspended", &before, &made, count);
    overflow_sample(all, count);
    for (size_t i = count; i > 0; i--)
        moat_co_destroy(all[i - 1]);
    gone = usage_now();
    report_usage("destroyed", &before, &gone, count);
    trim(count);
    trimmed = usage_now();
    report_usage("trimmed", &before, &trimmed, count);
    free(all);
    return bench_close(&options);
}
