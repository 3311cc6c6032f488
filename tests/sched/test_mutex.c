/*
 * test_mutex.c: mutexes: who owns them, how waits end, and what
 * becomes of the lock of a task that ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/locks.h"

/* ---- Mutexes ---- */

static void *lock_and_note(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    note(*(const char *)arg);
    moat_task_yield();
    note(*(const char *)arg);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return NULL;
}

static void *three_lock(void *arg)
{
    moat_task *tasks[3];

    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    for (size_t i = 0; i < 3; i++)
        tasks[i] = spawn(lock_and_note, (void *)(uintptr_t) & "abc"[i]);
    let_run();
    EXPECT_STR(order, "");
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    /* It was handed to the first who waits. */
    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_E_TIMEOUT);
    for (size_t i = 0; i < 3; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_OK);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void one_at_a_time_first_come(const void *arg)
{
    (void)arg;
    in_a_task(three_lock);
    EXPECT_STR(order, "aabbcc");
}

static void *misuse(void *arg)
{
    moat_mutex never = {NULL};

    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_E_STATE);
    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_OK);
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_E_STATE);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_E_STATE);
    EXPECT_EQ(moat_mutex_lock(NULL, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_mutex_lock(&never, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_mutex_unlock(&never), MOAT_E_INVAL);
    EXPECT_EQ(moat_mutex_init(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_cond_init(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_cond_wait(&cond, &mutex, NEVER), MOAT_E_STATE);
    EXPECT_EQ(moat_cond_wait(NULL, &mutex, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_cond_wait(&cond, &never, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_cond_signal(NULL), MOAT_E_INVAL);
    moat_mutex_destroy(&never);
    moat_mutex_destroy(NULL);
    moat_cond_destroy(NULL);
    return arg;
}

static void misuse_is_an_error(const void *arg)
{
    (void)arg;
    in_a_task(misuse);
    begin();
    /* Outside of a run. */
    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_E_STATE);
    EXPECT_EQ(moat_cond_signal(&cond), MOAT_E_STATE);
    end();
    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_E_INVAL);
}

/* ---- Owners that end ---- */

static void *fault_with_lock(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    moat_task_yield();
    *nowhere = 1;
    return arg;
}

static void *return_with_lock(void *arg)
{
    (void)arg;
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    moat_task_yield();
    return NULL;
}

static void *wait_with_lock(void *arg)
{
    (void)arg;
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    (void)moat_sleep(1000000000000);
    return NULL;
}

static void *repair(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_E_OWNER_DIED);
    note('r');
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void *lock_in_order(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    note('o');
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void *owners_end(void *arg)
{
    static const moat_task_fn owners[] = {fault_with_lock, return_with_lock,
                                          wait_with_lock};
    static const moat_event_kind kinds[] = {MOAT_EVENT_TRAP, MOAT_EVENT_RETURN,
                                            MOAT_EVENT_CANCELLED};

    for (size_t i = 0; i < 3; i++) {
        moat_task *owner = spawn(owners[i], NULL), *next, *after;

        moat_task_yield();
        next = spawn(repair, NULL);
        after = spawn(lock_in_order, NULL);
        if (i == 2) {
            let_run();
            EXPECT_EQ(moat_task_cancel(owner), MOAT_OK);
        }
        EXPECT_EQ(join(owner).kind, kinds[i]);
        EXPECT_EQ(join(next).kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(join(after).kind, MOAT_EVENT_RETURN);
        /* If no task waits, the next one that locks gets the report. */
        owner = spawn(owners[0], NULL);
        EXPECT_EQ(join(owner).kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_E_OWNER_DIED);
        EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
        EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_OK);
        EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    }
    return arg;
}

static void an_owner_that_ends_is_reported_once(const void *arg)
{
    (void)arg;
    in_a_task(owners_end);
    EXPECT_STR(order, "rororo");
}

/* A mutex that lies on the stack of a task that traps. */
static void *lock_anothers(void *arg)
{
    moat_mutex *anothers = arg;

    EXPECT_EQ(moat_mutex_lock(anothers, NEVER), MOAT_E_OWNER_DIED);
    return NULL;
}

static void *fault_with_own(void *arg)
{
    moat_mutex own;

    EXPECT_EQ(moat_mutex_init(&own), MOAT_OK);
    EXPECT_EQ(moat_mutex_lock(&own, NEVER), MOAT_OK);
    *(moat_task **)arg = spawn(lock_anothers, &own);
    moat_task_yield();
    *nowhere = 1;
    return NULL;
}

static void *many_fault_with_own(void *arg)
{
    for (int i = 0; i < 100; i++) {
        moat_task *waiter = NULL;

        EXPECT_EQ(join(spawn(fault_with_own, &waiter)).kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(join(waiter).kind, MOAT_EVENT_RETURN);
    }
    return arg;
}

static void a_mutex_on_a_lost_stack_leaves_nobody_waiting(const void *arg)
{
    (void)arg;
    in_a_task(many_fault_with_own);
}

/* ---- Waits that end otherwise ---- */

static void *wait_a_second(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, moat_now() + 1000000000), MOAT_E_TIMEOUT);
    return arg;
}

static void *wait_for_ever(void *arg)
{
    note('w');
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_E_CANCELLED);
    note('!'); /* not reached */
    return arg;
}

static void *waits_end(void *arg)
{
    moat_task *cancelled, *late;

    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_OK);
    cancelled = spawn(wait_for_ever, NULL);
    late = spawn(wait_a_second, NULL);
    EXPECT_EQ(join(late).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_task_cancel(cancelled), MOAT_OK);
    EXPECT_EQ(join(cancelled).kind, MOAT_EVENT_CANCELLED);
    /* Neither is in the queue. */
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_OK);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void a_wait_ends_by_deadline_and_cancel(const void *arg)
{
    (void)arg;
    in_a_task(waits_end);
    EXPECT_STR(order, "w");
}

/* The mutex is handed over, and then the new owner is cancelled. */
static void *handed_over(void *arg)
{
    moat_task *task;

    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_OK);
    task = spawn(return_with_lock, NULL);
    moat_task_yield();
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_E_OWNER_DIED);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void a_hand_over_to_a_cancelled_task_is_not_lost(const void *arg)
{
    (void)arg;
    in_a_task(handed_over);
}

