/*
 * test_cond.c: conditions: who is woken, and who owns the mutex afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/locks.h"

static int items;

static void *take_one(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    while (items == 0)
        EXPECT_EQ(moat_cond_wait(&cond, &mutex, NEVER), MOAT_OK);
    items--;
    note(*(const char *)arg);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return NULL;
}

static void put(int count)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    items += count;
    EXPECT_EQ(count == 1 ? moat_cond_signal(&cond) : moat_cond_broadcast(&cond),
              MOAT_OK);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
}

static void *signal_and_broadcast(void *arg)
{
    moat_task *tasks[4];

    for (size_t i = 0; i < 4; i++)
        tasks[i] = spawn(take_one, (void *)(uintptr_t) & "abcd"[i]);
    let_run();
    put(1);
    EXPECT_EQ(join(tasks[0]).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(order, "a");
    put(3);
    for (size_t i = 1; i < 4; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(items, 0);
    return arg;
}

static void a_signal_wakes_one_a_broadcast_all(const void *arg)
{
    (void)arg;
    in_a_task(signal_and_broadcast);
    EXPECT_STR(order, "abcd");
}

static void unlock_at_the_end(moat_mutex **held)
{
    /* Whether the mutex is owned is what its unlock returns. */
    EXPECT_EQ(moat_mutex_unlock(*held), MOAT_OK);
    note('u');
}

static void *wait_with_cleanup(void *arg)
{
    __attribute__((cleanup(unlock_at_the_end))) moat_mutex *held = &mutex;

    EXPECT_EQ(moat_mutex_lock(held, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, held, NEVER), MOAT_E_CANCELLED);
    note('!'); /* not reached */
    return arg;
}

static void *cancel_in_a_condition(void *arg)
{
    moat_task *task = spawn(wait_with_cleanup, NULL);

    moat_task_yield();
    /* Its cleanup code waits for the mutex. */
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    let_run();
    EXPECT_STR(order, "");
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_STR(order, "u");
    EXPECT_EQ(moat_mutex_lock(&mutex, 0), MOAT_OK);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void a_cancelled_wait_owns_the_mutex_again(const void *arg)
{
    (void)arg;
    in_a_task(cancel_in_a_condition);
}

static void *late_in_a_condition(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, &mutex, moat_now() + 1000), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, &mutex, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    /* Nobody can signal. */
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, &mutex, NEVER), MOAT_E_DEADLOCK);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void a_condition_has_deadlines(const void *arg)
{
    (void)arg;
    in_a_task(late_in_a_condition);
}

static void *wait_for_dead_owner(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, &mutex, NEVER), MOAT_E_OWNER_DIED);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void *signal_and_fault(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_signal(&cond), MOAT_OK);
    moat_task_yield();
    *nowhere = 1;
    return arg;
}

static void *owner_dies_in_a_condition(void *arg)
{
    moat_task *waiter = spawn(wait_for_dead_owner, NULL);

    moat_task_yield();
    EXPECT_EQ(join(spawn(signal_and_fault, NULL)).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(join(waiter).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void a_condition_reports_a_dead_owner(const void *arg)
{
    (void)arg;
    in_a_task(owner_dies_in_a_condition);
}

static void unlock_what_is_not_owned(moat_mutex **held)
{
    EXPECT_EQ(moat_mutex_unlock(*held), MOAT_E_STATE);
    note('n');
}

static void *wait_for_lock_and_unwind(void *arg)
{
    __attribute__((cleanup(unlock_what_is_not_owned))) moat_mutex *held =
        &mutex;

    EXPECT_EQ(moat_mutex_lock(held, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, held, NEVER), MOAT_E_CANCELLED);
    return arg;
}

/* A task that waits for its mutex after a condition is cancelled, and then gets
 * the mutex of an owner that has died: it has it, and is unwound afterwards. */
static void *own_and_be_unwound(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, &mutex, NEVER), MOAT_E_OWNER_DIED);
    note('o');
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    (void)moat_sleep(1);
    note('!'); /* not reached */
    return arg;
}

static void *cancel_before_the_owner_dies(void *arg)
{
    moat_task *waiter = spawn(own_and_be_unwound, NULL), *owner;

    moat_task_yield();
    owner = spawn(signal_and_fault, NULL);
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(waiter), MOAT_OK);
    EXPECT_EQ(join(owner).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(join(waiter).kind, MOAT_EVENT_CANCELLED);
    return arg;
}

static void a_cancelled_task_gets_a_dead_owners_mutex(const void *arg)
{
    (void)arg;
    in_a_task(cancel_before_the_owner_dies);
    EXPECT_STR(order, "o");
}

/* The members of a group end before their group does; one of them cannot, as it
 * waits for the mutex of the task that closes the group. */
static void *close_with_the_lock(void *arg)
{
    moat_group *group = NULL;

    REQUIRE(moat_group_open(&group, 0) == MOAT_OK);
    REQUIRE(moat_task_spawn(group, wait_for_lock_and_unwind, NULL, NULL,
                            NULL) == MOAT_OK);
    moat_task_yield();
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    moat_group_close(group);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static void a_group_is_closed_by_the_owner_of_its_mutex(const void *arg)
{
    (void)arg;
    in_a_task(close_with_the_lock);
    EXPECT_STR(order, "n");
}

static void *wait_until_destroyed(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, &mutex, NEVER), MOAT_E_CLOSED);
    return arg;
}

static void *destroy_both(void *arg)
{
    moat_task *first = spawn(wait_until_destroyed, NULL);
    moat_task *next = spawn(wait_until_destroyed, NULL);

    let_run();
    moat_mutex_destroy(&mutex);
    moat_cond_destroy(&cond);
    EXPECT_EQ(join(first).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(join(next).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void destroyed_under_a_wait(const void *arg)
{
    (void)arg;
    in_a_task(destroy_both);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_signal_wakes_one_a_broadcast_all),
        CHILD_CASE(a_cancelled_wait_owns_the_mutex_again),
        CHILD_CASE(a_condition_has_deadlines),
        CHILD_CASE(a_condition_reports_a_dead_owner),
        CHILD_CASE(a_cancelled_task_gets_a_dead_owners_mutex),
        CHILD_CASE(a_group_is_closed_by_the_owner_of_its_mutex),
        CHILD_CASE(destroyed_under_a_wait),
    };

    return child_cases_run("sched.cond", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
