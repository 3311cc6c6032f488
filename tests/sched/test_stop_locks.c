/*
 * test_stop_locks.c: a task may be stopped at any instruction of a lock's: the
 * others get every lock, and no memory is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>

#include "sched/locks.h"
#include "sched/steps.h"

/* ---- The play ---- */

static moat_rwlock lock;
static moat_semaphore permits;
static moat_wait_group all;
static moat_mutex own; /* the victim's */

static bool is_lock(moat_status status)
{
    return status == MOAT_OK || status == MOAT_E_OWNER_DIED;
}

/* Each kind of call, with and without waiting. */
static void use_all(void)
{
    (void)moat_mutex_init(&own);
    (void)!moat_mutex_lock(&own, 0);
    (void)moat_mutex_unlock(&own);
    moat_mutex_destroy(&own);
    (void)!moat_mutex_lock(&mutex, NEVER);
    (void)!moat_cond_wait(&cond, &mutex, moat_now() + 10);
    (void)!moat_cond_wait(&cond, &mutex, NEVER);
    (void)moat_mutex_unlock(&mutex);
    (void)!moat_rwlock_read_lock(&lock, NEVER);
    (void)moat_rwlock_unlock(&lock);
    (void)!moat_rwlock_write_lock(&lock, NEVER);
    (void)moat_rwlock_unlock(&lock);
    (void)!moat_semaphore_acquire(&permits, NEVER);
    (void)moat_semaphore_release(&permits);
    (void)moat_wait_group_add(&all, 1);
    (void)moat_wait_group_done(&all);
    (void)!moat_wait_group_wait(&all, moat_now() + 10);
}

static void *is_stepped(void *arg)
{
    begin_steps();
    use_all();
    end_steps();
    return arg;
}

/* Takes turns with the victim at each lock. */
static void *is_beside(void *arg)
{
    for (int i = 0; i < 4; i++) {
        EXPECT(is_lock(moat_mutex_lock(&mutex, NEVER)));
        (void)moat_sleep(1);
        EXPECT_EQ(moat_cond_signal(&cond), MOAT_OK);
        EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
        EXPECT(is_lock(moat_rwlock_read_lock(&lock, NEVER)));
        (void)moat_sleep(1);
        EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    }
    return arg;
}

static void init_all(void)
{
    begin();
    EXPECT_EQ(moat_rwlock_init(&lock), MOAT_OK);
    EXPECT_EQ(moat_semaphore_init(&permits, 1), MOAT_OK);
    EXPECT_EQ(moat_wait_group_init(&all), MOAT_OK);
}

static void destroy_all(void)
{
    moat_wait_group_destroy(&all);
    moat_semaphore_destroy(&permits);
    moat_rwlock_destroy(&lock);
    end();
}

static moat_event_kind last;

static void *plays(void *arg)
{
    moat_task *beside, *victim;

    steps = 0;
    stopped = false;
    init_all();
    beside = spawn(is_beside, NULL);
    victim = spawn(is_stepped, NULL);
    last = join(victim).kind;
    stepped = NULL;
    EXPECT_EQ(join(beside).kind, MOAT_EVENT_RETURN);
    EXPECT(is_lock(moat_mutex_lock(&mutex, 0)));
    EXPECT(is_lock(moat_rwlock_write_lock(&lock, 0)));
    moat_mutex_destroy(&own);
    destroy_all();
    return arg;
}

/* Blocks that malloc keeps for the thread count as allocated: at first they
 * increase. */
#define WARM_UP 8

static size_t allocated(void)
{
    return mallinfo2().uordblks;
}

static long runs, lost;

static void try_one(void)
{
    size_t before = allocated();

    (void)run(plays);
    EXPECT_EQ(last, stopped ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    /* Between the creation of the victim's own mutex and its answer there are
     * a few instructions. */
    lost += runs++ >= WARM_UP && allocated() > before;
}

static void a_task_may_be_stopped_at_any_instruction_of_a_lock(const void *arg)
{
    long count, stops;

    (void)arg;
    prepare_steps();
    (void)run(plays);
    EXPECT_EQ(last, MOAT_EVENT_RETURN);
    count = steps;
    EXPECT(count > 1000);
    stops = stop_everywhere(count, try_one);
    EXPECT(lost <= 1 + stops / 10);
}

int main(void)
{
    static const struct child_case cases[] = {
        {"a_task_may_be_stopped_at_any_instruction_of_a_lock",
         a_task_may_be_stopped_at_any_instruction_of_a_lock, NULL, NEEDS_STEPS,
         0, 0},
    };

    return child_cases_run("sched.stop_locks", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
