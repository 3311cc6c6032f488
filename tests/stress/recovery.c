/*
 * recovery.c: recovery [COUNT] [THREADS]: COUNT null writes and COUNT stack
 * overflows in a row on each of THREADS threads (1000 and 1 by default).
 *
 * Expects that none is lost, that memory and descriptors do not grow, and that
 * each thread's signal mask and alternate stack stay as they were.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/number.h"
#include "../support/surroundings.h"

#define MAX_THREADS  64
#define WARM_UP      500
#define RENEW_EVERY  64
#define GROWTH_BYTES ((size_t)1 << 20)

static size_t count = 1000;
static unsigned thread_count = 1;
static pthread_barrier_t warm, done, looked;

struct worker {
    pthread_t thread;
    size_t nulls, overflows; /* traps that were recovered from */
};

static void *null_write(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("1:\tsubq $512, %%rsp\n\t"
                     "movq %%rax, (%%rsp)\n\t"
                     "jmp 1b"
                     :
                     :
                     : "memory");
    return input;
}

static moat_co *create(moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.stack_bytes = 65536;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

/* Returns whether the guest trapped as `kind` and can be used again. */
static bool recover(moat_co *co, moat_trap_kind kind)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    return moat_co_resume(co, NULL, &event) == MOAT_OK &&
           event.kind == MOAT_EVENT_TRAP &&
           moat_co_trap_info(co, &info) == MOAT_OK && info.kind == kind &&
           moat_co_reset(co) == MOAT_OK;
}

/* Faults `times` times, now and then in a new coroutine. Returns how often it
 * recovered. */
static size_t fault_repeatedly(moat_entry entry, moat_trap_kind kind,
                               size_t times)
{
    moat_co *co = create(entry);
    size_t recovered = 0;

    for (size_t i = 1; i <= times; i++) {
        recovered += recover(co, kind);
        if (i % RENEW_EVERY == 0) {
            moat_co_destroy(co);
            co = create(entry);
        }
    }
    moat_co_destroy(co);
    return recovered;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct thread_signals before;

    REQUIRE(moat_thread_attach() == MOAT_OK);
    thread_signals_note(&before);
    (void)fault_repeatedly(null_write, MOAT_TRAP_NULL, WARM_UP);
    (void)fault_repeatedly(overflow, MOAT_TRAP_STACK_OVERFLOW, WARM_UP);
    (void)pthread_barrier_wait(&warm);
    (void)pthread_barrier_wait(&looked);
    worker->nulls = fault_repeatedly(null_write, MOAT_TRAP_NULL, count);
    worker->overflows =
        fault_repeatedly(overflow, MOAT_TRAP_STACK_OVERFLOW, count);
    thread_signals_expect_kept(&before);
    (void)pthread_barrier_wait(&done);
    (void)pthread_barrier_wait(&looked);
    return NULL;
}

static void start(struct worker *workers)
{
    for (unsigned i = 0; i < thread_count; i++)
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) ==
                0);
}

static void finish(struct worker *workers)
{
    for (unsigned i = 0; i < thread_count; i++) {
        expect_context("thread %u", i);
        EXPECT_EQ(pthread_join(workers[i].thread, NULL), 0);
        EXPECT_EQ(workers[i].nulls, count);
        EXPECT_EQ(workers[i].overflows, count);
    }
}

static void run(void)
{
    static struct worker workers[MAX_THREADS];
    size_t resident, resident_after;
    int descriptors;

    start(workers);
    (void)pthread_barrier_wait(&warm);
    resident = resident_bytes();
    descriptors = descriptors_open();
    (void)pthread_barrier_wait(&looked);
    (void)pthread_barrier_wait(&done);
    resident_after = resident_bytes();
    EXPECT(resident > 0);
    EXPECT_EQ(descriptors_open(), descriptors);
    if (UNDER_ASAN)
        (void)puts("memory growth not checked: AddressSanitizer's shadow "
                   "memory and quarantine grow by themselves");
    else
        EXPECT(resident_after < resident + GROWTH_BYTES);
    (void)pthread_barrier_wait(&looked);
    finish(workers);
    (void)printf("%u threads, %zu null writes and %zu overflows each; "
                 "memory before %zu, after %zu bytes; %d failures\n",
                 thread_count, count, count, resident, resident_after,
                 expect_failures());
}

int main(int argc, char **argv)
{
    if (argc > 1)
        count = number_from(argv[1], SIZE_MAX);
    if (argc > 2)
        thread_count = (unsigned)number_from(argv[2], MAX_THREADS);
    if (argc > 3 || count == 0 || thread_count == 0) {
        (void)fprintf(stderr,
                      "usage: recovery [COUNT] [THREADS]\n"
                      "COUNT is at least 1, THREADS is 1 to %d\n",
                      MAX_THREADS);
        return 2;
    }
    if (pthread_barrier_init(&warm, NULL, thread_count + 1) != 0 ||
        pthread_barrier_init(&looked, NULL, thread_count + 1) != 0 ||
        pthread_barrier_init(&done, NULL, thread_count + 1) != 0)
        return 2;
    run();
    return expect_failures() == 0 ? 0 : 1;
}
