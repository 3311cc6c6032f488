/*
 * test_offload.c: calls on other threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/scene.h"

static void run_real(moat_task_fn fn)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    moat_sched_stats stats = run_with(MOAT_CLOCK_REAL, fn, NULL, &result);

    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.deadlocks, 0);
}

/* ---- Results --------------------------------------------------------------
 */

static pthread_t home;

static void *adds_one(void *arg)
{
    EXPECT(!pthread_equal(pthread_self(), home));
    EXPECT(moat_task_self() == NULL);
    return (void *)((uintptr_t)arg + 1);
}

static void *offloads_often(void *arg)
{
    for (uintptr_t i = 0; i < 100; i++) {
        void *result = NULL;

        EXPECT_EQ(moat_offload(adds_one, (void *)(i + 1), &result), MOAT_OK);
        EXPECT_EQ(result, i + 2);
        EXPECT_EQ(moat_offload_until(adds_one, (void *)i, NULL, NEVER, NULL),
                  MOAT_OK);
    }
    return arg;
}

static void *all_offload(void *arg)
{
    moat_task *tasks[40];

    home = pthread_self();
    for (int i = 0; i < 40; i++)
        tasks[i] = spawn(offloads_often, NULL);
    for (int i = 0; i < 40; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void *sets_on_a_stack(void *arg)
{
    *(int *)arg = 7;
    return NULL;
}

static void *makes_mistakes(void *arg)
{
    int local = 0;

    EXPECT_EQ(moat_offload(NULL, NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_offload_until(NULL, NULL, NULL, NEVER, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_offload_until(sets_on_a_stack, &local, NULL, NEVER, NULL),
              MOAT_E_INVAL);
    EXPECT_EQ(moat_offload(sets_on_a_stack, &local, NULL), MOAT_OK);
    EXPECT_EQ(local, 7);
    return arg;
}

static void a_task_gets_the_result(const void *arg)
{
    (void)arg;
    EXPECT_EQ(moat_offload(adds_one, NULL, NULL), MOAT_E_STATE);
    EXPECT_EQ(moat_offload_until(adds_one, NULL, NULL, NEVER, NULL),
              MOAT_E_STATE);
    run_real(all_offload);
    run_real(makes_mistakes);
}

/* ---- Others go on; a task may leave ----------------------------------------
 */

static sem_t may_go;
static atomic_int begun, left, ended;

static void *waits_to_go(void *arg)
{
    atomic_fetch_add(&begun, 1);
    while (sem_wait(&may_go) != 0)
        ;
    atomic_fetch_add(&ended, 1);
    return arg;
}

static void note_left(void *arg, void *result)
{
    EXPECT(result == arg || result == NULL);
    free(arg);
    atomic_fetch_add(&left, 1);
}

static void *offloads_for_ever(void *arg)
{
    (void)!moat_offload(waits_to_go, NULL, NULL);
    EXPECT(false);
    return arg;
}

static void *offloads_memory(void *arg)
{
    (void)!moat_offload_until(waits_to_go, malloc(100), note_left, NEVER, NULL);
    EXPECT(false);
    return arg;
}

static void *offloads_its_stack(void *arg)
{
    int local;

    EXPECT_EQ(moat_offload(waits_to_go, &local, NULL), MOAT_OK);
    moat_task_yield(); /* here it is unwound */
    EXPECT(false);
    return arg;
}

static void wait_for(const atomic_int *count, int value)
{
    while (atomic_load(count) < value)
        (void)moat_sleep(MS / 10);
}

static void *leaves_jobs(void *arg)
{
    void *result = NULL;
    moat_task *task;

    EXPECT_EQ(moat_offload_until(waits_to_go, malloc(100), note_left,
                                 moat_now() + MS, &result),
              MOAT_E_TIMEOUT);
    EXPECT(result == NULL);
    EXPECT_EQ(moat_offload_until(waits_to_go, malloc(100), note_left, 0, NULL),
              MOAT_E_TIMEOUT);
    EXPECT_EQ(atomic_load(&left), 1); /* it has not begun */
    task = spawn(offloads_for_ever, NULL);
    wait_for(&begun, 2);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    task = spawn(offloads_memory, NULL);
    wait_for(&begun, 3);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(atomic_load(&ended), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(sem_post(&may_go), 0);
    wait_for(&left, 3);
    /* The call waits for a job whose argument is on a stack. */
    task = spawn(offloads_its_stack, NULL);
    wait_for(&begun, 4);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(moat_task_join(task, moat_now() + MS, NULL), MOAT_E_TIMEOUT);
    EXPECT_EQ(sem_post(&may_go), 0);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(atomic_load(&ended), 4);
    return arg;
}

/* More than the pool has threads for: they wait in line. */
static void *fills_the_pool(void *arg)
{
    moat_task *tasks[40];

    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    for (int i = 0; i < 40; i++)
        tasks[i] =
            spawn(i % 2 == 0 ? offloads_for_ever : offloads_memory, NULL);
    wait_for(&begun, 16);
    (void)moat_sleep(MS);
    EXPECT_EQ(atomic_load(&begun), 16);
    for (int i = 0; i < 40; i++)
        EXPECT_EQ(moat_task_cancel(tasks[i]), MOAT_OK);
    for (int i = 0; i < 40; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_CANCELLED);
    return arg;
}

/* The run ends before its jobs. */
static void a_task_may_leave(const void *arg)
{
    (void)arg;
    REQUIRE(sem_init(&may_go, 0, 0) == 0);
    run_real(leaves_jobs);
    run_real(fills_the_pool);
    for (int i = 0; i < 40; i++)
        EXPECT_EQ(sem_post(&may_go), 0);
    while (atomic_load(&ended) < 40 || atomic_load(&left) < 3 + 20)
        (void)usleep(100);
}

/* ---- After a fork
 * ------------------------------------------------------------- */

static void *offloads_once(void *arg)
{
    EXPECT_EQ(moat_offload(adds_one, NULL, NULL), MOAT_OK);
    return arg;
}

static void a_child_has_threads_of_its_own(const void *arg)
{
    int status = -1;
    pid_t child;

    (void)arg;
    run_real(offloads_once);
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        run_real(offloads_once);
        child_exit();
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_task_gets_the_result),
        CHILD_CASE(a_task_may_leave),
        {"a_child_has_threads_of_its_own", a_child_has_threads_of_its_own, NULL,
         UNDER_TSAN ? "it ends children that have threads" : NULL, 0, 0},
    };

    return child_cases_run("sched.offload", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
