/*
 * test_switch.c: the rows of docs/backends.md: what belongs to a coroutine and
 * what to its thread, and what a switch takes, by the backend.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fenv.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"

static int *volatile nowhere;

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    return co;
}

static moat_event resume(moat_co *co)
{
    moat_event event = {0};

    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    return event;
}

static void *yielding_guest(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    return NULL;
}

/* ---- The name ---- */

static void the_info_names_the_backend(const void *arg)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    (void)arg;
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_STR(info.switch_backend, SWITCH_BACKEND);
    EXPECT_EQ(MOAT_SWITCH_PORTABLE, strcmp(SWITCH_BACKEND, "native") != 0);
}

static void an_older_struct_has_no_backend(const void *arg)
{
    moat_engine_info info;

    (void)arg;
    memset(&info, 0xee, sizeof info);
    info.struct_size = offsetof(moat_engine_info, switch_backend);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ((uintptr_t)info.switch_backend, (uintptr_t)0xeeeeeeeeeeeeeeee);
}

/* ---- The signal mask ---- */

static bool is_blocked(int signo)
{
    sigset_t now;

    REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
    return sigismember(&now, signo) == 1;
}

static void block(int how, int signo)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signo);
    REQUIRE(pthread_sigmask(how, &set, NULL) == 0);
}

/* Each yields what it found. */
static void *mask_guest(moat_co *self, void *input)
{
    (void)input;
    block(SIG_BLOCK, SIGUSR1);
    (void)moat_co_yield(self, NULL);
    return (void *)(uintptr_t)(is_blocked(SIGUSR1) | is_blocked(SIGUSR2) << 1);
}

static void the_signal_mask_is_whose_the_table_has(const void *arg)
{
    moat_co *co = create(mask_guest);
    bool own = SWITCH_SETS_MASK;

    (void)arg;
    (void)resume(co);
    EXPECT_EQ(is_blocked(SIGUSR1), !own);
    block(SIG_UNBLOCK, SIGUSR1);
    block(SIG_BLOCK, SIGUSR2);
    EXPECT_EQ((uintptr_t)resume(co).value, own ? 1 : 2);
    EXPECT(is_blocked(SIGUSR2));
    moat_co_destroy(co);
}

static void *mask_and_fault(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    block(SIG_BLOCK, SIGUSR1);
    *nowhere = 1;
    return NULL;
}

static void a_trap_restores_the_mask_where_a_switch_does(const void *arg)
{
    moat_co *co = create(mask_and_fault);

    (void)arg;
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(is_blocked(SIGUSR1), !SWITCH_SETS_MASK);
    moat_co_destroy(co);
}

/* ---- The rounding mode ---- */

static void *rounding_guest(moat_co *self, void *input)
{
    (void)input;
    fesetround(FE_UPWARD);
    (void)moat_co_yield(self, NULL);
    return (void *)(uintptr_t)fegetround();
}

static void the_rounding_mode_is_whose_the_table_has(const void *arg)
{
    moat_co *co = create(rounding_guest);
    bool own = SWITCH_SETS_MASK;

    (void)arg;
    (void)resume(co);
    EXPECT_EQ(fegetround(), own ? FE_TONEAREST : FE_UPWARD);
    fesetround(FE_DOWNWARD);
    EXPECT_EQ((uintptr_t)resume(co).value, own ? FE_UPWARD : FE_DOWNWARD);
    EXPECT_EQ(fegetround(), FE_DOWNWARD);
    moat_co_destroy(co);
}

/* ---- What sigaltstack takes ---- */

static bool enters_by_signal(void)
{
    return strcmp(SWITCH_BACKEND, "sigaltstack") == 0;
}

static void expect_native_only(const moat_co_options *options)
{
    moat_co *co = NULL;
    moat_status status = moat_co_create(&co, yielding_guest, options);

    if (!MOAT_SWITCH_PORTABLE) {
        EXPECT_EQ(status, MOAT_OK);
        moat_co_destroy(co);
        return;
    }
    EXPECT_EQ(status, MOAT_E_UNSUPPORTED);
    EXPECT(strstr(moat_error_detail(), "MOAT_SWITCH") != NULL);
}

static void what_needs_the_native_switch_is_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    options.stack_kind = MOAT_STACK_COPIED;
    expect_native_only(&options);
    options.stack_kind = MOAT_STACK_OWN;
    limits.syscalls = &policy;
    options.limits = &limits;
    expect_native_only(&options);
}

static void a_thread_is_confined_where_the_table_has_it(const void *arg)
{
    static const long calls[] = {SYS_write, SYS_getcwd};
    moat_status status = moat_thread_confine(calls, 2);

    (void)arg;
    if (SWITCH_BY_THREADS) {
        EXPECT_EQ(status, MOAT_E_UNSUPPORTED);
        EXPECT(strstr(moat_error_detail(), "MOAT_SWITCH=threads") != NULL);
    } else if (PORT_IS_GENERIC) {
        EXPECT_EQ(status, MOAT_E_UNSUPPORTED);
        EXPECT(strstr(moat_error_detail(), "this CPU") != NULL);
    } else if (status == MOAT_E_UNSUPPORTED) {
        child_leave_out("no seccomp here");
    } else {
        EXPECT_EQ(status, MOAT_OK);
    }
}