static moat_mutex second;

static void *lock_second_first(void *arg)
{
    moat_status status;

    EXPECT_EQ(moat_mutex_lock(&second, NEVER), MOAT_OK);
    moat_task_yield();
    status = moat_mutex_lock(&mutex, NEVER);
    EXPECT_EQ(moat_mutex_unlock(&second), MOAT_OK);
    EXPECT(status == MOAT_E_DEADLOCK || status == MOAT_OK);
    return arg;
}

static void *abba(void *arg)
{
    moat_task *task;
    moat_status status;

    EXPECT_EQ(moat_mutex_init(&second), MOAT_OK);
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    task = spawn(lock_second_first, NULL);
    moat_task_yield();
    status = moat_mutex_lock(&second, NEVER);
    EXPECT_EQ(status, MOAT_E_DEADLOCK);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    moat_mutex_destroy(&second);
    return arg;
}

static void a_deadlock_is_an_error(const void *arg)
{
    (void)arg;
    in_a_task(abba);
}

static void *wait_for_closed(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_E_CLOSED);
    return arg;
}

static void *destroy_used(void *arg)
{
    moat_task *task;

    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_OK);
    task = spawn(wait_for_closed, NULL);
    moat_task_yield();
    moat_mutex_destroy(&mutex);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_E_INVAL);
    return arg;
}

static void a_destroyed_mutex_leaves_nobody_waiting(const void *arg)
{
    (void)arg;
    in_a_task(destroy_used);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(one_at_a_time_first_come),
        CHILD_CASE(misuse_is_an_error),
        CHILD_CASE(an_owner_that_ends_is_reported_once),
        CHILD_CASE(a_mutex_on_a_lost_stack_leaves_nobody_waiting),
        CHILD_CASE(a_wait_ends_by_deadline_and_cancel),
        CHILD_CASE(a_hand_over_to_a_cancelled_task_is_not_lost),
        CHILD_CASE(a_deadlock_is_an_error),
        CHILD_CASE(a_destroyed_mutex_leaves_nobody_waiting),
    };

    return child_cases_run("sched.mutex", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
