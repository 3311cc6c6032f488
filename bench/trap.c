/*
 * trap.c: recovery from a null write and from a stack overflow, against the
 * bare round trip of the same signal through the kernel: a handler that only
 * skips the instruction, on an alternate stack with the same flags. All with a
 * hundred, ten thousand and sixty thousand mappings in the process.
 *
 * What the guest does before it faults is the same in both: the bare overflow
 * walks down an equal stack to an equal guard.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <moat/moat.h>

#include "bench/bench.h"

#ifndef SS_AUTODISARM
#    define SS_AUTODISARM (1U << 31)
#endif

#define HANDLER_STACK ((size_t)64 * 1024)
#define PAGE_BYTES    ((size_t)4096)
#define STACK_BYTES   (4 * PAGE_BYTES)
#define GUARD_BYTES   (16 * PAGE_BYTES)

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

static void stop(const char *what)
{
    fprintf(stderr, "bench/trap: %s failed\n", what);
    exit(1);
}

/* ---- The faults ---- */

/* movl $1, (%rdi) is six bytes long: c7 07 and four of the constant. */
#define FAULT_BYTES 6

static inline void store_at(uintptr_t address)
{
    __asm__ volatile(".byte 0xc7, 0x07\n\t.long 1"
                     : "+D"(address)
                     :
                     : "memory");
}

/* A word on each page of a stack, downwards, and then one in the guard. */
static inline void walk_down(uintptr_t base, uintptr_t limit)
{
    for (uintptr_t at = base - 64; at > limit; at -= PAGE_BYTES)
        *(volatile int *)at = 1;
    store_at(limit - 64);
}

/* ---- The bare round trip ---- */

static void skip_instruction(int signo, siginfo_t *info, void *context)
{
    ucontext_t *machine = context;

    (void)signo;
    (void)info;
    machine->uc_mcontext.gregs[REG_RIP] += FAULT_BYTES;
}

struct bare {
    struct sigaction old_action;
    stack_t old_stack, stack;
};

/* The same flags and a stack of the same kind as moat's own handler has. */
static void begin_bare(struct bare *bare)
{
    struct sigaction action;

    memset(bare, 0, sizeof(*bare));
    bare->stack.ss_flags = (int)SS_AUTODISARM;
    bare->stack.ss_size = HANDLER_STACK;
    bare->stack.ss_sp = malloc(HANDLER_STACK);
    if (bare->stack.ss_sp == NULL ||
        sigaltstack(&bare->stack, &bare->old_stack) != 0)
        stop("sigaltstack");
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = skip_instruction;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &bare->old_action);
}

static void end_bare(const struct bare *bare)
{
    sigaction(SIGSEGV, &bare->old_action, NULL);
    sigaltstack(&bare->old_stack, NULL);
    free(bare->stack.ss_sp);
}

static void bare_null(size_t count)
{
    struct bare bare;

    begin_bare(&bare);
    for (size_t i = 0; i < count; i++)
        store_at(0);
    end_bare(&bare);
}

/* Guarded as moat guards, where the kernel can. */
static char *map_stack(void)
{
    char *guard = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (guard == MAP_FAILED ||
        (madvise(guard, GUARD_BYTES, MADV_GUARD_INSTALL) != 0 &&
         mprotect(guard, GUARD_BYTES, PROT_NONE) != 0))
        stop("mmap");
    return guard;
}

static void bare_overflow(size_t count)
{
    char *guard = map_stack();
    uintptr_t limit = (uintptr_t)guard + GUARD_BYTES;
    struct bare bare;

    begin_bare(&bare);
    for (size_t i = 0; i < count; i++)
        walk_down(limit + STACK_BYTES, limit);
    end_bare(&bare);
    munmap(guard, GUARD_BYTES + STACK_BYTES);
}

/* ---- moat ---- */

static void *null_guest(moat_co *self, void *input)
{
    (void)self;
    store_at(0);
    return input;
}

static void *overflow_guest(moat_co *self, void *input)
{
    const moat_stack_info *stack = moat_co_user(self);

    walk_down((uintptr_t)__builtin_frame_address(0), stack->limit);
    return input;
}

static moat_co *make(moat_entry guest, void *user)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_bytes = STACK_BYTES;
    options.user = user;
    if (moat_co_create(&co, guest, &options) != MOAT_OK)
        stop("moat_co_create");
    return co;
}

static void trap_once(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_TRAP)
        stop("moat_co_resume");
}

