/*
 * nursery.c: a group of tasks that ends as a whole.
 *
 * Three fetch something; one of them fails. The group is MOAT_GROUP_FAIL_FAST:
 * the failure cancels the others, whose cleanup code runs, and the function
 * that opened the group returns when all have ended. It may pass them what lies
 * on its stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE
#define MS    1000000u

struct part {
    const char *name;
    unsigned ms;
    int fails, value;
};

static void check(moat_status status)
{
    if (status != MOAT_OK) {
        fprintf(stderr, "%s\n", moat_status_str(status));
        exit(1);
    }
}

static void put_back(const char **name)
{
    printf("%s: cleans up\n", *name);
}

static void *fetch(void *arg)
{
    struct part *part = arg;
    __attribute__((cleanup(put_back))) const char *name = part->name;

    check(moat_sleep(part->ms * MS));
    if (part->fails)
        abort();
    part->value = (int)part->ms;
    printf("%s: has it\n", name);
    return NULL;
}

static void fetch_all(struct part *parts, int count)
{
    moat_group *group;
    moat_result failure;

    check(moat_group_open(&group, MOAT_GROUP_FAIL_FAST));
    for (int i = 0; i < count; i++)
        check(moat_task_spawn(group, fetch, &parts[i], NULL, NULL));
    check(moat_group_wait(group, NEVER, &failure));
    moat_group_close(group);
    if (failure.kind == MOAT_EVENT_TRAP)
        printf("failed: %s\n", moat_trap_kind_str(failure.trap.kind));
    else
        printf("all have it\n");
}

static void *fetch_twice(void *arg)
{
    struct part parts[] = {
        {"first", 1, 0, 0}, {"second", 2, 1, 0}, {"third", 3, 0, 0}};

    fetch_all(parts, 3);
    parts[1].fails = 0;
    fetch_all(parts, 3);
    printf("sum: %d\n", parts[0].value + parts[1].value + parts[2].value);
    return arg;
}

int main(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.clock = MOAT_CLOCK_TEST; /* a wait takes no time */
    check(moat_sched_run(&options, fetch_twice, NULL, NULL));
    return 0;
}
