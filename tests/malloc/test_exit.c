/*
 * test_exit.c: calls of a guest that would end or change the host. Each traps,
 * and the host goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <aio.h>
#include <argp.h>
#include <dlfcn.h>
#include <err.h>
#include <error.h>
#include <obstack.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include <moat/malloc.h>
#include <moat/moat.h>

#include "support/fixture.h"

/* assert calls this function. */
_Noreturn void __assert_fail(const char *text, const char *file, unsigned line,
                             const char *function);
_Noreturn void __assert_perror_fail(int number, const char *file, unsigned line,
                                    const char *function);

static jmp_buf outside;
static sigjmp_buf signal_outside;
static char name_of_program[] = "true";
static char *const no_args[] = {name_of_program, NULL};

#define CLONE_BYTES 16384
static char clone_stack[CLONE_BYTES] __attribute__((aligned(64)));

static void *do_nothing(void *arg)
{
    return arg;
}

static int do_nothing_either(void *arg)
{
    return arg != NULL;
}

/* ---- Command lines ---- */

/* An argument that is the name of one of argp's functions calls it. */
static error_t parse_key(int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_INIT)
        state->out_stream = stderr;
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (strcmp(arg, "error") == 0)
        argp_error(state, "%s", arg);
    else if (strcmp(arg, "usage") == 0)
        argp_usage(state);
    else if (strcmp(arg, "failure") == 0)
        argp_failure(state, 12, 2, "%s", arg);
    else if (strcmp(arg, "invalid") == 0)
        return EINVAL;
    else if (strcmp(arg, "unknown") == 0)
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static error_t parse_with(const char *text, unsigned flags)
{
    static const struct argp argp = {NULL, parse_key, "WORD", "A test.",
                                     NULL, NULL,      NULL};
    static char program[] = "test";
    char word[20];
    char *args[] = {program, word, NULL};

    argp_program_version = "test 1";
    (void)strcpy(word, text);
    return argp_parse(&argp, 2, args, flags, NULL, NULL);
}

static error_t parse(const char *text)
{
    return parse_with(text, 0);
}

static void *take_nothing(long bytes)
{
    (void)bytes;
    return NULL;
}

static void give_nothing(void *pointer)
{
    (void)pointer;
}

/* ---- The crimes ---- */

#define CRIME(name, statement)                    \
    static void *name(moat_co *self, void *input) \
    {                                             \
        (void)self;                               \
        statement;                                \
        return input;                             \
    }

CRIME(call_exit, exit(3))
CRIME(call__exit, _exit(4))
CRIME(call__Exit, _Exit(5))
CRIME(call_quick_exit, quick_exit(6))
CRIME(call_pthread_exit, pthread_exit(NULL))
CRIME(call_thrd_exit, thrd_exit(0))
CRIME(cancel_itself, (void)pthread_cancel(pthread_self()))
CRIME(call_abort, abort())
CRIME(fail_assertion, __assert_fail("text", "file", 1, "function"))
CRIME(call_errx, errx(7, "%s", "text"))
CRIME(call_err, err(8, "%s", "text"))
CRIME(call_error, error(9, 2, "%s", "text"))
CRIME(fail_number, __assert_perror_fail(2, "file", 1, "function"))
CRIME(parse_help, (void)parse("--help"))
CRIME(parse_usage, (void)parse("--usage"))
CRIME(parse_version, (void)parse("--version"))
CRIME(parse_option, (void)parse("--strange"))
CRIME(parse_excess, (void)parse("unknown"))
CRIME(parse_error, (void)parse("error"))
CRIME(parse_failure, (void)parse("failure"))
CRIME(parse_misuse, (void)parse("usage"))
CRIME(call_argp_error, argp_error(NULL, "%s", "text"))
CRIME(call_argp_failure, argp_failure(NULL, 13, 2, "%s", "text"))
CRIME(exhaust_obstack, (void)_obstack_begin(&(struct obstack){0}, 0, 0,
                                            take_nothing, give_nothing))
