/*
 * backtrace.c: the addresses of 20 frames, of one plain stack and of three
 * coroutines linked to their host, by moat, libgcc, glibc and libunwind; the
 * names of 20 frames, from the cache; and the addresses of 5 to 320 linked
 * frames, with a border after every six.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#ifdef BENCH_LIBUNWIND
#    define UNW_LOCAL_ONLY
#    include <libunwind.h>
#endif

#include <moat/moat.h>

#include "bench/bench.h"

#define FRAMES       ((size_t)20)
#define MAX_FRAMES   ((size_t)320)
#define CALLS        3 /* in a guest, between its entry and its resume */
#define GUEST_FRAMES ((size_t)6) /* with these and the root frame     */

/* The function keeps a frame of its own. */
#if defined(__clang__)
#    define FRAME __attribute__((noinline))
#else
#    define FRAME __attribute__((noipa))
#endif
#define KEEP_FRAME() __asm__ volatile("" : : : "memory")

typedef int (*glibc_backtrace)(void **, int);

static struct bench_options options;
static size_t walks;           /* per sample */
static size_t wanted = FRAMES; /* of each walk */
static glibc_backtrace glibc;

/* ---- The walkers ---- */

static moat_frame frames[MAX_FRAMES];

static size_t walk_moat(void)
{
    size_t count;

    (void)moat_backtrace(frames, wanted, &count);
    return count;
}

static size_t walk_moat_fp(void)
{
    size_t count;

    (void)moat_backtrace_fp(frames, wanted, &count);
    return count;
}

static void *addresses[MAX_FRAMES];

static size_t walk_glibc(void)
{
    return (size_t)glibc(addresses, (int)wanted);
}

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *arg)
{
    size_t *count = arg;

    addresses[(*count)++] = (void *)_Unwind_GetIP(context);
    return *count < wanted ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static size_t walk_libgcc(void)
{
    size_t count = 0;

    (void)_Unwind_Backtrace(note, &count);
    return count;
}

#ifdef BENCH_LIBUNWIND
static size_t walk_unw_step(void)
{
    unw_cursor_t cursor;
    unw_context_t context;
    unw_word_t pc;
    size_t count = 0;

    if (unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) != 0)
        return 0;
    do {
        if (unw_get_reg(&cursor, UNW_REG_IP, &pc) != 0)
            return 0;
        addresses[count++] = (void *)pc;
    } while (count < wanted && unw_step(&cursor) > 0);
    return count;
}

static size_t walk_unw_backtrace(void)
{
    return (size_t)unw_backtrace(addresses, (int)wanted);
}
#endif

struct walker {
    const char *name;
    size_t (*walk)(void);
    bool linked; /* across the coroutines, not over plain frames */
};

static const struct walker walkers[] = {
    {"libgcc _Unwind_Backtrace, plain", walk_libgcc, false},
    {"moat_backtrace, linked", walk_moat, true},
    {"moat_backtrace_fp, linked", walk_moat_fp, true},
    {"moat_backtrace, plain", walk_moat, false},
    {"moat_backtrace_fp, plain", walk_moat_fp, false},
    {"glibc backtrace, plain", walk_glibc, false},
    {"libgcc _Unwind_Backtrace, linked", walk_libgcc, true},
#ifdef BENCH_LIBUNWIND
    {"libunwind unw_step, linked", walk_unw_step, true},
    {"libunwind unw_backtrace, linked", walk_unw_backtrace, true},
#endif
};
#define WALKERS (sizeof walkers / sizeof walkers[0])

/* The walkers measured against the number of frames. */
static const struct walker growing[] = {
    {"libgcc _Unwind_Backtrace", walk_libgcc, true},
    {"moat_backtrace", walk_moat, true},
    {"moat_backtrace_fp", walk_moat_fp, true},
};
#define GROWING (sizeof growing / sizeof growing[0])

static const size_t lengths[] = {5, 20, 80, MAX_FRAMES};
#define LENGTHS (sizeof lengths / sizeof lengths[0])

/* ---- The stacks that they walk ---- */

struct job {
    double (*run)(const struct walker *);
    const struct walker *walker;
    double result;
};

static void *entry(moat_co *self, void *input);

FRAME static void call(struct job *job, unsigned calls, unsigned depth);

