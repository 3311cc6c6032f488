/*
 * test_code_calls.c: policies for the system calls of some code alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

/* ---- Code ----
 *
 * A page with the instruction `syscall` wherever a test wants it, of which some
 * bytes are filtered. */

#define PAGE  4096
#define FROM  64
#define BYTES 64
#define OTHER 1024 /* and some others */

static unsigned char *page;

/* syscall, int $0x80; ret */
static void put_call(size_t at, const char *instruction)
{
    memcpy(page + at, instruction, 3);
}

static void map_code(void)
{
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        child_leave_out("no memory that is writable and executable");
    memset(page, 0xcc, PAGE);
}

static long call_with(size_t at, long number)
{
    unsigned char *code = page + at;
    long result;

    /* A red zone may be in use. */
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
                     "call *%2\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     : "=a"(result)
                     : "0"(number), "r"(code)
                     : "rcx", "r11", "memory");
    return result;
}

static long call_at(size_t at)
{
    return call_with(at, SYS_getppid);
}

/* ---- Guests ---- */

typedef moat_syscall_verdict decision(moat_co *co, moat_syscall *call,
                                      void *arg);

static moat_status try_create(moat_co **out, moat_entry entry, size_t from,
                              size_t bytes, decision *decide)
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    policy.decide = decide;
    policy.code = bytes != 0 ? page + from : NULL;
    policy.code_bytes = bytes;
    limits.syscalls = &policy;
    options.limits = &limits;
    options.name = "jitted";
    return moat_co_create(out, entry, &options);
}

static moat_co *create_for(moat_entry entry, size_t from, size_t bytes,
                           decision *decide)
{
    moat_co *co = NULL;
    moat_status status;

    if (page == NULL)
        map_code();
    status = try_create(&co, entry, from, bytes, decide);
    if (status == MOAT_E_UNSUPPORTED)
        child_leave_out("this kernel dispatches no range");
    REQUIRE(status == MOAT_OK);
    return co;
}

static moat_co *create(moat_entry entry, decision *decide)
{
    return create_for(entry, FROM, BYTES, decide);
}

static moat_syscall_verdict perform(moat_co *co, moat_syscall *call, void *arg)
{
    (void)co;
    (void)call;
    (void)arg;
    return MOAT_SYSCALL_PERFORM;
}

static moat_syscall_verdict emulate(moat_co *co, moat_syscall *call, void *arg)
{
    (void)co;
    (void)arg;
    EXPECT_EQ(call->number, SYS_getppid);
    call->result = 12345;
    return MOAT_SYSCALL_EMULATE;
}

static uint64_t calls_of(const moat_co *co)
{
    moat_usage usage = MOAT_USAGE_INIT;

    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_OK);
    return usage.syscalls;
}

/* Calls from where `input` points to. */
static void *call_there(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, (void *)call_at(*(const size_t *)input));
    return NULL;
}

static void expect_denied_as(moat_co *co, const size_t *at, long number,
                             bool foreign)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event = guest_resume(co, (void *)(uintptr_t)at);

    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    if (event.kind != MOAT_EVENT_TRAP)
        return;
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_SYSCALL);
    EXPECT_EQ(info.limit, MOAT_LIMIT_SYSCALL);
    EXPECT_EQ(info.syscall_number, number);
    EXPECT_EQ(info.syscall_is_foreign, foreign);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
}

static void expect_denied(moat_co *co, const size_t *at)
{
    expect_denied_as(co, at, SYS_getppid, false);
}

static void expect_denied_again(moat_co *co, const size_t *at)
{
    expect_denied(co, at);
    REQUIRE(moat_co_reset(co) == MOAT_OK);
}

static void expect_made(moat_co *co, const size_t *at)
{
    moat_event event = guest_resume(co, (void *)(uintptr_t)at);

    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    EXPECT_EQ((intptr_t)event.value, getppid());
}

static const size_t middle = FROM + 20, outside = FROM + BYTES + 20;

static void put_calls(void)
{
    if (page == NULL)
        map_code();
    put_call(middle, "\x0f\x05\xc3");
    put_call(outside, "\x0f\x05\xc3");
    put_call(OTHER, "\x0f\x05\xc3");
}

/* ---- What is in the range ---- */

