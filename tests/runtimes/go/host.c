/*
 * host.c: a host in C whose guests trap while it calls a library in Go.
 *
 *   host LIBRARY COUNT go|moat     which of the two installs its handlers first
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../traps.h"

#define THREADS 4
#define BATCH   10

static int (*go_work)(int);
static void (*go_profile)(int);
static atomic_int traps, panics;
static int share;

static void load(const char *file)
{
    void *library = dlopen(file, RTLD_NOW);

    if (library == NULL) {
        (void)fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&go_work = dlsym(library, "GoWork");
    *(void **)&go_profile = dlsym(library, "GoProfile");
    if (go_work == NULL || go_profile == NULL)
        exit(1);
}

/* Half of the threads call Go before they run a guest. */
static void *work(void *number)
{
    if (*(const int *)number % 2 == 0)
        (void)go_work(1);
    for (int done = 0; done < share; done += BATCH) {
        (void)atomic_fetch_add(&traps, traps_run(BATCH, NULL));
        (void)atomic_fetch_add(&panics, go_work(BATCH));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const int numbers[THREADS] = {0, 1, 2, 3};
    pthread_t threads[THREADS];

    if (argc != 4)
        return 2;
    share = atoi(argv[2]) / THREADS / BATCH * BATCH;
    if (strcmp(argv[3], "moat") == 0 && traps_install() != 0)
        return 1;
    load(argv[1]);
    if (traps_install() != 0)
        return 1;
    go_profile(1);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work,
                           (void *)(size_t)&numbers[i]) != 0)
            return 1;
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    go_profile(0);
    (void)printf("%s first: %d traps, %d panics\n", argv[3],
                 atomic_load(&traps), atomic_load(&panics));
    return atomic_load(&traps) == THREADS * share &&
                   atomic_load(&panics) == THREADS * share
               ? 0
               : 1;
}
