/*
 * test_refusals.c: each refusal of moat-sched has a sentence that names the
 * argument, its value and what is allowed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <moat/child.h>
#include <moat/gen.h>
#include <moat/io.h>
#include <moat/local.h>
#include <moat/monitor.h>
#include <moat/mutex.h>
#include <moat/offload.h>
#include <moat/rwlock.h>
#include <moat/sched.h>
#include <moat/sched_debug.h>
#include <moat/semaphore.h>
#include <moat/supervisor.h>
#include <moat/waker.h>

#include "support/fixture.h"
#include "support/refused.h"

#define NEVER MOAT_NO_DEADLINE

/* No object of moat's: its magic number is 0. */
static uint64_t no_object[64];

static void *nothing(void *arg)
{
    return arg;
}

static void no_items(moat_gen *gen, void *arg)
{
    (void)gen;
    (void)arg;
}

static void runs(const void *arg)
{
    moat_sched_options asked = MOAT_SCHED_OPTIONS_INIT;
    const moat_sched_options plain = asked;

    (void)arg;
    INVAL("fn is NULL", moat_sched_run(NULL, NULL, NULL, NULL));
    asked.struct_size = 7;
    INVAL("options->struct_size is 7|_INIT",
          moat_sched_run(&asked, nothing, NULL, NULL));
    asked = plain;
    asked.clock = (moat_clock)9;
    INVAL("options->clock is 9|moat_clock",
          moat_sched_run(&asked, nothing, NULL, NULL));
    asked = plain;
    asked.threads = 1025;
    INVAL("options->threads is 1025|at most 1024",
          moat_sched_run(&asked, nothing, NULL, NULL));
    asked = plain;
    asked.dump_signal = SIGSEGV;
    INVAL("options->dump_signal is 11|SIGQUIT|SIGUSR2",
          moat_sched_run(&asked, nothing, NULL, NULL));
    asked.dump_signal = SIGQUIT;
    asked.report_fd = -1;
    INVAL("options->report_fd is -1",
          moat_sched_run(&asked, nothing, NULL, NULL));
    asked = plain;
    asked.trace_fd = -3;
    INVAL("options->trace_fd is -3",
          moat_sched_run(&asked, nothing, NULL, NULL));
}

static void run_in_task(moat_task_fn fn)
{
    EXPECT_EQ(moat_sched_run(NULL, fn, NULL, NULL), MOAT_OK);
}

static void *tasks_in_run(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_group *group = NULL;
    moat_task *task;

    INVAL("fn is NULL", moat_task_spawn(NULL, NULL, NULL, NULL, NULL));
    INVAL("group is 0x|no group",
          moat_task_spawn((moat_group *)no_object, nothing, NULL, NULL, NULL));
    options.struct_size = 8;
    INVAL("options->struct_size is 8|its _INIT macro",
          moat_task_spawn(NULL, nothing, NULL, &options, NULL));
    INVAL("task is 0x0: no handle", moat_task_join(NULL, NEVER, NULL));
    task = moat_task_self();
    INVAL("task is 0x|the caller's own", moat_task_join(task, NEVER, NULL));
    INVAL("task is 0x0: no handle", moat_task_cancel(NULL));
    INVAL("out is NULL", moat_group_open(NULL, 0));
    INVAL("flags is 0x10|MOAT_GROUP_FAIL_FAST", moat_group_open(&group, 16));
    INVAL("group is 0x0: no group", moat_group_wait(NULL, NEVER, NULL));
    INVAL("group is 0x0: no group", moat_group_cancel(NULL));
    INVAL("fd is -2", moat_dump_tasks(-2));
    INVAL("out is NULL", moat_sched_get_stats(NULL));
    return arg;
}

static void tasks(const void *arg)
{
    (void)arg;
    run_in_task(tasks_in_run);
}