static void calls_of_the_code_are_denied(const void *arg)
{
    /* Of the last two, one byte. */
    static const size_t in[] = {FROM, FROM + 20, FROM + BYTES - 2,
                                FROM + BYTES - 1, FROM - 1};

    (void)arg;
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        moat_co *co = create(call_there, NULL);
        char *text;

        expect_context("at %zu", in[i]);
        put_call(in[i], "\x0f\x05\xc3");
        expect_denied(co, &in[i]);
        EXPECT_EQ(calls_of(co), 1);
        text = guest_report(moat_co_print_report, co);
        EXPECT(text != NULL && strstr(text, "  call     getppid (110)\n"));
        free(text);
        moat_co_destroy(co);
        memset(page, 0xcc, PAGE);
    }
}

static void calls_of_other_code_are_not_seen(const void *arg)
{
    static const size_t out[] = {0, FROM - 2, FROM + BYTES, OTHER};

    (void)arg;
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++) {
        moat_co *co = create(call_there, NULL);

        expect_context("at %zu", out[i]);
        put_call(out[i], "\x0f\x05\xc3");
        expect_made(co, &out[i]);
        EXPECT_EQ(calls_of(co), 0);
        moat_co_destroy(co);
        memset(page, 0xcc, PAGE);
    }
}

static void *use_libc(moat_co *self, void *input)
{
    (void)self;
    if (getppid() <= 0 || syscall(SYS_getppid) != getppid())
        return NULL;
    free(malloc((size_t)8 << 20));
    return input;
}

static void the_c_library_is_not_seen(const void *arg)
{
    moat_co *co = create(use_libc, NULL);

    (void)arg;
    EXPECT(guest_resume(co, page).value == page);
    EXPECT_EQ(calls_of(co), 0);
    moat_co_destroy(co);
}

static void *call_otherwise(moat_co *self, void *input)
{
    (void)self;
    (void)call_with(middle, *(const long *)input);
    return NULL;
}

static void other_ways_are_seen_too(const void *arg)
{
    static const struct {
        const char *instruction;
        long number;
        bool foreign;
    } ways[] = {{"\xcd\x80\xc3", 20, true},
                {"\x0f\x05\xc3", 0x40000000L | SYS_getpid, true},
                {"\x0f\x05\xc3", SYS_rt_sigreturn, false},
                {"\x0f\x05\xc3", SYS_prctl, false},
                {"\x0f\x05\xc3", SYS_io_uring_setup, false},
                {"\x0f\x05\xc3", SYS_fork, false}};

    (void)arg;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        moat_co *co = create(call_otherwise, i % 2 == 0 ? perform : NULL);

        expect_context("%zu", i);
        put_call(middle, ways[i].instruction);
        expect_denied_as(co, (const size_t *)&ways[i].number, ways[i].number,
                         ways[i].foreign);
        moat_co_destroy(co);
    }
}

static void a_policy_decides(const void *arg)
{
    moat_co *emulated = create(call_there, emulate);
    moat_co *performed = create(call_there, perform);

    (void)arg;
    put_calls();
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ((intptr_t)guest_resume(emulated, (void *)&middle).value,
                  12345);
        expect_made(performed, &middle);
    }
    EXPECT_EQ(calls_of(emulated), 100);
    EXPECT_EQ(calls_of(performed), 100);
    moat_co_destroy(emulated);
    moat_co_destroy(performed);
}

/* The policy is for addresses. */
static void code_may_come_and_go(const void *arg)
{
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id = 0;
    moat_co *co = create(call_there, NULL);
    char *text;

    (void)arg;
    put_calls();
    expect_denied_again(co, &middle);
    code.start = page + FROM;
    code.size = BYTES;
    code.name = "compiled";
    code.unwind = MOAT_CODE_UNWIND_FIXED;
    REQUIRE(moat_code_register(&code, &id) == MOAT_OK);
    expect_denied(co, &middle);
    text = guest_report(moat_co_print_report, co);
    EXPECT(text != NULL && strstr(text, "compiled") != NULL);
    free(text);
    REQUIRE(moat_co_reset(co) == MOAT_OK);
    REQUIRE(moat_code_unregister(id) == MOAT_OK);
    expect_denied_again(co, &middle);
    moat_co_destroy(co);
}

/* ---- Who else runs the code ---- */

static void *call_host(void *arg)
{
    return (void *)call_at(*(const size_t *)arg);
}

