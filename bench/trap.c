/*
 * trap.c: recovery from a null write and from a stack overflow, against the
 * bare round trip through the kernel: a handler that only skips the
 * instruction.
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

static int *volatile nowhere;
static volatile unsigned bottom = 1u << 31; /* never reached */

static void stop(const char *what)
{
    fprintf(stderr, "bench/trap: %s failed\n", what);
    exit(1);
}

/* movl $1, (%rdi) is six bytes long: c7 07 and four of the constant. */
static void skip_instruction(int signo, siginfo_t *info, void *context)
{
    ucontext_t *machine = context;

    (void)signo;
    (void)info;
    machine->uc_mcontext.gregs[REG_RIP] += 6;
}

static void write_null(void)
{
    int *address = nowhere;

    __asm__ volatile(".byte 0xc7, 0x07\n\t.long 1" : "+D"(address)::"memory");
}

/* The same flags and a stack of the same kind as moat's own handler has. */
static void run_bare(size_t count)
{
    struct sigaction action, old_action;
    stack_t stack = {.ss_flags = (int)SS_AUTODISARM, .ss_size = HANDLER_STACK},
            old_stack;

    stack.ss_sp = malloc(HANDLER_STACK);
    if (stack.ss_sp == NULL || sigaltstack(&stack, &old_stack) != 0)
        stop("sigaltstack");
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = skip_instruction;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &old_action);
    for (size_t i = 0; i < count; i++)
        write_null();
    sigaction(SIGSEGV, &old_action, NULL);
    sigaltstack(&old_stack, NULL);
    free(stack.ss_sp);
}

static void *null_guest(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 1;
    return input;
}

/* Touches each page of the stack once and then the guard. */
__attribute__((noinline)) static unsigned descend(unsigned depth)
{
    volatile char page[4000];
    unsigned below;

    page[0] = 1;
    below = depth == bottom ? 0 : descend(depth + 1);
    return below + (unsigned)page[0];
}

static void *overflow_guest(moat_co *self, void *input)
{
    (void)self;
    return descend(0) ? input : self;
}

static moat_co *make(moat_entry guest)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_bytes = (size_t)16 * 1024;
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
    moat_co *co = make(guest);

    for (size_t i = 0; i < count; i++) {
        trap_once(co);
        if (moat_co_reset(co) != MOAT_OK)
            stop("moat_co_reset");
    }
    moat_co_destroy(co);
}

static void run_null(size_t count)
{
    run_reset(null_guest, count);
}

static void run_overflow(size_t count)
{
    run_reset(overflow_guest, count);
}

static void run_recreate(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        moat_co *co = make(null_guest);

        trap_once(co);
        moat_co_destroy(co);
    }
}

static const struct {
    const char *name;
    void (*run)(size_t count);
} variants[] = {
    {"bare signal, skip the instruction", run_bare},
    {"moat, null write and reset", run_null},
    {"moat, create, null write, destroy", run_recreate},
    {"moat, overflow of 16 KiB and reset", run_overflow},
};

#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

static void sample(size_t number, size_t count, struct bench_series *series)
{
    double start;

    variants[number].run(count / 16 + 1); /* warm-up */
    start = bench_now_ns();
    variants[number].run(count);
    bench_add(series, (bench_now_ns() - start) / (double)count);
}

int main(int argc, char **argv)
{
    static struct bench_series series[VARIANTS];
    struct bench_options options = bench_read_options(argc, argv);
    size_t count = (size_t)(20000 * options.scale) + 1;

    bench_open("Recovery from a guest's fault", &options);
    if (moat_engine_init(NULL) != MOAT_OK || moat_thread_attach() != MOAT_OK)
        stop("moat_engine_init");
    for (size_t i = 0; i < VARIANTS; i++)
        series[i].name = variants[i].name;
    for (size_t round = 0; round < options.rounds; round++)
        for (size_t i = 0; i < VARIANTS; i++)
            sample(i, count, &series[i]);
    if (moat_engine_check() != MOAT_OK)
        stop("moat_engine_check");
    bench_report("fault, recovery, ready again", series, VARIANTS, 0);
    return bench_close(&options);
}
