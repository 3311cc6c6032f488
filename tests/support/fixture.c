/*
 * fixture.c: runs each test body in a forked child, and compares how it ended;
 * also the expectations that the child checks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fixture.h"
#include "no_port.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* clang-format off */
#include <cmocka.h>
/* clang-format on */

#define CHILD_SECONDS   300
#define MAX_STACK_BYTES ((rlim_t)8 << 20)

void (*child_prepare)(void);

static atomic_int failures;
static _Thread_local char context[160];

int expect_failures(void)
{
    return atomic_load(&failures);
}

void expect_context(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
}

static void report(const char *file, int line, const char *message)
{
    const char *name = strrchr(file, '/');

    atomic_fetch_add(&failures, 1);
    (void)dprintf(STDERR_FILENO, "%s:%d: [%s] %s\n",
                  name == NULL ? file : name + 1, line, context, message);
}

bool expect_true(bool holds, const char *what, const char *file, int line)
{
    char message[256];

    if (holds)
        return true;
    (void)snprintf(message, sizeof(message), "expected %s", what);
    report(file, line, message);
    return false;
}

bool expect_equal(uint64_t actual, uint64_t expected, const char *what,
                  const char *file, int line)
{
    char message[256];

    if (actual == expected)
        return true;
    (void)snprintf(message, sizeof(message),
                   "expected %s, but %#llx is not %#llx", what,
                   (unsigned long long)actual, (unsigned long long)expected);
    report(file, line, message);
    return false;
}

bool expect_text(const char *actual, const char *expected, const char *file,
                 int line)
{
    char message[512];

    if (actual != NULL && strcmp(actual, expected) == 0)
        return true;
    (void)snprintf(message, sizeof(message), "expected \"%s\", got \"%s\"",
                   expected, actual == NULL ? "(null)" : actual);
    report(file, line, message);
    return false;
}

void child_exit(void)
{
    _exit(expect_failures() == 0 ? 0 : CHILD_FAILED);
}

static const char *running; /* the case of this child */

void child_leave_out(const char *reason)
{
    (void)dprintf(STDOUT_FILENO, "skipped: %s: %s\n", running, reason);
    child_exit();
}

static void default_dispositions(void)
{
    struct sigaction action;
    sigset_t none;

    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    for (int signo = 1; signo < 32; signo++)
        (void)sigaction(signo, &action, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* An unlimited stack would take minutes to overflow. */
static void limit_the_stack(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_STACK, &limit);
    if (limit.rlim_cur > MAX_STACK_BYTES) {
        limit.rlim_cur = MAX_STACK_BYTES;
        (void)setrlimit(RLIMIT_STACK, &limit);
    }
}

/* Many bodies are meant to die: write no core files, and leave no orphans. */
static _Noreturn void run_body(const struct child_case *test, int transcript)
{
    const struct rlimit no_core = {0, 0};

    running = test->name;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    limit_the_stack();
    (void)dup2(transcript, STDERR_FILENO);
    (void)close(transcript);
    default_dispositions();
    if (child_prepare != NULL)
        child_prepare();
    test->body(test->arg);
    child_exit();
}

/* --- starvation ----------------------------------------------------------- */

/* Many bodies give a guest some milliseconds of real time that it needs the
 * smallest part of. On a machine that stops for longer the guest is stopped,
 * rightly, and the case fails. Such a case is run again: if the child waited
 * this long for a CPU, or a hypervisor took time from this machine. A case that
 * fails without having waited is a failure at once, and so is one that faults.
 */
#define STARVED_NS UINT64_C(10000000)
#define MAX_RUNS   3

/* Nanoseconds that the main thread of a process, which may be a zombie, was
 * runnable and did not run. 0: unknown (Documentation/scheduler/sched-stats.rst
 * of Linux). */
static uint64_t waited_for_cpu(pid_t process)
{
    unsigned long long waited = 0;
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/schedstat", (int)process);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %llu", &waited) != 1)
        waited = 0;
    (void)fclose(file);
    return waited;
}

/* Clock ticks that a hypervisor has taken from this machine (proc(5)). */
static uint64_t stolen_ticks(void)
{
    unsigned long long stolen = 0;
    FILE *file = fopen("/proc/stat", "re");

    if (file == NULL)
        return 0;
    if (fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &stolen) != 1)
        stolen = 0;
    (void)fclose(file);
    return stolen;
}