CRIME(raise_term, (void)raise(SIGTERM))
CRIME(raise_kill, (void)raise(SIGKILL))
CRIME(raise_stop, (void)raise(SIGSTOP))
CRIME(raise_abort, (void)raise(SIGABRT))
CRIME(raise_segv, (void)raise(SIGSEGV))
CRIME(kill_itself, (void)kill(getpid(), SIGINT))
CRIME(kill_group, (void)kill(0, SIGHUP))
CRIME(kill_all, (void)kill(-1, SIGHUP))
CRIME(kill_by_group, (void)killpg(0, SIGUSR1))
CRIME(kill_thread, (void)pthread_kill(pthread_self(), SIGUSR2))
CRIME(kill_task, (void)tgkill(getpid(), gettid(), SIGQUIT))
CRIME(queue_signal, (void)sigqueue(getpid(), SIGTERM, (union sigval){0}))
CRIME(set_alarm, (void)alarm(1))
CRIME(set_timer,
      (void)setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 1}}, NULL))
CRIME(jump_out, longjmp(outside, 10))
CRIME(sigjump_out, siglongjmp(signal_outside, 11))
CRIME(call_fork, (void)!fork())
CRIME(call__Fork, (void)!_Fork())
CRIME(call_vfork, (void)!vfork())
CRIME(call_clone,
      (void)clone(do_nothing_either, clone_stack + CLONE_BYTES, SIGCHLD, NULL))
CRIME(clone_thread, (void)clone(do_nothing_either, clone_stack + CLONE_BYTES,
                                CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, NULL))
CRIME(call_daemon, (void)!daemon(1, 1))
CRIME(call_execve, (void)execve("/bin/true", no_args, environ))
CRIME(call_execvp, (void)execvp("true", no_args))
CRIME(call_execl, (void)execl("/bin/true", "true", (char *)NULL))
CRIME(call_execle, (void)execle("/bin/true", "true", (char *)NULL, environ))
CRIME(create_thread,
      (void)pthread_create(&(pthread_t){0}, NULL, do_nothing, NULL))
CRIME(read_meanwhile, (void)aio_read(&(struct aiocb){.aio_nbytes = 1}))
CRIME(create_c_thread, (void)thrd_create(&(thrd_t){0}, do_nothing_either, NULL))

static const struct {
    const char *name;
    moat_entry crime;
    moat_trap_kind kind;
    int code;
} crimes[] = {
#define ENTRY(name, kind, code)             \
    {                                       \
#        name, name, MOAT_TRAP_##kind, code \
    }
    ENTRY(call_exit, EXIT, 3),
    ENTRY(call__exit, EXIT, 4),
    ENTRY(call__Exit, EXIT, 5),
    ENTRY(call_quick_exit, EXIT, 6),
    ENTRY(call_pthread_exit, THREAD_EXIT, 0),
    ENTRY(call_thrd_exit, THREAD_EXIT, 0),
    ENTRY(cancel_itself, THREAD_EXIT, 0),
    ENTRY(call_abort, ABORT, 0),
    ENTRY(fail_assertion, ABORT, 0),
    ENTRY(call_errx, EXIT, 7),
    ENTRY(call_err, EXIT, 8),
    ENTRY(call_error, EXIT, 9),
    ENTRY(fail_number, ABORT, 0),
    ENTRY(parse_help, EXIT, 0),
    ENTRY(parse_usage, EXIT, 0),
    ENTRY(parse_version, EXIT, 0),
    ENTRY(parse_option, EXIT, 64),
    ENTRY(parse_excess, EXIT, 64),
    ENTRY(parse_error, EXIT, 64),
    ENTRY(parse_failure, EXIT, 12),
    ENTRY(parse_misuse, EXIT, 64),
    ENTRY(call_argp_error, EXIT, 64),
    ENTRY(call_argp_failure, EXIT, 13),
    ENTRY(exhaust_obstack, EXIT, 1),
    ENTRY(raise_term, SIGNAL, SIGTERM),
    ENTRY(raise_kill, SIGNAL, SIGKILL),
    ENTRY(raise_stop, SIGNAL, SIGSTOP),
    ENTRY(raise_abort, ABORT, 0),
    ENTRY(raise_segv, SIGNAL, SIGSEGV),
    ENTRY(kill_itself, SIGNAL, SIGINT),
    ENTRY(kill_group, SIGNAL, SIGHUP),
    ENTRY(kill_all, SIGNAL, SIGHUP),
    ENTRY(kill_by_group, SIGNAL, SIGUSR1),
    ENTRY(kill_thread, SIGNAL, SIGUSR2),
    ENTRY(kill_task, SIGNAL, SIGQUIT),
    ENTRY(queue_signal, SIGNAL, SIGTERM),
    ENTRY(set_alarm, SIGNAL, SIGALRM),
    ENTRY(set_timer, SIGNAL, SIGALRM),
    ENTRY(jump_out, JUMP, 10),
    ENTRY(sigjump_out, JUMP, 11),
    ENTRY(call_fork, PROCESS, 0),
    ENTRY(call__Fork, PROCESS, 0),
    ENTRY(call_vfork, PROCESS, 0),
    ENTRY(call_clone, PROCESS, 0),
    ENTRY(clone_thread, THREAD, 0),
    ENTRY(call_daemon, PROCESS, 0),
    ENTRY(call_execve, PROCESS, 0),
    ENTRY(call_execvp, PROCESS, 0),
    ENTRY(call_execl, PROCESS, 0),
    ENTRY(call_execle, PROCESS, 0),
    ENTRY(create_thread, THREAD, 0),
    ENTRY(read_meanwhile, THREAD, 0),
    ENTRY(create_c_thread, THREAD, 0),
};

