/*
 * mixed.c: mixed [COUNT] [THREADS] [SEED]: COUNT random crimes on each of
 * THREADS threads at once, some of them in guests of guests, some next to
 * guests that are stopped by a deadline. A seed always produces the same
 * crimes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <moat/moat.h>

#include "../fault/scene.h"
#include "../support/fixture.h"
#include "../support/number.h"

#define MAX_THREADS 64

static size_t count = 100;
static unsigned thread_count = 2;
static uint64_t seed = 1;

/* xorshift64* (Marsaglia; Vigna 2016): good enough for choices. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Any crime except those that print much, and those that cannot be played or
 * would be fatal with the default alternate stack. */
static const struct crime *choose(uint64_t *state)
{
    const struct crime *crime;

    do
        crime = &crimes[next(state) % crime_count];
    while ((crime->flags & (CRIME_PRINTS | CRIME_AUTODISARM)) != 0 ||
           scene_cannot_be_played(crime) != NULL);
    return crime;
}

static void *play(moat_co *self, void *input)
{
    (void)self;
    scene_play(input, "mixed, nested");
    return input;
}

static void play_nested(const struct crime *crime)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, play, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, (void *)(uintptr_t)crime, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void *loop_for_ever(moat_co *self, void *input)
{
    (void)self;
    for (;;)
        __asm__ volatile("pause");
    return input;
}

static void cut_a_loop(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co *co = NULL;

    limits.wall_ns = 200000;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, loop_for_ever, &options) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    moat_co_destroy(co);
}

static void *work(void *arg)
{
    uint64_t state = seed * 1000003 + *(const unsigned *)arg + 1;

    for (size_t i = 0; i < count; i++) {
        const struct crime *crime = choose(&state);

        switch (next(&state) % 8) {
        case 0:
            cut_a_loop();
            break;
        case 1:
        case 2:
            play_nested(crime);
            break;
        default:
            scene_play(crime, "mixed");
            break;
        }
    }
    return NULL;
}

static void run(void)
{
    pthread_t threads[MAX_THREADS];
    unsigned numbers[MAX_THREADS];

    for (unsigned i = 0; i < thread_count; i++) {
        numbers[i] = i;
        REQUIRE(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
    }
    for (unsigned i = 0; i < thread_count; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        count = number_from(argv[1], SIZE_MAX);
    if (argc > 2)
        thread_count = (unsigned)number_from(argv[2], MAX_THREADS);
    if (argc > 3)
        seed = number_from(argv[3], SIZE_MAX);
    if (argc > 4 || count == 0 || thread_count == 0 || seed == 0) {
        (void)fprintf(stderr,
                      "usage: mixed [COUNT] [THREADS] [SEED]\n"
                      "each at least 1, THREADS at most %d\n",
                      MAX_THREADS);
        return 2;
    }
    scene_name_left_out();
    run();
    (void)printf("%u threads, %zu rounds each, seed %llu; %d failures\n",
                 thread_count, count, (unsigned long long)seed,
                 expect_failures());
    return expect_failures() == 0 ? 0 : 1;
}
