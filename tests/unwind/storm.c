/*
 * storm.c: a profiler's signal at up to 10 kHz, whose handler calls glibc's
 * backtrace, moat_backtrace and moat_backtrace_fp in turn, while coroutines
 * switch, nest and trap. Nothing may crash, and every chain must reach main,
 * except by frame pointers, which the C library does not have.
 *
 *   storm SAMPLES
 *
 * The timer uses the monotonic clock, because timers of CPU time tick no faster
 * than the kernel's clock. Half of the samples run on the alternate stack and
 * half on the interrupted stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unwind/chain.h"

#define MAX_FRAMES  64
#define MAX_KEPT    8
#define INTERVAL_NS 100000

void *flat_entry(moat_co *self, void *input);
void *deep_entry(moat_co *self, void *input);
void yield_below(moat_co *self);
void *nested_entry(moat_co *self, void *input);
void *fault_entry(moat_co *self, void *input);
void outline_rounds(moat_co *co, unsigned count);
void *outline_entry(moat_co *self, void *input);

typedef int (*glibc_backtrace)(void **, int);

static glibc_backtrace capture;
static uintptr_t main_start, main_end;
static int *volatile nowhere;

static timer_t timer;
static atomic_ulong samples, truncated, by_records;
static void *kept[MAX_KEPT][MAX_FRAMES];
static int kept_frames[MAX_KEPT];

static bool reaches_main(void *const *frames, int count)
{
    for (int i = 0; i < count; i++)
        if ((uintptr_t)frames[i] >= main_start &&
            (uintptr_t)frames[i] <= main_end)
            return true;
    return false;
}

/* Copies the addresses only. */
static int capture_moat(moat_status (*walk)(moat_frame *, size_t, size_t *),
                        void **out)
{
    moat_frame frames[MAX_FRAMES];
    size_t count;

    if (walk(frames, MAX_FRAMES, &count) != MOAT_OK)
        return 0;
    for (size_t i = 0; i < count; i++)
        out[i] = (void *)frames[i].pc;
    return (int)count;
}

static void take_sample(void)
{
    void *frames[MAX_FRAMES];
    unsigned long number_of = atomic_fetch_add(&samples, 1);
    int count;

    if (number_of % 3 == 2) {
        if (capture_moat(moat_backtrace_fp, frames) > 0)
            atomic_fetch_add(&by_records, 1);
        return;
    }
    count = number_of % 3 == 1 ? capture_moat(moat_backtrace, frames)
                               : capture(frames, MAX_FRAMES);
    if (!reaches_main(frames, count)) {
        unsigned long number = atomic_fetch_add(&truncated, 1);

        if (number < MAX_KEPT) {
            memcpy(kept[number], frames, sizeof(frames));
            kept_frames[number] = count;
        }
    }
}

/* One-shot: a periodic timer would starve the coroutines on a machine where the
 * handler takes longer than the period. */
static void set_timer(void)
{
    const struct itimerspec once = {{0, 0}, {0, INTERVAL_NS}};

    if (timer_settime(timer, 0, &once, NULL) != 0)
        abort();
}

static void sample(int signo)
{
    (void)signo;
    take_sample();
    set_timer();
}

FRAME void *flat_entry(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

FRAME void yield_below(moat_co *self)
{
    moat_co_yield(self, NULL);
    KEEP_FRAME();
}

FRAME void *deep_entry(moat_co *self, void *input)
{
    for (;;)
        yield_below(self);
    return input;
}

static void resume(moat_co *co, moat_event_kind kind)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK || event.kind != kind)
        abort();
}

FRAME void *nested_entry(moat_co *self, void *input)
{
    moat_co *inner = moat_co_user(self);

    for (;;) {
        resume(inner, MOAT_EVENT_YIELD);
        moat_co_yield(self, input);
    }
    return NULL;
}

FRAME void *fault_entry(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 1;
    return input;
}

static moat_co *make(moat_entry entry, void *user)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.user = user;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        abort();
    return co;
}

static void find_main(uintptr_t address)
{
    ElfW(Sym) *symbol = NULL;
    Dl_info info;
    void *extra = NULL;

    if (dladdr1((void *)address, &info, &extra, RTLD_DL_SYMENT) == 0 ||
        extra == NULL) {
        printf("main has no size: link with -rdynamic\n");
        exit(1);
    }
    symbol = extra;
    main_start = address;
    main_end = address + symbol->st_size;
}

static void find_backtrace(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_LOCAL);
    void *function = libc ? dlsym(libc, "backtrace") : NULL;
    void *frames[4];

    if (function == NULL) {
        printf("%s\n", dlerror());
        exit(1);
    }
    memcpy(&capture, &function, sizeof(capture));
    /* The first call loads libgcc_s, which is not possible in a handler. */
    (void)capture(frames, 4);
}

static void set_handler(int flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = sample;
    action.sa_flags = SA_RESTART | flags;
    if (sigaction(SIGPROF, &action, NULL) != 0)
        abort();
}

static void start_timer(void)
{
    struct sigevent event;

    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGPROF;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
        perror("timer");
        exit(1);
    }
    set_timer();
}

struct guests {
    moat_co *flat, *deep, *nested, *inner, *fault, *outline;
};

static void run_round(const struct guests *guests)
{
    for (int i = 0; i < 2000; i++) {
        resume(guests->flat, MOAT_EVENT_YIELD);
        resume(guests->deep, MOAT_EVENT_YIELD);
        resume(guests->nested, MOAT_EVENT_YIELD);
    }
    outline_rounds(guests->outline, 2000);
    for (int i = 0; i < 20; i++) {
        resume(guests->fault, MOAT_EVENT_TRAP);
        if (moat_co_reset(guests->fault) != MOAT_OK)
            abort();
    }
}

static void report(void)
{
    unsigned long shown = atomic_load(&truncated);

    for (unsigned long i = 0; i < shown && i < MAX_KEPT; i++) {
        printf("truncated:");
        for (int k = 0; k < kept_frames[i]; k++)
            printf(" %p(%s)", kept[i][k],
                   chain_name((uintptr_t)kept[i][k] + 1));
        printf("\n");
    }
    printf("%lu samples, %lu truncated, %lu by frame records\n",
           atomic_load(&samples), shown, atomic_load(&by_records));
}

int main(int argc, char **argv)
{
    unsigned long wanted = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    struct guests guests;

    if (wanted == 0) {
        fprintf(stderr, "usage: storm SAMPLES\n");
        return 2;
    }
    find_main((uintptr_t)main);
    find_backtrace();
    guests.flat = make(flat_entry, NULL);
    guests.deep = make(deep_entry, NULL);
    guests.inner = make(deep_entry, NULL);
    guests.nested = make(nested_entry, guests.inner);
    guests.fault = make(fault_entry, NULL);
    guests.outline = make(outline_entry, NULL);
    set_handler(0);
    start_timer();
    while (atomic_load(&samples) < wanted / 2)
        run_round(&guests);
    set_handler(SA_ONSTACK);
    while (atomic_load(&samples) < wanted)
        run_round(&guests);
    timer_delete(timer);
    report();
    return atomic_load(&truncated) != 0 || atomic_load(&by_records) == 0;
}
