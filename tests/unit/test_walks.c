/*
 * test_walks.c: the gate that stops walks: a walk that another waits for may
 * begin while the gate is closing, none while it is closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "unwind/walks.h"

static atomic_bool end;
static atomic_uint walking, stopped;

/* ---- A stop waits for all walks, and no walk begins meanwhile ---- */

static void *walk_often(void *arg)
{
    unsigned *meetings = arg;

    while (!atomic_load(&end)) {
        moat_walk_begin();
        atomic_fetch_add(&walking, 1);
        moat_walk_begin();
        *meetings += atomic_load(&stopped);
        moat_walk_end();
        atomic_fetch_sub(&walking, 1);
        moat_walk_end();
    }
    return NULL;
}

static void no_walk_meets_a_stop(void **state)
{
    pthread_t threads[3];
    unsigned meetings[3] = {0, 0, 0}, walks = 0;

    (void)state;
    atomic_store(&end, false);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, walk_often, &meetings[i]), 0);
    for (int i = 0; i < 2000; i++) {
        moat_walks_stop();
        atomic_store(&stopped, 1);
        walks += atomic_load(&walking);
        atomic_store(&stopped, 0);
        moat_walks_go();
    }
    atomic_store(&end, true);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(meetings[i], 0);
    }
    assert_int_equal(walks, 0);
}

/* ---- A circle of waits ---- */

/* Stands for the lock of the dynamic linker's list. */
static pthread_mutex_t list = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool under_way, stopping;

/* Walks, and then waits for the list. */
static void *walk_and_list(void *arg)
{
    moat_walk_begin();
    atomic_store(&under_way, true);
    (void)pthread_mutex_lock(&list);
    (void)pthread_mutex_unlock(&list);
    moat_walk_end();
    return arg;
}

/* Waits for the walk. */
static void *stop(void *arg)
{
    atomic_store(&stopping, true);
    moat_walks_stop();
    moat_walks_go();
    return arg;
}

static void wait_for(atomic_bool *flag)
{
    while (!atomic_load(flag))
        (void)usleep(1000);
}

/* This thread has the list, and begins a walk while the gate is closing. */
static void a_walk_begins_although_a_stop_waits(void **state)
{
    pthread_t walker, stopper;

    (void)state;
    (void)alarm(120);
    (void)pthread_mutex_lock(&list);
    assert_int_equal(pthread_create(&walker, NULL, walk_and_list, NULL), 0);
    wait_for(&under_way);
    assert_int_equal(pthread_create(&stopper, NULL, stop, NULL), 0);
    wait_for(&stopping);
    (void)usleep(20000);
    moat_walk_begin();
    moat_walk_end();
    (void)pthread_mutex_unlock(&list);
    assert_int_equal(pthread_join(walker, NULL), 0);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    (void)alarm(0);
}

/* A handler in the middle of a walk forks: it must not wait for itself. */
static void a_walk_does_not_wait_for_itself(void **state)
{
    (void)state;
    (void)alarm(120);
    moat_walk_begin();
    moat_walks_stop();
    moat_walks_go();
    moat_walk_end();
    (void)alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_walk_meets_a_stop),
        cmocka_unit_test(a_walk_begins_although_a_stop_waits),
        cmocka_unit_test(a_walk_does_not_wait_for_itself),
    };

    return cmocka_run_group_tests_name("walks", tests, NULL, NULL);
}
