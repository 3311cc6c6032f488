/*
 * bugs.c: a guest with a bug that a tool should find.
 *
 *   bugs none | heap | stack | shift | race
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

static volatile int four = 4, forty = 40;
static int shared;
static pthread_barrier_t both_run; /* for a race: neither comes first */

__attribute__((noinline)) static void guest_writes_past_a_block(void)
{
    volatile int *block = malloc(4 * sizeof *block);

    if (block != NULL)
        block[four] = 1;
    free((void *)block);
}

__attribute__((noinline)) static void guest_writes_past_an_array(void)
{
    volatile int array[4] = {0};

    array[four] = 1;
    four += array[0];
}

__attribute__((noinline)) static void guest_shifts_too_far(void)
{
    volatile int shifted = 1 << forty;

    (void)shifted;
}

__attribute__((noinline)) static void guest_races(void)
{
    (void)pthread_barrier_wait(&both_run);
    shared++;
}

static void *guest(moat_co *self, void *bug)
{
    (void)moat_co_yield(self, NULL);
    if (strcmp(bug, "heap") == 0)
        guest_writes_past_a_block();
    else if (strcmp(bug, "stack") == 0)
        guest_writes_past_an_array();
    else if (strcmp(bug, "shift") == 0)
        guest_shifts_too_far();
    else if (strcmp(bug, "race") == 0)
        guest_races();
    return bug;
}

/* A thread: runs the guest. Returns NULL if all went well. */
static void *host(void *bug)
{
    moat_event event;
    moat_co *co;
    void *failed = bug;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK)
        return failed;
    if (moat_co_resume(co, bug, &event) == MOAT_OK &&
        moat_co_resume(co, bug, &event) == MOAT_OK &&
        event.kind == MOAT_EVENT_RETURN)
        failed = NULL;
    moat_co_destroy(co);
    return failed;
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    void *failed, *any = NULL;

    if (argc != 2 || pthread_barrier_init(&both_run, NULL, 2) != 0)
        return 2;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, host, argv[1]) != 0)
            return 2;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &failed);
        if (failed != NULL)
            any = failed;
    }
    puts(any == NULL ? "done" : "failed");
    return any != NULL;
}
