/*
 * soundness.c: the calls, and the thread that makes them a second time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "soundness.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static sem_t asked, answered;
static void (*tell)(const char *);
static const char *answer;

static bool allocates(void)
{
    /* Volatile, so that the compiler keeps the calls. */
    void *volatile small = malloc(24), *volatile large = malloc(3000);
    void *volatile moved;
    bool done = small != NULL && large != NULL;

    if (done)
        memset(large, 1, 3000);
    moved = realloc(small, 5000);
    done = done && moved != NULL;
    free(moved);
    free(large);
    return done;
}

static bool opens(void)
{
    FILE *file = fopen("/dev/null", "w");
    bool done = file != NULL && fprintf(file, "%s %d\n", "alive", 1) > 0;

    return file != NULL && fclose(file) == 0 && done;
}

static bool flushes(void)
{
    /* A failure to write a guest's streams does not matter. */
    (void)fflush(NULL);
    return true;
}

static bool looks_up(void)
{
    return dlsym(RTLD_DEFAULT, "malloc") != NULL;
}

static bool tells_time(void)
{
    time_t now = time(NULL);
    struct tm broken_down;

    return localtime(&now) != NULL && localtime_r(&now, &broken_down) != NULL;
}

static bool prints(void)
{
    return printf("%s", "") == 0 && fprintf(stderr, "%s", "") == 0;
}

/* clang-format off */
static const struct {
    const char *here, *elsewhere; /* the step's name on either thread */
    bool (*call)(void);
} calls[] = {
    {"malloc",    "malloc in another thread",    allocates},
    {"fopen",     "fopen in another thread",     opens},
    {"fflush",    "fflush in another thread",    flushes},
    {"dlsym",     "dlsym in another thread",     looks_up},
    {"localtime", "localtime in another thread", tells_time},
    {"printf",    "printf in another thread",    prints},
};
/* clang-format on */

static const char *call_all(bool elsewhere)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        const char *name = elsewhere ? calls[i].elsewhere : calls[i].here;

        tell(name);
        if (!calls[i].call())
            return name;
    }
    return NULL;
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

static void *answer_all(void *unused)
{
    for (;;) {
        wait_for(&asked);
        answer = call_all(true);
        (void)sem_post(&answered);
    }
    return unused;
}

bool soundness_open(void)
{
    pthread_t other;

    return sem_init(&asked, 0, 0) == 0 && sem_init(&answered, 0, 0) == 0 &&
           pthread_create(&other, NULL, answer_all, NULL) == 0;
}

const char *soundness_check(void (*step)(const char *name))
{
    const char *failed;

    tell = step;
    failed = call_all(false);
    if (failed != NULL)
        return failed;
    (void)sem_post(&asked);
    wait_for(&answered);
    return answer;
}
