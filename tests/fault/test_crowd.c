/*
 * test_crowd.c: every crime of the table on 1, 4 and 16 threads. First all
 * threads commit the same crime at the same moment, then each a different one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "../support/fixture.h"
#include "scene.h"

#define MAX_THREADS 16

/* The distance between threads in the table, so that no two commit the same
 * crime. */
#define APART 4

struct crowd {
    bool autodisarm;
    size_t size;
    pthread_barrier_t moment;
};

struct member {
    struct crowd *crowd;
    size_t number;
    pthread_t thread;
};

static void play(const struct member *self, size_t index, const char *place)
{
    const struct crime *crime = &crimes[index % crime_count];

    if (scene_cannot_be_played(crime) == NULL &&
        (self->crowd->autodisarm || !(crime->flags & CRIME_AUTODISARM)))
        scene_play(crime, place);
}

static void *commit_all(void *arg)
{
    const struct member *self = arg;
    size_t first = self->number * APART;

    for (size_t i = 0; i < crime_count; i++) {
        (void)pthread_barrier_wait(&self->crowd->moment);
        play(self, i, "all threads at once");
    }
    for (size_t i = 0; i < crime_count; i++)
        play(self, first + i, "each thread its own");
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return NULL;
}

static void every_fault_is_reported_on_every_thread(const void *arg)
{
    struct member members[MAX_THREADS];
    struct crowd crowd = {
        scene_init_engine(false), *(const size_t *)arg, {{0}}};

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
    static const size_t sizes[] = {1, 4, MAX_THREADS};
    static const struct child_case cases[] = {
        {"1 thread", every_fault_is_reported_on_every_thread, &sizes[0], NULL,
         0, 0},
        {"4 threads", every_fault_is_reported_on_every_thread, &sizes[1], NULL,
         0, 0},
        {"16 threads", every_fault_is_reported_on_every_thread, &sizes[2], NULL,
         0, 0},
    };

    scene_name_left_out();
    return child_cases_run("every fault on many threads", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