static void the_least_stack_is_that_of_the_table(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), least = page;
    moat_co *co = NULL;

    (void)arg;
    if (enters_by_signal())
        least = (getauxval(AT_MINSIGSTKSZ) + 688 + page - 1) / page * page;
    options.stack_bytes = least - 1;
    EXPECT_EQ(moat_co_create(&co, yielding_guest, &options), MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "options->stack_bytes is") != NULL);
    options.stack_bytes = least;
    REQUIRE(moat_co_create(&co, yielding_guest, &options) == MOAT_OK);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static bool is_default(int signo)
{
    struct sigaction now;

    REQUIRE(sigaction(signo, NULL, &now) == 0);
    return now.sa_handler == SIG_DFL;
}

static void the_signal_is_taken_that_the_table_has(const void *arg)
{
    moat_co *co = create(yielding_guest);

    (void)arg;
    EXPECT(is_default(SIGVTALRM));
    (void)resume(co);
    EXPECT_EQ(is_default(SIGVTALRM), !enters_by_signal());
    (void)resume(co);
    moat_co_destroy(co);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    EXPECT(is_default(SIGVTALRM));
}

/* The alternate stack cannot be exchanged there. */
static moat_co *for_handler;

static void resume_in_handler(int signo)
{
    (void)signo;
    EXPECT_EQ(resume(for_handler).kind, MOAT_EVENT_YIELD);
}

static void a_handler_on_the_alternate_stack_may_resume_first(const void *arg)
{
    struct sigaction action = {.sa_handler = resume_in_handler,
                               .sa_flags = SA_ONSTACK};

    (void)arg;
    for_handler = create(yielding_guest);
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    REQUIRE(raise(SIGUSR1) == 0);
    EXPECT_EQ(resume(for_handler).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(for_handler);
}

/* ---- System calls ---- */

/* The kernel ends a thread that makes any but read, write and exit, and with it
 * a process of one thread. */
static void a_switch_is_a_system_call_where_the_table_has_it(const void *arg)
{
    moat_co *co = create(yielding_guest);

    (void)arg;
    (void)resume(co);
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
    (void)resume(co);
    (void)syscall(SYS_exit, expect_failures() == 0 ? 0 : CHILD_FAILED);
}

/* ---- The stack ---- */

/* Without frames of its own but one: what is in use is the switch's. */
static void a_switch_takes_the_stack_that_the_table_has(const void *arg)
{
    moat_co *co = create(yielding_guest);
    moat_stack_info info;
    size_t most = PORT_IS_GENERIC ? 4096 : MOAT_SWITCH_PORTABLE ? 2048 : 512;

    (void)arg;
    (void)resume(co);
    REQUIRE(moat_co_stack_info(co, &info) == MOAT_OK);
    EXPECT(info.used < most);
    EXPECT(!MOAT_SWITCH_PORTABLE || info.used > sizeof(uintptr_t[64]));
    moat_co_destroy(co);
}

/* ---- Ends in the middle ---- */

static void *transfer_guest(moat_co *self, void *input)
{
    void *back = NULL;

    EXPECT_EQ(moat_co_switch_to(self, input, (void *)7, &back), MOAT_OK);
    return back;
}

static void *transferred_to(moat_co *self, void *input)
{
    EXPECT_EQ((uintptr_t)input, 7);
    (void)moat_co_yield(self, (void *)8);
    *nowhere = 1;
    return NULL;
}

/* The resumer is the first one's: each way out of the second leads there. */
static void a_trap_after_a_transfer_lands_at_the_resumer(const void *arg)
{
    moat_co *first = create(transfer_guest), *second = create(transferred_to);
    moat_event event = {0};

    (void)arg;
    REQUIRE(moat_co_resume(first, second, &event) == MOAT_OK);
    EXPECT(event.co == second);
    EXPECT_EQ((uintptr_t)event.value, 8);
    event = resume(second);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT(event.co == second);
    REQUIRE(moat_co_resume(first, (void *)9, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ((uintptr_t)event.value, 9);
    moat_co_destroy(first);
    moat_co_destroy(second);
}

#define SLOW (UNDER_ASAN || UNDER_TSAN ? "no switch is inline" : NULL)

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        CHILD_CASE(the_info_names_the_backend),
        CHILD_CASE(an_older_struct_has_no_backend),
        CHILD_CASE(the_signal_mask_is_whose_the_table_has),
        CHILD_CASE(a_trap_restores_the_mask_where_a_switch_does),
        CHILD_CASE(the_rounding_mode_is_whose_the_table_has),
        {"a_switch_is_a_system_call_where_the_table_has_it",
         a_switch_is_a_system_call_where_the_table_has_it, NULL,
         SWITCH_BY_THREADS ? "backends.threads has it" : NULL,
         SWITCH_SETS_MASK ? SIGKILL : 0, 0},
        {"a_switch_takes_the_stack_that_the_table_has",
         a_switch_takes_the_stack_that_the_table_has, NULL, SLOW, 0, 0},
        CHILD_CASE(the_least_stack_is_that_of_the_table),
        CHILD_CASE(what_needs_the_native_switch_is_refused),
        CHILD_CASE(a_thread_is_confined_where_the_table_has_it),
        CHILD_CASE(the_signal_is_taken_that_the_table_has),
        {"a_handler_on_the_alternate_stack_may_resume_first",
         a_handler_on_the_alternate_stack_may_resume_first, NULL, SLOW, 0, 0},
        CHILD_CASE(a_trap_after_a_transfer_lands_at_the_resumer),
    };

    return child_cases_run("backends", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