static void *call_by_host(moat_co *self, void *input)
{
    if ((intptr_t)moat_call_on_parent(self, call_host, input) != getppid())
        return NULL;
    return (void *)call_at(*(const size_t *)input);
}

static void the_host_is_free(const void *arg)
{
    moat_co *co = create(call_there, NULL);

    (void)arg;
    put_calls();
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(call_at(middle), getppid());
        expect_denied_again(co, &middle);
    }
    moat_co_destroy(co);
    co = create(call_by_host, NULL);
    for (int i = 0; i < 10; i++)
        expect_denied_again(co, &middle);
    moat_co_destroy(co);
}

static void guests_without_a_policy_are_free(const void *arg)
{
    moat_co *co = create(call_there, NULL);
    moat_co *free_one = guest_create(call_there);

    (void)arg;
    put_calls();
    for (int i = 0; i < 10; i++) {
        expect_denied_again(co, &middle);
        expect_made(free_one, &middle);
    }
    moat_co_destroy(free_one);
    moat_co_destroy(co);
}

struct inner {
    moat_co *co;
    size_t at;
    moat_status status;
    moat_event event;
};

static void *resume_inner(moat_co *self, void *input)
{
    struct inner *inner = input;

    (void)self;
    inner->status = moat_co_resume(inner->co, &inner->at, &inner->event);
    return (void *)call_at(inner->at);
}

static void run_inner(struct inner *inner, moat_co *co)
{
    moat_co *outer = create(resume_inner, NULL);

    inner->co = co;
    inner->at = middle;
    expect_denied(outer, (const size_t *)(const void *)inner);
    moat_co_destroy(outer);
}

static void a_policy_covers_the_guests_inside(const void *arg)
{
    struct inner inner;
    moat_co *co = create(call_there, perform);

    (void)arg;
    put_calls();
    run_inner(&inner, co); /* the outer one does not consent */
    EXPECT(inner.status == MOAT_OK && inner.event.kind == MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    co = guest_create(call_there);
    run_inner(&inner, co);
    EXPECT(inner.status == MOAT_OK && inner.event.kind == MOAT_EVENT_TRAP);
    moat_co_destroy(co);
}

static void one_for_other_code_is_refused_inside(const void *arg)
{
    static const struct {
        size_t from, bytes;
    } others[] = {{OTHER, BYTES}, {FROM, BYTES + 1}, {0, 0}};

    (void)arg;
    put_calls();
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct inner inner;
        moat_co *co =
            create_for(call_there, others[i].from, others[i].bytes, NULL);

        expect_context("%zu", i);
        run_inner(&inner, co);
        EXPECT_EQ(inner.status, MOAT_E_UNSUPPORTED);
        EXPECT(strstr(moat_error_detail(), "a policy for other code") != NULL);
        moat_co_destroy(co);
    }
}

/* ---- Several policies on a thread ---- */

static size_t other_from, other_bytes;

static void *create_another(moat_co *self, void *input)
{
    moat_co *co = NULL;

    (void)self;
    EXPECT_EQ(try_create(&co, call_there, other_from, other_bytes, NULL),
              MOAT_OK);
    moat_co_destroy(co);
    return (void *)call_at(*(const size_t *)input);
}

static void a_guest_that_creates_another_keeps_its_own(const void *arg)
{
    (void)arg;
    put_calls();
    for (int i = 0; i < 2; i++) {
        moat_co *co = create(create_another, NULL);

        other_from = (size_t)i * OTHER;
        other_bytes = (size_t)i * BYTES;
        expect_denied(co, &middle);
        moat_co_destroy(co);
    }
}

static void *call_libc(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)syscall(SYS_getppid);
}

static void policies_take_turns(const void *arg)
{
    moat_co *one = create(call_there, NULL);
    moat_co *other = create_for(call_there, OTHER, BYTES, NULL);
    moat_co *all = create_for(call_libc, 0, 0, NULL);
    const size_t at = OTHER;

    (void)arg;
    put_calls();
    for (int i = 0; i < 50; i++) {
        expect_denied_again(one, &middle);
        expect_made(one, &at);
        expect_denied_again(other, &at);
        expect_made(other, &middle);
        expect_denied_again(all, NULL);
        REQUIRE(moat_co_reset(one) == MOAT_OK);
        REQUIRE(moat_co_reset(other) == MOAT_OK);
    }
    EXPECT_EQ(call_at(middle), getppid());
    moat_co_destroy(one);
    moat_co_destroy(other);
    moat_co_destroy(all);
}

