/*
 * test_group.c: groups: their members end before them, whatever happens.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/scene.h"

static int *volatile nowhere;
static unsigned ended;

static void *ends(void *arg)
{
    EXPECT_EQ(moat_sleep((uintptr_t)arg * MS), MOAT_OK);
    ended++;
    return arg;
}

static void *crashes(void *arg)
{
    (void)moat_sleep((uintptr_t)arg * MS);
    *nowhere = 1;
    return arg;
}

static void count_end(int *unused)
{
    (void)unused;
    ended++;
}

static void *waits_for_ever(void *arg)
{
    __attribute__((cleanup(count_end))) int one = 1;

    (void)one;
    (void)moat_sleep(MOAT_NO_DEADLINE);
    return arg;
}

static void start(moat_group *group, moat_task_fn fn, uintptr_t arg)
{
    EXPECT_EQ(moat_task_spawn(group, fn, (void *)arg, NULL, NULL), MOAT_OK);
}

/* ---- Wait ------------------------------------------------------------------
 */

static void *waits_for_members(void *arg)
{
    moat_group *group = group_of(0);
    moat_result failure = {.kind = MOAT_EVENT_TRAP};

    EXPECT_EQ(moat_group_wait(group, NEVER, &failure), MOAT_OK);
    EXPECT_EQ(failure.kind, MOAT_EVENT_RETURN);
    ended = 0;
    for (uintptr_t i = 1; i <= 5; i++)
        start(group, ends, i);
    EXPECT_EQ(moat_group_wait(group, 0, NULL), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_group_wait(group, moat_now() + 3 * MS, NULL),
              MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_group_wait(group, NEVER, &failure), MOAT_OK);
    EXPECT_EQ(ended, 5);
    EXPECT_EQ(failure.kind, MOAT_EVENT_RETURN);
    /* It can be used again. */
    start(group, ends, 1);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    EXPECT_EQ(ended, 6);
    moat_group_close(group);
    moat_group_close(NULL);
    return arg;
}

static void a_group_is_awaited(const void *arg)
{
    (void)arg;
    (void)run(waits_for_members);
}

/* ---- Failures ---------------------------------------------------------------
 */

