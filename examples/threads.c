/*
 * threads.c: four threads, each the host of its own guests.
 *
 * Shows: a thread is attached by its first moat_co_create and detached when it
 * ends. A trap in one thread does not affect the others.
 * Run: build/debug/examples/threads
 * Prints: per thread, how many guests returned and how many trapped, then the
 * number of failures (expected/threads.txt).
 * Try: raise ROUNDS. The totals stay exact.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>

#include <moat/moat.h>

#define THREADS 4
#define ROUNDS  300

struct host {
    pthread_t thread;
    unsigned returned, trapped, failed;
};

static int *volatile nowhere;

/* Every third guest reads through a null pointer. */
static void *guest(moat_co *self, void *input)
{
    unsigned number = *(unsigned *)input;

    moat_co_yield(self, NULL);
    if (number % 3 == 0)
        return *nowhere ? self : NULL;
    return NULL;
}

static void run_guest(struct host *host, moat_co *co, unsigned number)
{
    moat_event event;

    if (moat_co_resume(co, &number, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_YIELD ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        host->failed++;
    else if (event.kind == MOAT_EVENT_TRAP)
        host->trapped++;
    else
        host->returned++;
    if (moat_co_reset(co) != MOAT_OK)
        host->failed++;
}

static void *run_host(void *argument)
{
    struct host *host = argument;
    moat_co *co;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK) {
        host->failed++;
        return NULL;
    }
    for (unsigned number = 0; number < ROUNDS; number++)
        run_guest(host, co, number);
    moat_co_destroy(co);
    return NULL;
}

int main(void)
{
    struct host hosts[THREADS] = {{0}};
    unsigned failed = 0;

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&hosts[i].thread, NULL, run_host, &hosts[i]) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(hosts[i].thread, NULL);
        printf("thread %d: %u guests returned, %u trapped\n", i,
               hosts[i].returned, hosts[i].trapped);
        failed += hosts[i].failed;
    }
    printf("failures: %u\n", failed);
    return failed != 0;
}
