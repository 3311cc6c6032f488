/*
 * test_child.c: the ends of child processes, and signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "sched/sockets.h"

extern char **environ;

static void run_real(moat_task_fn fn)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    int before = open_descriptors();
    moat_sched_stats stats = run_with(MOAT_CLOCK_REAL, fn, NULL, &result);

    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.deadlocks, 0);
    expect_descriptors(before);
}

/* ---- Children ----------------------------------------------------------- */

/* `out`: its standard output; -1: ours. */
static pid_t start(const char *script, int out)
{
    char shell[] = "sh", option[] = "-c", text[100];
    char *arguments[] = {shell, option, text, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;

    (void)snprintf(text, sizeof text, "%s", script);
    REQUIRE(posix_spawn_file_actions_init(&actions) == 0);
    if (out >= 0)
        REQUIRE(posix_spawn_file_actions_adddup2(&actions, out, 1) == 0);
    REQUIRE(posix_spawnp(&pid, "sh", &actions, NULL, arguments, environ) == 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void *waits_for_child(void *arg)
{
    int status = -1;

    EXPECT_EQ(moat_child_wait((pid_t)(intptr_t)arg, NEVER, &status), MOAT_OK);
    EXPECT(WIFEXITED(status));
    return (void *)(intptr_t)WEXITSTATUS(status);
}

static void *has_children(void *arg)
{
    moat_task *tasks[5];
    char script[32];

    for (int i = 0; i < 5; i++) {
        (void)snprintf(script, sizeof script, "exit %d", i);
        tasks[i] = spawn(waits_for_child, (void *)(intptr_t)start(script, -1));
    }
    for (int i = 0; i < 5; i++)
        EXPECT_EQ((intptr_t)join(tasks[i]).value, i);
    return arg;
}

/* Its output, and its end. */
static void *reads_from_a_child(void *arg)
{
    char text[16];
    int fds[2], status = -1;
    pid_t pid;

    REQUIRE(pipe(fds) == 0);
    pid = start("echo hello", fds[1]);
    EXPECT_EQ(moat_close(fds[1]), 0);
    EXPECT_EQ(moat_read(fds[0], text, sizeof text, NEVER), 6);
    EXPECT(memcmp(text, "hello\n", 6) == 0);
    EXPECT_EQ(moat_read(fds[0], text, sizeof text, NEVER), 0);
    EXPECT_EQ(moat_close(fds[0]), 0);
    EXPECT_EQ(moat_child_wait(pid, NEVER, &status), MOAT_OK);
    EXPECT_EQ(status, 0);
    return arg;
}

static void *waits_in_vain(void *arg)
{
    (void)!moat_child_wait((pid_t)(intptr_t)arg, NEVER, NULL);
    EXPECT(false);
    return arg;
}

static void *ends_children(void *arg)
{
    pid_t pid = start("exec sleep 100000", -1);
    moat_task *task;
    int status = -1;

    EXPECT_EQ(moat_child_wait(pid, 0, &status), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_child_wait(pid, moat_now() + MS, &status), MOAT_E_TIMEOUT);
    EXPECT_EQ(status, -1);
    task = spawn(waits_in_vain, (void *)(intptr_t)pid);
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(kill(pid, SIGKILL), 0);
    EXPECT_EQ(moat_child_wait(pid, NEVER, &status), MOAT_OK);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    errno = 0;
    EXPECT_EQ(moat_child_wait(pid, NEVER, &status), MOAT_E_SYSTEM);
    EXPECT_EQ(errno, ECHILD);
    EXPECT_EQ(moat_child_wait(0, NEVER, NULL), MOAT_E_INVAL);
    return arg;
}

static void children_end(const void *arg)
{
    (void)arg;
    EXPECT_EQ(moat_child_wait(1, NEVER, NULL), MOAT_E_STATE);
    run_real(has_children);
    run_real(reads_from_a_child);
    run_real(ends_children);
}

/* ---- Signals ------------------------------------------------------------ */

static sigset_t set_of(int first, int second)
{
    sigset_t set;

    REQUIRE(sigemptyset(&set) == 0);
    REQUIRE(sigaddset(&set, first) == 0);
    REQUIRE(sigaddset(&set, second) == 0);
    return set;
}

static void *waits_for_signal(void *arg)
{
    int signals[] = {(int)(intptr_t)arg}, number = 0;

    EXPECT_EQ(moat_signal_wait(signals, 1, NEVER, &number), MOAT_OK);
    EXPECT_EQ(number, (intptr_t)arg);
    return arg;
}

static void *gets_signals(void *arg)
{
    const int signals[] = {SIGUSR1, SIGUSR2};
    const int bad[] = {SIGUSR1, 1000};
    moat_task *tasks[2];
    int number = 0;

    EXPECT_EQ(moat_signal_wait(signals, 2, 0, &number), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_signal_wait(signals, 2, moat_now() + MS, &number),
              MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_signal_wait(NULL, 1, 0, &number), MOAT_E_INVAL);
    EXPECT_EQ(moat_signal_wait(signals, 0, 0, &number), MOAT_E_INVAL);
    EXPECT_EQ(moat_signal_wait(bad, 2, 0, &number), MOAT_E_INVAL);
    EXPECT_EQ(kill(getpid(), SIGUSR2), 0); /* pending */
    EXPECT_EQ(moat_signal_wait(signals, 2, 0, &number), MOAT_OK);
    EXPECT_EQ(number, SIGUSR2);
    for (int round = 0; round < 3; round++) {
        tasks[0] = spawn(waits_for_signal, (void *)(intptr_t)SIGUSR1);
        tasks[1] = spawn(waits_for_signal, (void *)(intptr_t)SIGUSR2);
        (void)moat_sleep(MS);
        EXPECT_EQ(kill(getpid(), SIGUSR2), 0);
        EXPECT_EQ(join(tasks[1]).kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(kill(getpid(), SIGUSR1), 0);
        EXPECT_EQ(join(tasks[0]).kind, MOAT_EVENT_RETURN);
    }
    tasks[0] = spawn(waits_for_signal, (void *)(intptr_t)SIGUSR1);
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(tasks[0]), MOAT_OK);
    EXPECT_EQ(join(tasks[0]).kind, MOAT_EVENT_CANCELLED);
    return arg;
}

static void signals_come(const void *arg)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR2);

    (void)arg;
    EXPECT_EQ(moat_signal_wait((const int[]){SIGUSR1}, 1, 0, NULL),
              MOAT_E_STATE);
    REQUIRE(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    run_real(gets_signals);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(children_end),
        CHILD_CASE(signals_come),
    };

    return child_cases_run("sched.child", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