static void run_reset(moat_entry guest, size_t count)
{
    moat_stack_info stack;
    moat_co *co = make(guest, &stack);

    if (moat_co_stack_info(co, &stack) != MOAT_OK)
        stop("moat_co_stack_info");
    for (size_t i = 0; i < count; i++) {
        trap_once(co);
        if (moat_co_reset(co) != MOAT_OK)
            stop("moat_co_reset");
    }
    moat_co_destroy(co);
}

static void moat_null(size_t count)
{
    run_reset(null_guest, count);
}

static void moat_overflow(size_t count)
{
    run_reset(overflow_guest, count);
}

static void moat_recreate(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        moat_co *co = make(null_guest, NULL);

        trap_once(co);
        moat_co_destroy(co);
    }
}

/* ---- Mappings ---- */

static const size_t levels[] = {100, 10000, 60000};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

/* Pages of alternating protection: a mapping each. */
static void *add_mappings(size_t count)
{
    char *pages = mmap(NULL, count * PAGE_BYTES, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (pages == MAP_FAILED)
        stop("mmap");
    for (size_t i = 1; i < count; i += 2) {
        if (mprotect(pages + i * PAGE_BYTES, PAGE_BYTES, PROT_READ) != 0)
            stop("mprotect (is vm.max_map_count below 65530?)");
    }
    return pages;
}

/* ---- Samples ---- */

static const struct {
    const char *name;
    void (*run)(size_t count);
} variants[] = {
    {"null: bare signal", bare_null},
    {"null: moat, reset", moat_null},
    {"null: moat, destroy, create", moat_recreate},
    {"overflow: bare signal", bare_overflow},
    {"overflow: moat, reset", moat_overflow},
};

#define VARIANTS  (sizeof(variants) / sizeof(variants[0]))
#define OVERFLOWS 3 /* the first of them */
#define REPEATS   5 /* samples of each per round; BENCH_MAX_ROUNDS are kept */

static void sample(size_t number, size_t count, struct bench_series *series)
{
    double start;

    variants[number].run(count / 16 + 1); /* warm-up */
    start = bench_now_ns();
    variants[number].run(count);
    bench_add(series, (bench_now_ns() - start) / (double)count);
}

/* Short ones, so that some are not interrupted on a machine with other work. */
static void sample_all(size_t level, size_t count, struct bench_series *series)
{
    void *pages = add_mappings(levels[level]);

    for (size_t repeat = 0; repeat < REPEATS; repeat++) {
        for (size_t i = 0; i < VARIANTS; i++)
            sample(i, count, &series[i]);
    }
    munmap(pages, levels[level] * PAGE_BYTES);
}

/* One variant's series over the numbers of mappings. */
static void report_levels(struct bench_series series[LEVELS][VARIANTS],
                          size_t variant, const char *name)
{
    static char names[LEVELS][32];
    struct bench_series across[LEVELS];

    for (size_t i = 0; i < LEVELS; i++) {
        across[i] = series[i][variant];
        snprintf(names[i], sizeof(names[i]), "%zu mappings", levels[i]);
        across[i].name = names[i];
    }
    bench_report(name, across, LEVELS, 0);
}

int main(int argc, char **argv)
{
    static struct bench_series series[LEVELS][VARIANTS];
    struct bench_options options = bench_read_options(argc, argv);
    size_t count = (size_t)(1000 * options.scale) + 1;

    bench_open("Recovery from a guest's fault", &options);
    if (moat_engine_init(NULL) != MOAT_OK || moat_thread_attach() != MOAT_OK)
        stop("moat_engine_init");
    for (size_t level = 0; level < LEVELS; level++) {
        for (size_t i = 0; i < VARIANTS; i++)
            series[level][i].name = variants[i].name;
    }
    for (size_t round = 0; round < options.rounds; round++) {
        for (size_t level = 0; level < LEVELS; level++)
            sample_all(level, count, series[level]);
    }
    if (moat_engine_check() != MOAT_OK)
        stop("moat_engine_check");
    for (size_t level = 0; level < LEVELS; level++) {
        char name[64];

        snprintf(name, sizeof(name), "null write, %zu mappings", levels[level]);
        bench_report(name, series[level], OVERFLOWS, 0);
        snprintf(name, sizeof(name), "overflow, %zu mappings", levels[level]);
        bench_report(name, series[level] + OVERFLOWS, VARIANTS - OVERFLOWS, 0);
    }
    report_levels(series, 1, "null write and reset");
    report_levels(series, OVERFLOWS + 1, "overflow and reset");
    return bench_close(&options);
}