static moat_co *next;

static void *transfer(moat_co *self, void *input)
{
    void *back = NULL;

    EXPECT_EQ(moat_co_switch_to(self, next, input, &back), MOAT_OK);
    return (void *)call_at(*(const size_t *)input);
}

static void transfers_change_the_code(const void *arg)
{
    const size_t at = OTHER;
    moat_event event;
    moat_co *co = create(transfer, NULL);

    (void)arg;
    put_calls();
    next = create_for(call_there, OTHER, BYTES, NULL);
    EXPECT_EQ(moat_co_resume(co, (void *)(uintptr_t)&middle, &event), MOAT_OK);
    EXPECT(event.kind == MOAT_EVENT_YIELD && event.co == next);
    expect_denied(next, &at);
    expect_denied(co, &middle);
    moat_co_destroy(next);
    moat_co_destroy(co);
}

/* ---- Signals, slices, children ---- */

static volatile unsigned handled;
static volatile bool handler_failed;

static void on_signal(int signo)
{
    int saved_errno = errno;

    (void)signo;
    handled++;
    if (call_at(middle) != getppid())
        handler_failed = true;
    errno = saved_errno;
}

static void *signal_itself(moat_co *self, void *input)
{
    (void)self;
    for (int i = 0; i < 100; i++)
        (void)raise(SIGUSR1);
    return (void *)call_at(*(const size_t *)input);
}

static void handlers_of_the_host_are_free(const void *arg)
{
    static const int flags[] = {SA_ONSTACK, 0};

    (void)arg;
    put_calls();
    for (int i = 0; i < 2; i++) {
        moat_co *co = create(signal_itself, NULL);
        struct sigaction action;

        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        action.sa_flags = flags[i];
        REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
        handled = 0;
        expect_denied(co, &middle);
        EXPECT(handled == 100 && !handler_failed);
        EXPECT_EQ(calls_of(co), 1);
        moat_co_destroy(co);
    }
}

static void *call_often(moat_co *self, void *input)
{
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + 100 * MS;
    long pid = getppid(), wrong = 0;

    (void)self;
    while (clock_ns(CLOCK_MONOTONIC) < end)
        wrong += call_at(*(const size_t *)input) != pid;
    return (void *)wrong;
}

/* Their handlers make such calls, too, at every stage of one. */
static void calls_under_a_storm_of_signals(const void *arg)
{
    static const int flags[] = {SA_ONSTACK, 0};
    struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};

    (void)arg;
    put_calls();
    for (int i = 0; i < 2; i++) {
        moat_co *co = create(call_often, perform);
        struct sigaction action;

        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        action.sa_flags = flags[i];
        REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
        REQUIRE(setitimer(ITIMER_REAL, &often, NULL) == 0);
        EXPECT_EQ((intptr_t)guest_resume(co, (void *)(uintptr_t)&middle).value,
                  0);
        REQUIRE(setitimer(ITIMER_REAL, &never, NULL) == 0);
        EXPECT(handled > 0 && !handler_failed);
        moat_co_destroy(co);
    }
}

static volatile unsigned slices_seen;

static void *call_until_preempted(moat_co *self, void *input)
{
    long pid = getppid(), wrong = 0;

    (void)self;
    while (slices_seen < 20)
        wrong += call_at(*(const size_t *)input) != pid;
    return (void *)wrong;
}

static void slices_end_amid_calls(const void *arg)
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = create(call_there, NULL);
    moat_event event;

    (void)arg;
    moat_co_destroy(co);
    put_calls();
    policy.decide = perform;
    policy.code = page + FROM;
    policy.code_bytes = BYTES;
    limits.syscalls = &policy;
    limits.slice_ns = MS;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, call_until_preempted, &options) == MOAT_OK);
    while ((event = guest_resume(co, (void *)(uintptr_t)&middle)).kind ==
           MOAT_EVENT_PREEMPT)
        slices_seen++;
    EXPECT(event.kind == MOAT_EVENT_RETURN && event.value == NULL);
    moat_co_destroy(co);
}