FRAME static void resume(struct job *job, unsigned depth)
{
    moat_co_options guest = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;

    guest.user = (void *)(uintptr_t)(depth - 1);
    if (moat_co_create(&co, entry, &guest) != MOAT_OK ||
        moat_co_resume(co, job, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        bench_stop("a coroutine");
    moat_co_destroy(co);
}

FRAME static void *entry(moat_co *self, void *input)
{
    call(input, CALLS, (unsigned)(uintptr_t)moat_co_user(self));
    KEEP_FRAME();
    return NULL;
}

FRAME static void call(struct job *job, unsigned calls, unsigned depth)
{
    if (calls > 1)
        call(job, calls - 1, depth);
    else if (depth > 0)
        resume(job, depth);
    else
        job->result = job->run(job->walker);
    KEEP_FRAME();
}

static double run(double (*what)(const struct walker *),
                  const struct walker *walker)
{
    struct job job = {what, walker, 0};

    if (walker->linked)
        call(&job, CALLS,
             (unsigned)(wanted < GUEST_FRAMES ? 1 : wanted / GUEST_FRAMES));
    else
        call(&job, (unsigned)wanted + 5, 0);
    return job.result;
}

/* ---- The measurements ---- */

FRAME static double time_walks(const struct walker *walker)
{
    double start;

    for (size_t i = 0; i < 3; i++)
        if (walker->walk() != wanted)
            bench_stop(walker->name);
    start = bench_now_ns();
    for (size_t i = 0; i < walks; i++)
        (void)walker->walk();
    return (bench_now_ns() - start) / (double)walks;
}

static double time_first_walk(const struct walker *walker)
{
    double start = bench_now_ns();

    (void)walker->walk();
    return bench_now_ns() - start;
}

/* Runs the first walk of a process. */
static double in_a_child(const struct walker *walker)
{
    double result = 0;
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0)
        bench_stop("pipe");
    child = fork();
    if (child == 0) {
        result = run(time_first_walk, walker);
        _exit(write(ends[1], &result, sizeof result) != sizeof result);
    }
    if (child < 0 || read(ends[0], &result, sizeof result) != sizeof result ||
        waitpid(child, NULL, 0) != child)
        bench_stop("fork");
    close(ends[0]);
    close(ends[1]);
    return result;
}

static void describe_all(void)
{
    char line[512];

    for (size_t i = 0; i < FRAMES; i++)
        if (moat_frame_describe(&frames[i], line, sizeof line) != MOAT_OK)
            bench_stop("moat_frame_describe");
}

static double time_names(const struct walker *walker)
{
    size_t rounds = walks / 50 + 1;
    double start;

    (void)walker->walk();
    start = bench_now_ns();
    for (size_t i = 0; i < rounds; i++)
        describe_all();
    return (bench_now_ns() - start) / (double)rounds;
}

static void find_glibc(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_LOCAL);
    void *function = libc != NULL ? dlsym(libc, "backtrace") : NULL;

    if (function == NULL)
        bench_stop("dlsym");
    memcpy(&glibc, &function, sizeof glibc);
}

/* Each sample covers the same number of frames, whatever their walks' length.
 */
static void run_lengths(void)
{
    static struct bench_series series[LENGTHS][GROWING];
    size_t all = walks;

    for (size_t round = 0; round < options.rounds; round++)
        for (size_t n = 0; n < LENGTHS; n++) {
            wanted = lengths[n];
            walks = all * FRAMES / wanted + 1;
            for (size_t i = 0; i < GROWING; i++)
                bench_add(&series[n][i], run(time_walks, &growing[i]));
        }
    for (size_t n = 0; n < LENGTHS; n++) {
        char name[32];

        for (size_t i = 0; i < GROWING; i++)
            series[n][i].name = growing[i].name;
        snprintf(name, sizeof name, "a walk of %zu frames", lengths[n]);
        bench_report(name, series[n], GROWING, 0);
    }
}

int main(int argc, char **argv)
{
    static struct bench_series first[WALKERS], again[WALKERS], names[2];

    options = bench_read_options(argc, argv, 15);
    walks = (size_t)(20000 * options.scale) + 1;
    bench_open("Backtraces", &options);
    find_glibc();
    if (moat_thread_attach() != MOAT_OK)
        bench_stop("moat_thread_attach");
    for (size_t i = 0; i < WALKERS; i++)
        first[i].name = again[i].name = walkers[i].name;
    for (size_t round = 0; round < options.rounds; round++)
        for (size_t i = 0; i < WALKERS; i++)
            bench_add(&first[i], in_a_child(&walkers[i]));
    for (size_t round = 0; round < options.rounds; round++)
        for (size_t i = 0; i < WALKERS; i++)
            bench_add(&again[i], run(time_walks, &walkers[i]));
    bench_report("a walk, first in its process", first, WALKERS, 0);
    bench_report("a walk, again", again, WALKERS, 0);
    names[0].name = "moat_frame_describe, 20 frames";
    for (size_t round = 0; round < options.rounds; round++)
        bench_add(&names[0], run(time_names, &walkers[1]));
    bench_report("names, again", names, 1, 0);
    run_lengths();
    return bench_close(&options);
}