static void *channels_in_run(void *arg)
{
    moat_select_case bad = {(moat_chan *)no_object, false, NULL};
    moat_chan *chan;
    size_t chosen;

    INVAL("out is NULL", moat_chan_create(NULL, 1, 0));
    INVAL("item_bytes is 18446744073709551615, capacity 2|at most 128 TiB",
          moat_chan_create(&chan, SIZE_MAX, 2));
    REQUIRE(moat_chan_create(&chan, sizeof(int), 0) == MOAT_OK);
    INVAL("chan is 0x0: no channel", moat_chan_send(NULL, &chosen, NEVER));
    INVAL("item is NULL", moat_chan_send(chan, NULL, NEVER));
    INVAL("chan is 0x0: no channel", moat_chan_recv(NULL, NULL, NEVER));
    INVAL("cases is NULL", moat_select(NULL, 1, NEVER, &chosen));
    INVAL("count is 0: it must be 1 to 65536",
          moat_select(&bad, 0, NEVER, &chosen));
    INVAL("cases: a chan is no channel", moat_select(&bad, 1, NEVER, &chosen));
    moat_chan_destroy(chan);
    return arg;
}

static void channels(const void *arg)
{
    (void)arg;
    run_in_task(channels_in_run);
}

static void *locks_in_run(void *arg)
{
    moat_mutex mutex = {NULL};
    moat_cond cond = {NULL};
    moat_rwlock lock = {NULL};
    moat_semaphore semaphore = {NULL};
    moat_wait_group group = {NULL};

    INVAL("mutex is NULL", moat_mutex_init(NULL));
    INVAL("mutex is NULL", moat_mutex_lock(NULL, NEVER));
    INVAL("at 0x0 is not initialised", moat_mutex_lock(&mutex, NEVER));
    INVAL("mutex is NULL", moat_mutex_unlock(NULL));
    INVAL("at 0x0 is not initialised", moat_mutex_unlock(&mutex));
    INVAL("cond is NULL", moat_cond_init(NULL));
    INVAL("at 0x0 is not initialised", moat_cond_signal(&cond));
    INVAL("at 0x0 is not initialised", moat_cond_broadcast(&cond));
    INVAL("lock is NULL", moat_rwlock_init(NULL));
    INVAL("at 0x0 is not initialised", moat_rwlock_read_lock(&lock, NEVER));
    INVAL("at 0x0 is not initialised", moat_rwlock_write_lock(&lock, NEVER));
    INVAL("at 0x0 is not initialised", moat_rwlock_unlock(&lock));
    INVAL("semaphore is NULL", moat_semaphore_init(NULL, 1));
    INVAL("at 0x0 is not initialised",
          moat_semaphore_acquire(&semaphore, NEVER));
    INVAL("at 0x0 is not initialised", moat_semaphore_release(&semaphore));
    INVAL("group is NULL", moat_wait_group_init(NULL));
    INVAL("at 0x0 is not initialised", moat_wait_group_add(&group, 1));
    REQUIRE(moat_wait_group_init(&group) == MOAT_OK);
    REQUIRE(moat_wait_group_add(&group, 1) == MOAT_OK);
    INVAL("count is 18446744073709551615: too many",
          moat_wait_group_add(&group, SIZE_MAX));
    moat_wait_group_destroy(&group);
    return arg;
}

static void locks(const void *arg)
{
    (void)arg;
    run_in_task(locks_in_run);
}

static void *descriptors_in_run(void *arg)
{
    int bad[] = {SIGUSR1, 1000}, caught, ended;

    INVAL("fd is -1: no open descriptor",
          moat_fd_wait(-1, MOAT_FD_READ, NEVER));
    INVAL("events is 8|MOAT_FD_READ", moat_fd_wait(0, 8, NEVER));
    INVAL("pid is 0: it must be above 0", moat_child_wait(0, NEVER, &ended));
    INVAL("signals is NULL", moat_signal_wait(NULL, 1, NEVER, &caught));
    INVAL("count is 0", moat_signal_wait(bad, 0, NEVER, &caught));
    INVAL("signals[1] is 1000: no signal",
          moat_signal_wait(bad, 2, NEVER, &caught));
    INVAL("out is NULL", moat_waker_create(NULL));
    INVAL("waker is 0x0: no waker", moat_waker_wait(NULL, NEVER));
    return arg;
}

