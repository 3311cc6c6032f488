/*
 * test_crowd.c: every crime of the table on 1, 4 and 16 threads: all threads
 * commit the same one at the same moment, then each a different one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "../support/fixture.h"
#include "scene.h"

#define MOST_THREADS 16

/* Far enough apart that no two threads commit the same crime. */
#define APART 4

struct crowd {
    size_t size;
    pthread_barrier_t moment;
};

struct member {
    struct crowd *crowd;
    size_t number;
    pthread_t thread;
};

static void play(const struct crime *crime, const char *place)
{
    if (scene_cannot_be_played(crime) == NULL)
        scene_play(crime, place);
}

static void *commit_all(void *arg)
{
    const struct member *self = arg;
    size_t first = self->number * APART;

    for (size_t i = 0; i < crime_count; i++) {
        (void)pthread_barrier_wait(&self->crowd->moment);
        play(&crimes[i], "all threads at once");
    }
    for (size_t i = 0; i < crime_count; i++)
        play(&crimes[(first + i) % crime_count], "each thread its own");
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return NULL;
}

static void every_fault_is_reported_on_every_thread(const void *arg)
{
    struct member members[MOST_THREADS];
    struct crowd crowd = {*(const size_t *)arg, {{0}}};

    REQUIRE(pthread_barrier_init(&crowd.moment, NULL, (unsigned)crowd.size) ==
            0);
    for (size_t i = 0; i < crowd.size; i++) {
        members[i].crowd = &crowd;
        members[i].number = i;
        REQUIRE(pthread_create(&members[i].thread, NULL, commit_all,
                               &members[i]) == 0);
    }
    for (size_t i = 0; i < crowd.size; i++)
        EXPECT_EQ(pthread_join(members[i].thread, NULL), 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {1, 4, MOST_THREADS};
    static const struct child_case cases[] = {
        {"1 thread", every_fault_is_reported_on_every_thread, &sizes[0], NULL,
         0, 0},
        {"4 threads", every_fault_is_reported_on_every_thread, &sizes[1], NULL,
         0, 0},
        {"16 threads", every_fault_is_reported_on_every_thread, &sizes[2], NULL,
         0, 0},
    };

    return child_cases_run("every fault on many threads", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
