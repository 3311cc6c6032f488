/*
 * test_traps.c: every crime of the table: from the host, three coroutines deep
 * and on a second thread, each with the default and with an unusual
 * floating-point mode.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>

#include "../support/cpu_state.h"
#include "../support/fixture.h"
#include "scene.h"

/* Flush to zero, denormals are zero, round up, and the sticky inexact flag. */
#define MXCSR_UNUSUAL 0xdfe0u
/* Round down. */
#define FCW_UNUSUAL 0x077fu

/* The number of coroutines still to be entered, and the crime to commit in the
 * last. */
struct nest {
    const struct crime *crime;
    const char *place;
    int depth;
};

static void *nested(moat_co *self, void *input);

static void enter(const struct nest *nest)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    struct nest inner = *nest;
    moat_co *co = NULL;

    inner.depth--;
    REQUIRE(moat_co_create(&co, nested, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, &inner, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, &inner);
    moat_co_destroy(co);
}

static void *nested(moat_co *self, void *input)
{
    const struct nest *nest = input;

    if (nest->depth > 0)
        enter(nest);
    else
        scene_play(nest->crime, nest->place);
    EXPECT_EQ(moat_co_current(), self);
    return input;
}

static void play_in_both_modes(const struct crime *crime, const char *normal,
                               const char *unusual, int depth)
{
    struct nest first = {crime, normal, depth};
    struct nest second = {crime, unusual, depth};

    cpu_set_fp_mode(CPU_MXCSR_DEFAULT, CPU_FCW_DEFAULT);
    if (depth == 0)
        scene_play(crime, normal);
    else
        enter(&first);
    cpu_set_fp_mode(MXCSR_UNUSUAL, FCW_UNUSUAL);
    if (depth == 0)
        scene_play(crime, unusual);
    else
        enter(&second);
    cpu_set_fp_mode(CPU_MXCSR_DEFAULT, CPU_FCW_DEFAULT);
}

static void *on_second_thread(void *arg)
{
    play_in_both_modes(arg, "second thread", "second thread, odd FP mode", 0);
    play_in_both_modes(arg, "second thread, nested",
                       "second thread, nested, odd FP mode", 2);
    return NULL;
}

static void crime_is_reported_and_the_host_is_intact(const void *arg)
{
    const struct crime *crime = arg;
    pthread_t thread;

    (void)scene_init_engine((crime->flags & CRIME_AUTODISARM) != 0);
    play_in_both_modes(arg, "host", "host, odd FP mode", 0);
    play_in_both_modes(arg, "nested", "nested, odd FP mode", 2);
    REQUIRE(pthread_create(&thread, NULL, on_second_thread,
                           (void *)(uintptr_t)arg) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
    struct child_case *cases = calloc(crime_count, sizeof(*cases));
    int failed;

    if (cases == NULL)
        return 1;
    for (size_t i = 0; i < crime_count; i++) {
        cases[i].name = crimes[i].name;
        cases[i].body = crime_is_reported_and_the_host_is_intact;
        cases[i].arg = &crimes[i];
        cases[i].skip = scene_cannot_be_played(&crimes[i]);
    }
    failed = child_cases_run("every fault is reported and the host is intact",
                             cases, crime_count, argc > 1 ? argv[1] : NULL);
    free(cases);
    return failed;
}