/* ---- The host ---- */

static void *use_all(void *arg)
{
    time_t now = time(NULL);
    FILE *file = fopen("/dev/null", "r+");

    REQUIRE(file != NULL);
    EXPECT(fprintf(file, "%d\n", 1) > 0);
    EXPECT_EQ(fflush(NULL), 0);
    EXPECT_EQ(fclose(file), 0);
    EXPECT(dlsym(RTLD_DEFAULT, "getpid") != NULL);
    EXPECT(localtime(&now) != NULL);
    free(malloc(1000));
    return arg;
}

static void use_all_everywhere(void)
{
    pthread_t other;

    (void)use_all(NULL);
    REQUIRE(pthread_create(&other, NULL, use_all, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
}

static moat_co *create(moat_entry entry)
{
    moat_co *co;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    return co;
}

static void commit(moat_co *co, size_t i)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    const char *lock = NULL;
    moat_event event;

    expect_context("%s", crimes[i].name);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, crimes[i].kind);
    EXPECT_EQ(info.user_code, crimes[i].code);
    EXPECT_EQ(moat_co_lock_function(co, &lock), MOAT_OK);
    EXPECT(lock == NULL);
}

static bool is_done;

/* An exit with status 0 would pass for a test that was passed. */
static void fail_unless_done(void)
{
    if (!is_done)
        (void)syscall(SYS_exit_group, CHILD_FAILED); /* not a trap */
}

static void crime_by_crime(unsigned times)
{
    REQUIRE(atexit(fail_unless_done) == 0);
    if (freopen("/dev/null", "w", stderr) == NULL)
        child_leave_out("stderr cannot be redirected");
    if (setjmp(outside) != 0 || sigsetjmp(signal_outside, 1) != 0)
        expect_true(false, "no longjmp comes out", __FILE__, __LINE__);
    for (size_t i = 0; i < sizeof crimes / sizeof crimes[0]; i++) {
        moat_co *co = create(crimes[i].crime);

        for (unsigned j = 0; j < times; j++) {
            commit(co, i);
            EXPECT_EQ(moat_co_reset(co), MOAT_OK);
            use_all_everywhere();
        }
        moat_co_destroy(co);
    }
    is_done = true;
}

static void each_traps_and_the_host_goes_on(const void *arg)
{
    crime_by_crime(*(const unsigned *)arg);
}

/* ---- What stays as it was ---- */

static void *jump_within(moat_co *self, void *input)
{
    sigjmp_buf here;
    static volatile int jumps;

    (void)self;
    jumps = 0;
    if (sigsetjmp(here, 1) < 100) {
        jumps++;
        if (jumps < 100)
            siglongjmp(here, jumps);
    }
    EXPECT_EQ(jumps, 100);
    return input;
}

static void *send_elsewhere(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(kill(getpid(), 0), 0);
    EXPECT_EQ(raise(0), 0);
    EXPECT_EQ(kill(*(pid_t *)input, SIGTERM), 0);
    return input;
}

