/*
 * sched_stacks.c: how much stack each function of moat-sched needs in a task,
 * next to what docs/memory.md says. "list" prints the latter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "sched_calls.h"

#include "../support/fixture.h"
#include "../support/small_stack.h"

#define KIB ((size_t)1 << 10)

/* Of a sanitizer's frames. */
#define MORE (UNDER_ASAN || UNDER_TSAN ? 8 * KIB : 0)

static const struct sched_call *call;
static struct things things;
static size_t used;

/* These begin a run. */
static bool is_for_the_host(void)
{
    static const char *const names[] = {"moat_sched_run", "moat_sched_open",
                                        "moat_sched_spawn", "moat_sched_round",
                                        "moat_sched_close"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(call->name, names[i]) == 0)
            return true;
    return false;
}

static void make_call(void)
{
    (void)call->make(&things);
}

static void *measure_in_task(void *arg)
{
    moat_stack_info info;
    size_t end;

    sched_things_make(&things);
    EXPECT_EQ(moat_monitor_create(&things.monitor), MOAT_E_STATE);
    things.monitor = arg;
    EXPECT_EQ(moat_stack_bounds(&info), MOAT_OK);
    end = small_stack_fill(info.limit);
    make_call();
    used = end - small_stack_lowest(info.limit, end);
    return NULL;
}

static void measure(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_monitor *monitor = NULL;

    call = arg;
    options.clock = MOAT_CLOCK_TEST;
    options.report_fd = -1;
    REQUIRE(moat_monitor_create(&monitor) == MOAT_OK);
    options.monitor = monitor;
    if (is_for_the_host())
        used = small_stack_run(SMALL_STACK_MAX, NULL, make_call, NULL);
    else
        EXPECT_EQ(moat_sched_run(&options, measure_in_task, monitor, NULL),
                  MOAT_OK);
    printf("%6zu bytes: %s\n", used, call->name);
    (void)fflush(stdout);
    EXPECT(used <= call->kib * KIB + MORE);
}

int main(int argc, char **argv)
{
    static struct child_case cases[100];

    REQUIRE(sched_call_count <= sizeof cases / sizeof cases[0]);
    for (size_t i = 0; i < sched_call_count; i++) {
        cases[i] = (struct child_case){.name = sched_calls[i].name,
                                       .body = measure,
                                       .arg = &sched_calls[i]};
        if (argc > 1 && strcmp(argv[1], "list") == 0)
            printf("%s %zu\n", sched_calls[i].name, sched_calls[i].kib);
    }
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return 0;
    return child_cases_run("what calls in a task need of the stack", cases,
                           sched_call_count, argc > 1 ? argv[1] : NULL);
}