/* --- cases ---------------------------------------------------------------- */

/* How a child ended. */
struct ending {
    bool in_time; /* by itself                                               */
    int status;
    uint64_t waited_ns; /* for a CPU                                         */
    uint64_t stolen;    /* ticks of this machine                             */
};

/* Waits for the child up to the time limit. Valgrind does not support
 * pidfd_open; there, only the time limit of the test runner applies. */
static void await(pid_t child, struct ending *end)
{
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    int ready = 1;

    assert_true(fd >= 0 || errno == ENOSYS);
    if (fd >= 0) {
        struct pollfd ended = {fd, POLLIN, 0};

        ready = poll(&ended, 1, CHILD_SECONDS * 1000);
        (void)close(fd);
    }
    if (ready != 1)
        (void)kill(child, SIGKILL);
    end->waited_ns = fd >= 0 ? waited_for_cpu(child) : 0;
    assert_int_equal(waitpid(child, &end->status, 0), child);
    end->in_time = ready == 1;
}

static void print_transcript(int transcript)
{
    char text[6000];
    ssize_t length = pread(transcript, text, sizeof(text) - 1, 0);

    if (length > 0) {
        text[length] = '\0';
        print_error("%s", text);
    }
}

static bool ended_as_it_should(const struct child_case *test,
                               const struct ending *end)
{
    if (!end->in_time)
        return false;
    if (test->signo != 0)
        return WIFSIGNALED(end->status) && WTERMSIG(end->status) == test->signo;
    return WIFEXITED(end->status) &&
           WEXITSTATUS(end->status) == test->exit_status;
}

static void judge(const struct child_case *test, const struct ending *end)
{
    if (!end->in_time)
        fail_msg("%s: still running after %d s", test->name, CHILD_SECONDS);
    if (ended_as_it_should(test, end))
        return;
    if (WIFSIGNALED(end->status))
        fail_msg("%s: killed by signal %d", test->name, WTERMSIG(end->status));
    fail_msg("%s: exit status %d", test->name, WEXITSTATUS(end->status));
}

static void run_once(const struct child_case *test, struct ending *end)
{
    uint64_t stolen = stolen_ticks();
    int transcript = memfd_create("transcript", MFD_CLOEXEC);
    pid_t child;

    assert_true(transcript >= 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_body(test, transcript);
    await(child, end);
    end->stolen = stolen_ticks() - stolen;
    if (!ended_as_it_should(test, end))
        print_transcript(transcript);
    (void)close(transcript);
}

/* Nothing that comes late makes a program fault. */
static bool has_crashed(const struct ending *end)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (WIFSIGNALED(end->status) && WTERMSIG(end->status) == faults[i])
            return true;
    }
    return false;
}

static bool was_starved(const struct ending *end)
{
    return end->in_time && !has_crashed(end) &&
           (end->waited_ns >= STARVED_NS || end->stolen != 0);
}

static void run_case(void **state)
{
    const struct child_case *test = *state;
    struct ending end;

    const char *reason =
        test->skip != NULL ? test->skip : no_port_reason(test->name);

    if (reason != NULL) {
        print_message("skipped: %s: %s\n", test->name, reason);
        skip();
    }
    run_once(test, &end);
    for (int runs = 1; runs < MAX_RUNS && !ended_as_it_should(test, &end) &&
                       was_starved(&end);
         runs++) {
        print_message("repeated: %s: it waited %llu ms for a CPU, and %llu "
                      "ticks were stolen\n",
                      test->name, (unsigned long long)end.waited_ns / 1000000,
                      (unsigned long long)end.stolen);
        run_once(test, &end);
    }
    judge(test, &end);
}

int child_cases_run(const char *group, const struct child_case *cases,
                    size_t count, const char *filter)
{
    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    int failed;

    if (tests == NULL)
        return 1;
    for (size_t i = 0; i < count; i++) {
        tests[i].name = cases[i].name;
        tests[i].test_func = run_case;
        tests[i].initial_state = (void *)(uintptr_t)&cases[i];
    }
    if (filter != NULL)
        cmocka_set_test_filter(filter);
    failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    free(tests);
    return failed == 0 ? 0 : 1;
}