static void *collects(void *arg)
{
    moat_group *group = group_of(0);
    moat_result failure;

    ended = 0;
    start(group, ends, 5);
    start(group, crashes, 2);
    start(group, crashes, 1);
    EXPECT_EQ(moat_group_wait(group, NEVER, &failure), MOAT_OK);
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(failure.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(failure.trap.kind, MOAT_TRAP_NULL);
    EXPECT_EQ(moat_now(), 5 * MS);
    moat_group_close(group);
    return arg;
}

static void *fails_fast(void *arg)
{
    moat_group *group = group_of(MOAT_GROUP_FAIL_FAST);
    moat_task *other = spawn_in(group, waits_for_ever, NULL);
    moat_result failure;

    ended = 0;
    start(group, waits_for_ever, 0);
    start(group, crashes, 1);
    EXPECT_EQ(moat_group_wait(group, NEVER, &failure), MOAT_OK);
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(failure.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(join(other).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(moat_task_spawn(group, ends, NULL, NULL, NULL), MOAT_E_CANCELLED);
    moat_group_close(group);
    return arg;
}

static void a_failure_is_kept_or_ends_the_others(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(collects).trapped, 2);
    (void)run(fails_fast);
}

/* ---- Cancel, close
 * ------------------------------------------------------------ */

static void *cancels_and_closes(void *arg)
{
    moat_group *group = group_of(0);

    ended = 0;
    for (int i = 0; i < 4; i++)
        start(group, waits_for_ever, 0);
    moat_task_yield();
    EXPECT_EQ(moat_group_cancel(group), MOAT_OK);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    EXPECT_EQ(ended, 4);
    moat_group_close(group);
    group = group_of(0);
    start(group, waits_for_ever, 0);
    moat_task_yield();
    moat_group_close(group);
    EXPECT_EQ(ended, 5);
    EXPECT_EQ(moat_group_open(NULL, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_group_open(&group, 8), MOAT_E_INVAL);
    EXPECT_EQ(moat_group_wait(NULL, NEVER, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_group_cancel(NULL), MOAT_E_INVAL);
    return arg;
}

static void a_group_is_cancelled_as_a_whole(const void *arg)
{
    (void)arg;
    (void)run(cancels_and_closes);
}

/* ---- The owner ends
 * ------------------------------------------------------------ */

static void *uses_the_owners_stack(void *arg)
{
    volatile unsigned *count = arg;

    for (;;) {
        if (moat_sleep(MS) != MOAT_OK)
            break;
        ++*count;
    }
    return NULL;
}

static void touch(unsigned **count)
{
    ++**count;
    ended++;
}

static void *touches_when_cancelled(void *arg)
{
    __attribute__((cleanup(touch))) unsigned *count = arg;

    (void)count;
    return uses_the_owners_stack(arg);
}

static void open_and_fill(unsigned *count)
{
    moat_group *outer = group_of(0), *inner = group_of(0);

    EXPECT_EQ(moat_task_spawn(outer, touches_when_cancelled, count, NULL, NULL),
              MOAT_OK);
    EXPECT_EQ(moat_task_spawn(inner, touches_when_cancelled, count, NULL, NULL),
              MOAT_OK);
    EXPECT_EQ(moat_sleep(3 * MS), MOAT_OK);
}

static void *leaves_by_return(void *arg)
{
    unsigned count = 0;

    open_and_fill(&count);
    return arg;
}

static void *leaves_by_trap(void *arg)
{
    unsigned count = 0;

    open_and_fill(&count);
    *nowhere = 1;
    return arg;
}

static void check_members(unsigned **count)
{
    (void)count;
    EXPECT_EQ(ended, 2); /* the members went first */
    ended++;
}

static void *leaves_by_cancel(void *arg)
{
    unsigned count = 0;
    __attribute__((cleanup(check_members))) unsigned *first = &count;

    (void)first;
    open_and_fill(&count);
    (void)moat_sleep(MOAT_NO_DEADLINE);
    return arg;
}

static void *owners_end(void *arg)
{
    moat_task *task;

    ended = 0;
    task = spawn(leaves_by_return, arg);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(ended, 2);
    ended = 0;
    task = spawn(leaves_by_trap, arg);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(ended, 2);
    ended = 0;
    task = spawn(leaves_by_cancel, arg);
    EXPECT_EQ(moat_sleep(10 * MS), MOAT_OK);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(ended, 3);
    return arg;
}

static void members_end_before_their_owner(const void *arg)
{
    (void)arg;
    (void)run(owners_end);
}

/* Groups in groups, deep: nothing recurses. */
static void *opens_another(void *arg)
{
    uintptr_t depth = (uintptr_t)arg;
    moat_group *group = group_of(MOAT_GROUP_FAIL_FAST);

    if (depth == 0)
        return waits_for_ever(NULL);
    start(group, opens_another, depth - 1);
    (void)moat_sleep(MOAT_NO_DEADLINE);
    return NULL;
}

static void *cancels_a_tower(void *arg)
{
    moat_task *task = spawn(opens_another, (void *)500);

    ended = 0;
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(ended, 1);
    return arg;
}

static void *opens_a_group_for_others(void *arg)
{
    moat_group **out = arg;

    *out = group_of(0);
    EXPECT_EQ(moat_sleep(5 * MS), MOAT_OK);
    return NULL;
}

static void *uses_anothers_group(void *arg)
{
    moat_group *group = NULL;
    moat_task *owner = spawn(opens_a_group_for_others, &group);

    moat_task_yield();
    REQUIRE(group != NULL);
    ended = 0;
    start(group, ends, 1);
    start(group, waits_for_ever, 0);
    moat_group_close(group); /* not the owner: no effect */
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    EXPECT_EQ(moat_now(), 5 * MS);
    EXPECT_EQ(ended, 2);
    (void)join(owner);
    return arg;
}

static void groups_lie_in_groups(const void *arg)
{
    (void)arg;
    (void)run(cancels_a_tower);
    (void)run(uses_anothers_group);
}

static void *spawns_in_its_own(void *arg)
{
    start(NULL, ends, 4);
    return arg;
}

static void *waits_for_grandchildren(void *arg)
{
    moat_group *group = group_of(0);

    ended = 0;
    start(group, spawns_in_its_own, 0);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    EXPECT_EQ(ended, 1);
    moat_group_close(group);
    return arg;
}

static void a_task_spawns_into_its_own_group(const void *arg)
{
    (void)arg;
    (void)run(waits_for_grandchildren);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_group_is_awaited),
        CHILD_CASE(a_failure_is_kept_or_ends_the_others),
        CHILD_CASE(a_group_is_cancelled_as_a_whole),
        CHILD_CASE(members_end_before_their_owner),
        CHILD_CASE(groups_lie_in_groups),
        CHILD_CASE(a_task_spawns_into_its_own_group),
    };

    return child_cases_run("sched.group", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