static void *parse_well(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(parse("word"), 0);
    EXPECT_EQ(parse("invalid"), EINVAL);
    EXPECT_EQ(parse_with("--help", ARGP_NO_EXIT), 0);
    EXPECT_EQ(parse_with("--version", ARGP_NO_EXIT), 0);
    EXPECT_EQ(parse_with("--strange", ARGP_NO_EXIT), EINVAL);
    EXPECT_EQ(parse_with("error", ARGP_NO_EXIT), 0);
    EXPECT_EQ(parse_with("unknown", ARGP_NO_ERRS), EINVAL);
    EXPECT_EQ(parse_with("word", ARGP_NO_HELP), 0);
    return input;
}

/* A guest's results are the host's. */
static void a_guest_may_read_its_arguments(const void *arg)
{
    moat_co *co = create(parse_well);
    moat_event event;

    (void)arg;
    if (freopen("/dev/null", "w", stderr) == NULL)
        child_leave_out("stderr cannot be redirected");
    (void)parse_well(NULL, NULL);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void a_guest_may_jump_on_its_stack(const void *arg)
{
    moat_co *co = create(jump_within);
    moat_event event;

    (void)arg;
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void a_guest_may_end_other_processes(const void *arg)
{
    moat_co *co = create(send_elsewhere);
    pid_t other = fork();
    moat_event event;
    int status;

    (void)arg;
    if (other == 0) {
        (void)signal(SIGTERM, SIG_DFL);
        for (;;)
            (void)pause();
    }
    REQUIRE(moat_co_resume(co, &other, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(waitpid(other, &status, 0), other);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    moat_co_destroy(co);
}

/* The host's own calls do what they say. */
static void the_host_may_fork_and_exec(const void *arg)
{
    int status;
    pid_t child = vfork();

    (void)arg;
    if (child == 0) {
        (void)execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
        _exit(1);
    }
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 7);
    child = fork();
    if (child == 0)
        exit(8);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 8);
    child = clone(do_nothing_either, clone_stack + CLONE_BYTES, SIGCHLD, NULL);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

static void the_hosts_exit_exits(const void *arg)
{
    (void)arg;
    exit(42);
}

static void the_hosts_abort_aborts(const void *arg)
{
    (void)arg;
    abort();
}

static void *abort_in_section(moat_co *self, void *input)
{
    (void)self;
    moat_notrap_enter();
    abort();
    return input;
}

static void an_abort_in_a_section_is_fatal(const void *arg)
{
    moat_event event;

    (void)arg;
    (void)!moat_co_resume(create(abort_in_section), NULL, &event);
}

static void *exit_in_section(moat_co *self, void *input)
{
    (void)self;
    moat_notrap_enter();
    exit(1);
    return input;
}

static void so_is_an_exit(const void *arg)
{
    moat_event event;

    (void)arg;
    (void)!moat_co_resume(create(exit_in_section), NULL, &event);
}

static const unsigned times = 3, times_in_full = 1000;

static const struct child_case cases[] = {
    {"each_traps_and_the_host_goes_on", each_traps_and_the_host_goes_on, &times,
     NULL, 0, 0},
    CHILD_CASE(a_guest_may_read_its_arguments),
    CHILD_CASE(a_guest_may_jump_on_its_stack),
    CHILD_CASE(a_guest_may_end_other_processes),
    CHILD_CASE(the_host_may_fork_and_exec),
    {"the_hosts_exit_exits", the_hosts_exit_exits, NULL, NULL, 0, 42},
    {"the_hosts_abort_aborts", the_hosts_abort_aborts, NULL, NULL, SIGABRT, 0},
    {"an_abort_in_a_section_is_fatal", an_abort_in_a_section_is_fatal, NULL,
     NULL, SIGABRT, 0},
    {"so_is_an_exit", so_is_an_exit, NULL, NULL, SIGABRT, 0},
};

static const struct child_case full_cases[] = {
    {"each_traps_a_thousand_times", each_traps_and_the_host_goes_on,
     &times_in_full, NULL, 0, 0},
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "full") == 0)
        return child_cases_run("malloc.exit", full_cases, 1, NULL);
    return child_cases_run("malloc.exit", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