static void descriptors(const void *arg)
{
    (void)arg;
    run_in_task(descriptors_in_run);
}

static void *supervisors_in_run(void *arg)
{
    moat_supervisor_options options = MOAT_SUPERVISOR_OPTIONS_INIT;
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;
    moat_supervisor *supervisor;

    INVAL("out is NULL", moat_supervisor_create(NULL, NULL));
    options.jitter_percent = 101;
    INVAL("options->jitter_percent is 101|at most 100",
          moat_supervisor_create(&supervisor, &options));
    options.jitter_percent = 0;
    options.intensity = UINT32_MAX;
    INVAL("options->intensity is 4294967295|at most",
          moat_supervisor_create(&supervisor, &options));
    REQUIRE(moat_supervisor_create(&supervisor, NULL) == MOAT_OK);
    INVAL("spec->fn is NULL", moat_supervisor_add(supervisor, &spec, NULL));
    spec.fn = nothing;
    spec.restart = (moat_restart)7;
    INVAL("spec->restart is 7", moat_supervisor_add(supervisor, &spec, NULL));
    spec.restart = MOAT_RESTART_PERMANENT;
    spec.flags = 0x80;
    INVAL("spec->flags has 0x80", moat_supervisor_add(supervisor, &spec, NULL));
    INVAL("supervisor is 0x0: no supervisor", moat_supervisor_run(NULL));
    INVAL("supervisor is 0x0: no supervisor", moat_supervisor_stop(NULL));
    INVAL("id is 5: no child",
          moat_supervisor_stop_child(supervisor, 5, NEVER));
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void supervisors(const void *arg)
{
    (void)arg;
    run_in_task(supervisors_in_run);
}

static void generators(const void *arg)
{
    moat_gen *gen;

    (void)arg;
    INVAL("out is NULL", moat_gen_create(NULL, no_items, NULL, NULL));
    INVAL("body is NULL", moat_gen_create(&gen, NULL, NULL, NULL));
    INVAL("spec is NULL", moat_gen_create_from(&gen, NULL, no_items, NULL));
    INVAL("gen is NULL", moat_gen_status(NULL));
    INVAL("gen is NULL", moat_gen_cancel(NULL));
}

static void others(const void *arg)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    const moat_local never_made = {3, 1};
    moat_monitor *monitor;
    moat_local key;

    (void)arg;
    INVAL("out is NULL", moat_local_create(NULL, NULL));
    INVAL("key is 3: it was deleted", moat_local_delete(never_made));
    INVAL("key is 3: it was deleted", moat_local_set(never_made, NULL));
    while (moat_local_create(&key, NULL) == MOAT_OK)
        continue;
    REFUSED("all 1024 keys are taken", MOAT_E_FULL,
            moat_local_create(&key, NULL));
    INVAL("out is NULL", moat_monitor_create(NULL));
    INVAL("monitor is 0x0: no monitor", moat_monitor_stats(NULL, 0, &stats));
    REQUIRE(moat_monitor_create(&monitor) == MOAT_OK);
    INVAL("out is NULL", moat_monitor_stats(monitor, 0, NULL));
    INVAL("thread is 4: the run has", moat_monitor_stats(monitor, 4, &stats));
    INVAL("fd is -1", moat_monitor_dump(monitor, -1, false));
    moat_monitor_destroy(monitor);
}

static const struct child_case cases[] = {
    CHILD_CASE(runs),       CHILD_CASE(tasks),       CHILD_CASE(channels),
    CHILD_CASE(locks),      CHILD_CASE(descriptors), CHILD_CASE(supervisors),
    CHILD_CASE(generators), CHILD_CASE(others),
};

int main(void)
{
    return child_cases_run("refusals of moat-sched have sentences", cases,
                           sizeof cases / sizeof *cases, NULL);
}
