/*
 * test_costs.c: the rows of docs/backends.md on what a switch takes: system
 * calls and stack, by the backend.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"

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

/* ---- System calls ---- */

/* What a first resume with its yield takes at most, which is the C library's
 * affair, and each later one. */
static const struct row {
    const char *backend;
    size_t first, later;
} rows[] = {{"native", 0, 0}, {"ucontext", 3, 2}, {"sigaltstack", 10, 0}};

static const struct row *own_row(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].backend, SWITCH_BACKEND) == 0)
            return &rows[i];
    }
    child_leave_out(SWITCH_BY_THREADS ? "backends.threads has it"
                                      : "the backend has no row");
}

/* Stops before and after nothing, a first resume, and a later one. */
static _Noreturn void run_traced(void)
{
    moat_co *co = create(yielding_guest);

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(1);
    (void)raise(SIGSTOP);
    (void)raise(SIGSTOP);
    (void)resume(co);
    (void)raise(SIGSTOP);
    (void)resume(co);
    (void)raise(SIGSTOP);
    _exit(0);
}

/* Up to the next stop of its own. A call stops the child twice. */
static size_t count_calls(pid_t child)
{
    int status = 0, signo = 0;

    for (size_t stops = 0;;) {
        REQUIRE(ptrace(PTRACE_SYSCALL, child, NULL, signo) == 0);
        REQUIRE(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
        signo = WSTOPSIG(status);
        if (signo == SIGSTOP)
            return stops / 2;
        stops += signo == (SIGTRAP | 0x80);
        signo = signo == (SIGTRAP | 0x80) ? 0 : signo;
    }
}

static void it_takes_the_system_calls_that_the_table_has(const void *arg)
{
    const struct row *row = own_row();
    pid_t child = fork();
    size_t nothing, first;
    int status;

    (void)arg;
    if (child == 0)
        run_traced();
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    if (!WIFSTOPPED(status))
        child_leave_out("processes may not be traced");
    REQUIRE(ptrace(PTRACE_SETOPTIONS, child, NULL,
                   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
    nothing = count_calls(child);
    first = count_calls(child) - nothing;
    EXPECT(first <= row->first && (first != 0) == (row->first != 0));
    EXPECT_EQ(count_calls(child) - nothing, row->later);
    (void)ptrace(PTRACE_CONT, child, NULL, NULL);
    (void)waitpid(child, &status, 0);
}

/* ---- The stack ---- */

/* What the caller's frame leaves of its stack: enough for a native switch. */
#define LITTLE ((uintptr_t)1536)

static void *use_up(moat_co *self, void *(*then)(moat_co *, void *),
                    void *input)
{
    moat_stack_info info;
    volatile char *room;
    void *result;

    REQUIRE(moat_stack_bounds(&info) == MOAT_OK);
    room = __builtin_alloca((uintptr_t)__builtin_frame_address(0) - info.limit -
                            LITTLE);
    room[0] = 1;
    result = then(self, input);
    return (char *)result + (room[0] - 1);
}

static void *resume_it(moat_co *self, void *input)
{
    moat_event event = {0};

    (void)self;
    EXPECT_EQ(moat_co_resume(input, NULL, &event), MOAT_OK);
    return NULL;
}

static void *yield_it(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void *resume_with_little(moat_co *self, void *input)
{
    return use_up(self, resume_it, input);
}

static void *yield_with_little(moat_co *self, void *input)
{
    return use_up(self, yield_it, input);
}

static void expect_overflow(moat_co *co, moat_event event)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &trap), MOAT_OK);
    EXPECT_EQ(trap.kind, MOAT_TRAP_STACK_OVERFLOW);
}

/* It is the one that switches which overflows, before it has left. */
static void without_the_stack_for_a_switch_the_caller_overflows(const void *arg)
{
    moat_co *resumer = create(resume_with_little);
    moat_co *yielder = create(yield_with_little);
    moat_co *other = create(yielding_guest);
    moat_event event = {0};

    (void)arg;
    REQUIRE(moat_co_resume(resumer, other, &event) == MOAT_OK);
    if (MOAT_SWITCH_PORTABLE)
        expect_overflow(resumer, event);
    else
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(resume(other).kind,
              MOAT_SWITCH_PORTABLE ? MOAT_EVENT_YIELD : MOAT_EVENT_RETURN);
    event = resume(yielder);
    if (MOAT_SWITCH_PORTABLE)
        expect_overflow(yielder, event);
    else
        EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    moat_co_destroy(resumer);
    moat_co_destroy(yielder);
    moat_co_destroy(other);
}

#define SLOW (UNDER_ASAN || UNDER_TSAN ? "no switch is inline" : NULL)

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        {"it_takes_the_system_calls_that_the_table_has",
         it_takes_the_system_calls_that_the_table_has, NULL, SLOW, 0, 0},
        {"without_the_stack_for_a_switch_the_caller_overflows",
         without_the_stack_for_a_switch_the_caller_overflows, NULL, SLOW, 0, 0},
    };

    return child_cases_run("costs of backends", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