/* The child is filtered, too, and ends by the call. */
static void *fork_and_call(moat_co *self, void *input)
{
    pid_t child = fork();

    (void)self;
    if (child == 0)
        (void)call_at(*(const size_t *)input);
    return (void *)(intptr_t)child;
}

static void a_guests_child_is_filtered(const void *arg)
{
    moat_co *co = create(fork_and_call, NULL);
    moat_event event;

    (void)arg;
    put_calls();
    event = guest_resume(co, (void *)(uintptr_t)&middle);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(exit_status_of((pid_t)(intptr_t)event.value), 256 + SIGSYS);
    moat_co_destroy(co);
}

/* ---- Refusals ---- */

static void refusals_say_why(const void *arg)
{
    moat_co *co = NULL;

    (void)arg;
    map_code();
    page = NULL;
    EXPECT_EQ(try_create(&co, call_there, 0, 1, NULL), MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "limits->syscalls->code is 0x0 and "
                                       "code_bytes 1: no range") != NULL);
    page = (unsigned char *)UINTPTR_MAX - 100;
    EXPECT_EQ(try_create(&co, call_there, 0, 100, NULL), MOAT_E_INVAL);
    EXPECT_EQ(try_create(&co, call_there, 0, 101, NULL), MOAT_E_INVAL);
    page = (unsigned char *)(((uintptr_t)1 << 32) - 1);
    EXPECT_EQ(try_create(&co, call_there, 0, 100, NULL), MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "32-bit code") != NULL);
}

/* As on a kernel older than 6.17: EINVAL. */
static void forbid_ranges(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 59, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {sizeof filter / sizeof filter[0],
                                       filter};

    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        child_leave_out("this kernel has no seccomp");
}

static void an_older_kernel_refuses(const void *arg)
{
    moat_co *co = NULL;

    (void)arg;
    map_code();
    forbid_ranges();
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(try_create(&co, call_there, FROM, BYTES, NULL),
                  MOAT_E_UNSUPPORTED);
        EXPECT(strstr(moat_error_detail(),
                      "limits->syscalls->code: prctl with "
                      "PR_SYS_DISPATCH_INCLUSIVE_ON, of Linux 6.17") != NULL);
    }
    EXPECT(co == NULL);
    /* One for all code is none the worse for that. */
    if (try_create(&co, call_libc, 0, 0, NULL) != MOAT_OK)
        child_leave_out("no Syscall User Dispatch here");
    expect_denied(co, NULL);
    moat_co_destroy(co);
}

static void without_the_kernel_no_guest_is_entered(const void *arg)
{
    moat_co *co = create(call_there, NULL);
    moat_co *all = create_for(call_libc, 0, 0, NULL);
    moat_event event;

    (void)arg;
    put_calls();
    expect_denied(all, NULL);
    forbid_ranges();
    EXPECT_EQ(moat_co_resume(co, (void *)(uintptr_t)&middle, &event),
              MOAT_E_UNSUPPORTED);
    REQUIRE(moat_co_reset(all) == MOAT_OK);
    expect_denied(all, NULL);
    moat_co_destroy(all);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(calls_of_the_code_are_denied),
    CHILD_CASE(calls_of_other_code_are_not_seen),
    CHILD_CASE(the_c_library_is_not_seen),
    CHILD_CASE(other_ways_are_seen_too),
    CHILD_CASE(a_policy_decides),
    CHILD_CASE(code_may_come_and_go),
    CHILD_CASE(the_host_is_free),
    CHILD_CASE(guests_without_a_policy_are_free),
    CHILD_CASE(a_policy_covers_the_guests_inside),
    CHILD_CASE(one_for_other_code_is_refused_inside),
    CHILD_CASE(a_guest_that_creates_another_keeps_its_own),
    CHILD_CASE(policies_take_turns),
    CHILD_CASE(transfers_change_the_code),
    CHILD_CASE(handlers_of_the_host_are_free),
    CHILD_CASE(calls_under_a_storm_of_signals),
    CHILD_CASE(slices_end_amid_calls),
    CHILD_CASE(a_guests_child_is_filtered),
    CHILD_CASE(refusals_say_why),
    CHILD_CASE(an_older_kernel_refuses),
    CHILD_CASE(without_the_kernel_no_guest_is_entered),
};

int main(int argc, char **argv)
{
    return child_cases_run("code_calls", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
