/*
 * leaves.c: a case that leaves everything that a host can restore: memory of
 * every kind, variables, mappings, descriptors, keys, a signal handler, a
 * signal mask; and destroys the state made by its set-up. It faults only if
 * everything has been restored.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hcase.h"

const char *hcase_name = "leaves";
static char *of_setup;
static int times;
static _Thread_local int times_here = 1;

int hcase_setup(long n)
{
    (void)n;
    of_setup = strdup("as it was");
    return of_setup == NULL;
}

/* Two pages each, so that a thousand times is a noticeable amount. */
static void leave_memory(void)
{
    char *mapped = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *aligned = NULL, *text = NULL;

    memset(mapped, 1, 65536);
    (void)munmap(mapped + 4096, 4096);
    if (posix_memalign((void **)&aligned, 4096, 8192) == 0)
        memset(aligned, 1, 8192);
    memset(calloc(2, 4096), 1, 8192);
    memset(realloc(malloc(24), 8192), 1, 8192);
    if (asprintf(&text, "%08192d", 1) != 8192)
        times++;
    (void)setenv("LEFT_BY_A_GUEST", "here", 1);
}

static void leave_the_rest(void)
{
    pthread_key_t key;
    sigset_t usr1;

    (void)!dup(STDIN_FILENO);
    (void)pthread_key_create(&key, NULL);
    (void)pthread_setspecific(key, of_setup);
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    (void)signal(SIGSEGV, SIG_IGN);
}

/* Returns a positive number if something of the previous run remains. */
static int find_leftovers(void)
{
    sigset_t mask;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return times != 0 || times_here != 1 ||
           strcmp(of_setup, "as it was") != 0 || sigismember(&mask, SIGUSR1);
}

int hcase_run(void)
{
    if (find_leftovers())
        return 1;
    leave_memory();
    leave_the_rest();
    times++;
    times_here++;
    (void)strcpy(of_setup, "changed");
    free(of_setup);
    *(volatile int *)(uintptr_t)(16 * times) = 1;
    return 0;
}
