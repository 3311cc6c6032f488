/*
 * test_syscalls.c: guests whose system calls a policy decides.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "borders_throw.h"
#include "guests.h"
#include "preempted.h"
#include "syscall_ways.h"

/* ---- Guests with a policy ---- */

typedef moat_syscall_verdict decision(moat_co *co, moat_syscall *call,
                                      void *arg);

static moat_status try_create(moat_co **out, moat_entry entry, decision *decide,
                              void *arg, const moat_limits *others)
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    if (others != NULL)
        limits = *others;
    policy.decide = decide;
    policy.arg = arg;
    limits.syscalls = &policy;
    options.limits = &limits;
    options.name = "filtered";
    return moat_co_create(out, entry, &options);
}

static void leave_out_if_unsupported(moat_status status)
{
    if (status == MOAT_E_UNSUPPORTED)
        child_leave_out("no Syscall User Dispatch here");
}

static moat_co *create_with(moat_entry entry, decision *decide, void *arg)
{
    moat_co *co = NULL;
    moat_status status = try_create(&co, entry, decide, arg, NULL);

    leave_out_if_unsupported(status);
    REQUIRE(status == MOAT_OK);
    return co;
}

static moat_co *create_limited(moat_entry entry, decision *decide, void *arg,
                               const moat_limits *limits)
{
    moat_co *co = NULL;
    moat_status status = try_create(&co, entry, decide, arg, limits);

    leave_out_if_unsupported(status);
    REQUIRE(status == MOAT_OK);
    return co;
}

static uint64_t calls_of(const moat_co *co)
{
    moat_usage usage = MOAT_USAGE_INIT;

    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_OK);
    return usage.syscalls;
}

/* The host is not filtered, whatever its guests did. */
static void expect_free_host(void)
{
    EXPECT(raw(SYS_getpid, 0, 0, 0) == getpid());
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT(moat_co_current() == NULL);
}

static void expect_denied(moat_co *co, void *input, long number, bool foreign)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event = guest_resume(co, input);

    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    if (event.kind != MOAT_EVENT_TRAP)
        return;
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_STR(moat_trap_kind_name(info.kind), "MOAT_TRAP_SYSCALL");
    EXPECT_EQ(info.limit, MOAT_LIMIT_SYSCALL);
    EXPECT_EQ(info.signo, SIGSYS);
    EXPECT_EQ(info.syscall_number, number);
    EXPECT_EQ(info.syscall_is_foreign, foreign);
}

static moat_syscall_verdict deny(moat_co *co, moat_syscall *call, void *arg)
{
    (void)call;
    (void)arg;
    EXPECT(co != NULL);
    return MOAT_SYSCALL_TRAP;
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
    call->result = -EPERM;
    return MOAT_SYSCALL_EMULATE;
}

/* ---- Denied ---- */

static void *go(moat_co *self, void *input)
{
    const struct way *way = input;

    (void)self;
    way->go();
    return NULL;
}

static void deny_each_way(decision *decide)
{
    for (size_t i = 0; i < way_count; i++) {
        moat_co *co = create_with(go, decide, NULL);

        expect_context("%s", ways[i].name);
        expect_denied(co, (void *)(uintptr_t)&ways[i], ways[i].number,
                      ways[i].is_foreign);
        EXPECT_EQ(calls_of(co), 1);
        expect_free_host();
        moat_co_destroy(co);
    }
}

static void each_way_is_denied_with_its_number(const void *arg)
{
    (void)arg;
    EXPECT(way_count >= 40);
    deny_each_way(NULL);
}

static void a_policy_denies_each_way(const void *arg)
{
    (void)arg;
    deny_each_way(deny);
}

static void calls_have_names(const void *arg)
{
    (void)arg;
    EXPECT_STR(moat_syscall_name(SYS_openat), "openat");
    EXPECT_STR(moat_syscall_name(SYS_read), "read");
    EXPECT_STR(moat_syscall_name(SYS_io_uring_enter), "io_uring_enter");
    EXPECT_STR(moat_syscall_name(0x40000000L | SYS_getpid), "getpid");
    EXPECT_STR(moat_syscall_name(400), "?");
    EXPECT_STR(moat_syscall_name(-1), "?");
    EXPECT_STR(moat_syscall_name(100000), "?");
}

static void *open_a_file(moat_co *self, void *input)
{
    (void)self;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? NULL : input;
}

static void reports_name_the_call(const void *arg)
{
    moat_co *co = create_with(open_a_file, NULL, NULL);
    char *text, *json;

    (void)arg;
    expect_denied(co, NULL, SYS_openat, false);
    text = guest_report(moat_co_print_report, co);
    json = guest_report(moat_co_write_json, co);
    if (text != NULL)
        EXPECT(strstr(text, "  call     openat (257)\n") != NULL &&
               strstr(text, "open_a_file") != NULL);
    if (json != NULL)
        EXPECT(strstr(json, "\"syscall\":257") != NULL &&
               strstr(json, "\"syscall_name\":\"openat\"") != NULL);
    free(text);
    free(json);
    moat_co_destroy(co);
}

static void *jump(moat_co *self, void *input)
{
    (void)self;
    jump_to((uintptr_t)input);
    return NULL;
}

static void deny_at(uintptr_t instruction, const char *object)
{
    moat_co *co = create_with(jump, NULL, NULL);

    expect_context("%s: %#lx", object, (unsigned long)instruction);
    expect_denied(co, (void *)instruction, SYS_getppid, false);
    moat_co_destroy(co);
}

static void no_instruction_is_exempt(const void *arg)
{
    (void)arg;
    EXPECT(each_syscall(deny_at) > 200);
    expect_free_host();
}

static void *use_vsyscall(moat_co *self, void *input)
{
    long (*time_of)(void *) = (long (*)(void *))(uintptr_t)0xffffffffff600400;

    (void)self;
    return time_of(NULL) > 0 ? input : NULL;
}

/* The page has three calls, for the time and the number of the CPU. Some
 * systems do not have it. */
static void the_vsyscall_page_does_no_harm(const void *arg)
{
    moat_co *co = create_with(use_vsyscall, NULL, NULL);
    moat_event event = guest_resume(co, (void *)&way_count);

    (void)arg;
    EXPECT(event.kind == MOAT_EVENT_TRAP || event.value == (void *)&way_count);
    expect_free_host();
    moat_co_destroy(co);
}

static void *fork_by_libc(moat_co *self, void *input)
{
    (void)self;
    return fork() == -1 ? input : NULL;
}

static void fork_is_denied_before_locks_are_taken(const void *arg)
{
    moat_co *co = create_with(fork_by_libc, NULL, NULL);
    int child;

    (void)arg;
    expect_denied(co, NULL, SYS_clone, false);
    moat_co_destroy(co);
    co = create_with(fork_by_libc, emulate, NULL);
    EXPECT(guest_resume(co, (void *)&way_count).value == (void *)&way_count);
    moat_co_destroy(co);
    child = fork();
    if (child == 0)
        _exit(7);
    EXPECT_EQ(exit_status_of(child), 7);
}

static moat_syscall_verdict perform_for(moat_co *co, moat_syscall *call,
                                        void *arg)
{
    (void)co;
    *(long *)arg = call->number;
    return MOAT_SYSCALL_PERFORM;
}

/* Calls that would end the filter are not performed under any policy. */
static void some_are_never_performed(const void *arg)
{
    static const char *const never[] = {"prctl, filter off",
                                        "raw prctl, filter off",
                                        "fork",
                                        "vfork",
                                        "clone",
                                        "clone of a thread",
                                        "clone3",
                                        "io_uring_setup",
                                        "io_uring_enter",
                                        "io_uring_register",
                                        "sigaltstack",
                                        "arch_prctl, another fs",
                                        "rt_sigaction of SIGSYS"};
    long number;

    (void)arg;
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        const struct way *way = ways;
        moat_co *co = create_with(go, perform_for, &number);

        expect_context("%s", never[i]);
        while (strcmp(way->name, never[i]) != 0)
            way++;
        expect_denied(co, (void *)(uintptr_t)way, way->number, false);
        EXPECT_EQ(number, way->number);
        expect_free_host();
        moat_co_destroy(co);
    }
}

/* ---- The memory that the filter is in ---- */

/* The thread's locals lie before the word that %fs leads to. */
static uintptr_t locals(void)
{
    uintptr_t end;

    __asm__("movq %%fs:0, %0" : "=r"(end));
    return (end - 1) & ~(uintptr_t)4095;
}

static void *change_memory(moat_co *self, void *input)
{
    const moat_syscall *call = input;

    (void)self;
    (void)syscall(call->number, call->args[0], call->args[1], call->args[2],
                  call->args[3], call->args[4]);
    return NULL;
}

/* As an accident of a guest that may change its memory. */
static void the_filter_stays_where_it_is(const void *arg)
{
    const uint64_t from = locals() - 4096, bytes = 3 * 4096,
                   anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    void *free_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const uint64_t other = (uintptr_t)free_page;
    const moat_syscall calls[] = {
        {SYS_munmap, {from, bytes}, 0},
        {SYS_munmap, {from, UINT64_MAX}, 0},
        {SYS_mprotect, {from, bytes, PROT_READ}, 0},
        {SYS_madvise, {from, bytes, MADV_DONTNEED}, 0},
        {SYS_mmap,
         {from, bytes, PROT_READ, anonymous | MAP_FIXED, UINT64_MAX},
         0},
        {SYS_mremap, {from, bytes, bytes, MREMAP_MAYMOVE}, 0},
        {SYS_mremap,
         {other, 4096, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, from},
         0},
        {SYS_shmat, {0, from, 040000}, 0},
        {SYS_process_madvise, {0, 0, 0, MADV_DONTNEED}, 0}};
    const moat_syscall harmless[] = {
        {SYS_mprotect, {other, 4096, PROT_READ}, 0},
        {SYS_madvise, {other, 4096, MADV_DONTNEED}, 0},
        {SYS_mmap, {from, 4096, PROT_READ, anonymous, UINT64_MAX}, 0},
        {SYS_munmap, {other, 4096}, 0}};

    (void)arg;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        moat_co *co = create_with(change_memory, perform, NULL);

        expect_context("%zu: %s", i, moat_syscall_name(calls[i].number));
        expect_denied(co, (void *)(uintptr_t)&calls[i], calls[i].number, false);
        expect_free_host();
        moat_co_destroy(co);
    }
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        moat_co *co = create_with(change_memory, perform, NULL);

        EXPECT_EQ(guest_resume(co, (void *)(uintptr_t)&harmless[i]).kind,
                  MOAT_EVENT_RETURN);
        moat_co_destroy(co);
    }
}

static void *call_again_and_again(moat_co *self, void *input)
{
    moat_co_yield(self, input);
    return (void *)raw(SYS_getpid, 0, 0, 0);
}

static void a_reset_guest_keeps_its_policy(const void *arg)
{
    moat_co *co = create_with(call_again_and_again, NULL, NULL);

    (void)arg;
    for (int i = 0; i < 1000; i++) {
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
        EXPECT_EQ(calls_of(co), 0);
        expect_free_host();
        expect_denied(co, NULL, SYS_getpid, false);
        expect_free_host();
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
}

/* Options that come again make spares, which are created inline. */
static void spares_keep_their_policy(const void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        moat_co *denied = create_with(call_again_and_again, NULL, NULL);
        moat_co *performed = create_with(call_again_and_again, perform, NULL);
        moat_co *free_one = guest_create(call_again_and_again);

        (void)guest_resume(denied, NULL);
        (void)guest_resume(performed, NULL);
        (void)guest_resume(free_one, NULL);
        expect_denied(denied, NULL, SYS_getpid, false);
        EXPECT_EQ((uintptr_t)guest_resume(performed, NULL).value, getpid());
        EXPECT_EQ((uintptr_t)guest_resume(free_one, NULL).value, getpid());
        moat_co_destroy(denied);
        moat_co_destroy(performed);
        moat_co_destroy(free_one);
    }
}

/* ---- Emulated ---- */

static char written[64];

static moat_syscall_verdict catch_write(moat_co *co, moat_syscall *call,
                                        void *arg)
{
    EXPECT(arg == written && moat_co_current() == NULL);
    EXPECT_STR(moat_co_name(co), "filtered");
    if (call->number != SYS_write || call->args[0] != 1 ||
        call->args[2] >= sizeof written)
        return MOAT_SYSCALL_TRAP;
    memcpy(written, (const void *)call->args[1], call->args[2]);
    /* Host work, with system calls. */
    free(malloc((size_t)8 << 20));
    call->result = (long)call->args[2] - 1;
    return MOAT_SYSCALL_EMULATE;
}

static void *write_twice(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    errno = 77;
    if (write(STDOUT_FILENO, "one", 3) != 2 || errno != 77)
        return NULL;
    return (void *)write(STDERR_FILENO, "two", 3);
}

static void a_write_is_emulated(const void *arg)
{
    moat_co *co = create_with(write_twice, catch_write, written);

    (void)arg;
    expect_denied(co, NULL, SYS_write, false);
    EXPECT_STR(written, "one");
    EXPECT_EQ(calls_of(co), 2);
    moat_co_destroy(co);
}

static void *see_error(moat_co *self, void *input)
{
    (void)self;
    return unlink("/nonexistent") == -1 && errno == EPERM ? input : NULL;
}

static void an_error_is_emulated(const void *arg)
{
    moat_co *co = create_with(see_error, emulate, NULL);

    (void)arg;
    EXPECT(guest_resume(co, (void *)&way_count).value == (void *)&way_count);
    moat_co_destroy(co);
}

/* getppid, between the loads and the stores of all registers. */
static const unsigned char call_and_end[] = {
    0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xff, 0x25, 0, 0, 0, 0};
static struct cpu_image *given;

static void *call_with_image(moat_co *self, void *input)
{
    (void)self;
    preempted_run(given, input);
    return input;
}

static void map_call(void)
{
    const char *end = preempted_end;
    unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(code != MAP_FAILED);
    memcpy(code, call_and_end, sizeof call_and_end);
    memcpy(code + sizeof call_and_end, &end, sizeof end);
    REQUIRE(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
    preempted_body = code;
}

/* rax, rcx and r11 are the call's. */
static const char *difference(struct cpu_image *a, struct cpu_image *b)
{
    static const int clobbered[] = {0, 2, 10};

    for (int i = 0; i < 3; i++)
        a->regs[clobbered[i]] = b->regs[clobbered[i]];
    return cpu_image_difference(a, b);
}

static void compare_images(decision *decide)
{
    uint64_t seed = 7;

    for (int i = 0; i < 50; i++) {
        moat_co *co = create_with(call_with_image, decide, NULL);
        struct cpu_image *expected, *out;

        given = cpu_image_make(&seed, true);
        expected = cpu_image_make(&seed, false);
        out = cpu_image_make(&seed, false);
        preempted_run(given, expected);
        EXPECT(guest_resume(co, out).kind == MOAT_EVENT_RETURN);
        EXPECT_STR(difference(expected, out), "");
        moat_co_destroy(co);
    }
}

static void a_call_changes_no_other_register(const void *arg)
{
    (void)arg;
    if (!cpu_has_xsave())
        child_leave_out("this CPU has no XSAVE");
    map_call();
    compare_images(emulate);
    compare_images(perform);
}

/* ---- Performed ---- */

static int pipe_ends[2];

static void *read_a_byte(moat_co *self, void *input)
{
    char byte = 0;

    (void)self;
    (void)input;
    return (void *)(read(pipe_ends[0], &byte, 1) == 1 ? (long)byte : -errno);
}

static moat_syscall_verdict redirect(moat_co *co, moat_syscall *call, void *arg)
{
    (void)co;
    (void)arg;
    if (call->number == SYS_getppid)
        call->number = SYS_getpid;
    return MOAT_SYSCALL_PERFORM;
}

static void *ask_parent(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)(intptr_t)getppid();
}

static void calls_are_performed(const void *arg)
{
    moat_co *co = create_with(read_a_byte, perform, NULL);

    (void)arg;
    REQUIRE(pipe(pipe_ends) == 0 && write(pipe_ends[1], "x", 1) == 1);
    EXPECT_EQ((uintptr_t)guest_resume(co, NULL).value, 'x');
    EXPECT_EQ(calls_of(co), 1);
    moat_co_destroy(co);
    (void)close(pipe_ends[0]);
    co = create_with(read_a_byte, perform, NULL);
    EXPECT_EQ((intptr_t)guest_resume(co, NULL).value, -EBADF);
    moat_co_destroy(co);
    co = create_with(ask_parent, redirect, NULL);
    EXPECT_EQ((intptr_t)guest_resume(co, NULL).value, getpid());
    moat_co_destroy(co);
    expect_free_host();
}

static void *block_all(moat_co *self, void *input)
{
    sigset_t all, before;

    (void)self;
    (void)sigfillset(&all);
    if (sigprocmask(SIG_BLOCK, &all, &before) != 0 ||
        sigprocmask(SIG_SETMASK, NULL, &all) != 0 ||
        sigismember(&all, SIGUSR1) != 1 || sigismember(&all, SIGSYS) != 0 ||
        sigprocmask(SIG_SETMASK, &before, NULL) != 0)
        return NULL;
    return input;
}

static void the_signal_of_a_call_cannot_be_blocked(const void *arg)
{
    moat_co *co = create_with(block_all, perform, NULL);

    (void)arg;
    EXPECT(guest_resume(co, (void *)&way_count).value == (void *)&way_count);
    moat_co_destroy(co);
    expect_free_host();
}

static void a_deadline_ends_a_call_that_blocks(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    (void)arg;
    limits.wall_ns = 50 * MS;
    co = create_limited(read_a_byte, perform, NULL, &limits);
    REQUIRE(pipe(pipe_ends) == 0);
    for (int i = 0; i < 3; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
        expect_free_host();
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
}

static void *call_abort(moat_co *self, void *input)
{
    (void)self;
    if (input == NULL)
        abort();
    return input;
}

static void an_abort_is_a_trap_of_its_kind(const void *arg)
{
    moat_co *co = create_with(call_abort, perform, NULL);

    (void)arg;
    guest_expect_trap(co, NULL, MOAT_TRAP_ABORT);
    expect_free_host();
    moat_co_destroy(co);
}

/* ---- Host calls, and the library's own ---- */

static void *host_pid(void *arg)
{
    (void)arg;
    EXPECT(moat_co_current() == NULL);
    return (void *)raw(SYS_getpid, 0, 0, 0);
}

static void *call_host(moat_co *self, void *input)
{
    if ((intptr_t)moat_call_on_parent(self, host_pid, NULL) != getpid())
        return NULL;
    (void)input;
    return NULL;
}

static void host_calls_are_free(const void *arg)
{
    moat_co *co = create_with(call_host, NULL, NULL);

    (void)arg;
    /* The guest's own getpid, after the host call. */
    expect_denied(co, NULL, SYS_getpid, false);
    moat_co_destroy(co);
}

static void *return_input(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void use_heap(void)
{
    moat_heap *heap = NULL;
    void *blocks[64];

    EXPECT_EQ(moat_heap_create(&heap, (size_t)64 << 20), MOAT_OK);
    for (int i = 0; i < 64; i++) {
        blocks[i] = moat_heap_alloc(heap, (size_t)200 << 10);
        EXPECT(blocks[i] != NULL);
        memset(blocks[i], 1, (size_t)200 << 10);
    }
    for (int i = 0; i < 64; i++)
        moat_heap_free(heap, blocks[i]);
    moat_heap_destroy(heap);
}

static void use_coroutines(void)
{
    moat_co *many[100];
    moat_event event;
    size_t done = 0;

    EXPECT_EQ(moat_co_create_n(many, return_input, NULL, NULL, 100, &done),
              MOAT_OK);
    for (size_t i = 0; i < done; i++) {
        EXPECT_EQ(moat_co_resume(many[i], NULL, &event), MOAT_OK);
        moat_co_destroy(many[i]);
    }
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
}

static void fault(void *arg)
{
    (void)arg;
    write_null();
}

static void use_reports(void)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_engine_info engine = MOAT_ENGINE_INFO_INIT;
    moat_stack_info stack;
    moat_usage usage = MOAT_USAGE_INIT;
    static moat_frame frames[32];
    moat_co *co = guest_create(guest_write_null);
    size_t count;

    EXPECT_EQ(moat_notrap_call(fault, NULL, &info), MOAT_E_FAULT);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    (void)moat_co_backtrace(co, frames, 32, &count);
    (void)moat_backtrace(frames, 32, &count);
    EXPECT(moat_co_write_json(co, -1) != MOAT_OK);
    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_OK);
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    EXPECT_EQ(moat_engine_get_info(&engine), MOAT_OK);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    EXPECT(moat_co_create(NULL, return_input, NULL) == MOAT_E_INVAL &&
           strstr(moat_error_detail(), "out is NULL") != NULL);
    moat_co_destroy(co);
}

static void *use_library(moat_co *self, void *input)
{
    use_heap();
    use_coroutines();
    (void)self;
    use_reports();
    return (void *)raw(SYS_gettid, 0, 0, 0) != NULL ? input : NULL;
}

/* With all of its system calls denied. */
static void the_librarys_calls_pass(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;
    moat_status status;

    (void)arg;
    limits.syscalls = &policy;
    options.limits = &limits;
    options.stack_bytes = (size_t)1 << 20;
    status = moat_co_create(&co, use_library, &options);
    leave_out_if_unsupported(status);
    REQUIRE(status == MOAT_OK);
    expect_denied(co, NULL, SYS_gettid, false);
    EXPECT_EQ(calls_of(co), 1);
    moat_co_destroy(co);
    expect_free_host();
}

/* ---- Guests in guests ---- */

struct nested {
    moat_entry entry;
    decision *decide; /* of the inner one */
    bool has_policy;
    long result;
    moat_event_kind kind;
};

static void *get_parent(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)raw(SYS_getppid, 0, 0, 0);
}

static void *resume_inner(moat_co *self, void *input)
{
    struct nested *nested = input;
    moat_co *co = nested->has_policy
                      ? create_with(nested->entry, nested->decide, NULL)
                      : guest_create(nested->entry);
    moat_event event = guest_resume(co, NULL);

    (void)self;
    nested->kind = event.kind;
    nested->result = (long)event.value;
    if (event.kind != MOAT_EVENT_TRAP)
        moat_co_destroy(co);
    return (void *)raw(SYS_gettid, 0, 0, 0);
}

static void run_nested(struct nested *nested, decision *outer)
{
    moat_co *co = create_with(resume_inner, outer, NULL);
    moat_event event = guest_resume(co, nested);

    EXPECT_EQ(event.kind, outer == NULL ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    if (event.kind == MOAT_EVENT_RETURN)
        EXPECT_EQ((long)event.value, raw(SYS_gettid, 0, 0, 0));
    expect_free_host();
}

static moat_syscall_verdict deny_parent(moat_co *co, moat_syscall *call,
                                        void *arg)
{
    (void)co;
    (void)arg;
    return call->number == SYS_getppid ? MOAT_SYSCALL_TRAP
                                       : MOAT_SYSCALL_PERFORM;
}

static moat_syscall_verdict decide_in_guest(moat_co *co, moat_syscall *call,
                                            void *arg)
{
    (void)co;
    (void)call;
    (void)arg;
    EXPECT(moat_co_current() != NULL);
    /* The outer policy performs it. */
    EXPECT_EQ(raw(SYS_getpid, 0, 0, 0), getpid());
    return MOAT_SYSCALL_PERFORM;
}

static void a_policy_covers_the_guests_inside(const void *arg)
{
    struct nested nested = {.entry = get_parent};

    (void)arg;
    run_nested(&nested, NULL);
    EXPECT_EQ(nested.kind, MOAT_EVENT_TRAP);
    run_nested(&nested, deny_parent);
    EXPECT_EQ(nested.kind, MOAT_EVENT_TRAP);
    run_nested(&nested, perform);
    EXPECT_EQ(nested.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(nested.result, getppid());
    nested.has_policy = true;
    run_nested(&nested, NULL);
    EXPECT_EQ(nested.kind, MOAT_EVENT_TRAP);
    run_nested(&nested, perform);
    EXPECT_EQ(nested.kind, MOAT_EVENT_TRAP);
    nested.decide = emulate;
    run_nested(&nested, deny_parent);
    EXPECT_EQ(nested.result, -EPERM);
    nested.decide = perform;
    run_nested(&nested, deny_parent);
    EXPECT_EQ(nested.kind, MOAT_EVENT_TRAP);
    nested.decide = decide_in_guest;
    run_nested(&nested, perform);
    EXPECT_EQ(nested.result, getppid());
}

static moat_co *other;

static void *transfer(moat_co *self, void *input)
{
    void *back = NULL;

    (void)input;
    EXPECT_EQ(moat_co_switch_to(self, other, NULL, &back), MOAT_OK);
    return (void *)raw(SYS_getpid, 0, 0, 0);
}

static void transfers_take_the_filter_along(const void *arg)
{
    moat_event event;
    moat_co *co;

    (void)arg;
    /* From one without to one with a policy. */
    other = create_with(call_again_and_again, NULL, NULL);
    co = guest_create(transfer);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT(event.kind == MOAT_EVENT_YIELD && event.co == other);
    expect_free_host();
    expect_denied(other, NULL, SYS_getpid, false);
    EXPECT_EQ((uintptr_t)guest_resume(co, NULL).value, getpid());
    expect_free_host();
    moat_co_destroy(other);
    moat_co_destroy(co);
    /* And the other way. */
    other = guest_create(call_again_and_again);
    co = create_with(transfer, NULL, NULL);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT(event.kind == MOAT_EVENT_YIELD && event.co == other);
    EXPECT_EQ((uintptr_t)guest_resume(other, NULL).value, getpid());
    expect_denied(co, NULL, SYS_getpid, false);
    expect_free_host();
    moat_co_destroy(other);
    moat_co_destroy(co);
}

/* ---- Signals ---- */

static volatile unsigned handled;
static volatile bool handler_failed;

static void on_signal(int signo)
{
    int saved_errno = errno;

    (void)signo;
    handled++;
    if (raw(SYS_getpid, 0, 0, 0) != getpid() || getppid() <= 0)
        handler_failed = true;
    errno = saved_errno;
}

static timer_t start_timer(int signo, long ns)
{
    struct itimerspec when = {{0, ns}, {0, ns}};
    struct sigevent event;
    timer_t timer;

    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signo;
    REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    REQUIRE(timer_settime(timer, 0, &when, NULL) == 0);
    return timer;
}

static void *spin_and_call(moat_co *self, void *input)
{
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + 100 * MS;
    volatile uint64_t sum = 0;

    (void)self;
    (void)input;
    while (handled < 20 && clock_ns(CLOCK_MONOTONIC) < end + 10000 * MS)
        sum = sum * 3 + 1;
    return (void *)raw(SYS_gettid, 0, 0, 0);
}

static void expect_signals_pass(int flags, decision *decide)
{
    moat_co *co = create_with(spin_and_call, decide, NULL);
    struct sigaction action;
    timer_t timer;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = flags;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    handled = 0;
    timer = start_timer(SIGUSR1, 500000);
    if (decide == NULL)
        expect_denied(co, NULL, SYS_gettid, false);
    else
        EXPECT_EQ((long)guest_resume(co, NULL).value, raw(SYS_gettid, 0, 0, 0));
    (void)timer_delete(timer);
    EXPECT(handled >= 20 && !handler_failed);
    EXPECT_EQ(calls_of(co), 1);
    moat_co_destroy(co);
    expect_free_host();
}

static void handlers_of_the_host_are_free(const void *arg)
{
    static const int flags[] = {SA_ONSTACK | SA_RESTART, SA_RESTART};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        expect_context("flags %x", (unsigned)flags[i]);
        expect_signals_pass(flags[i], NULL);
        expect_signals_pass(flags[i], perform);
    }
}

static void *call_often(moat_co *self, void *input)
{
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + 200 * MS;
    long pid = getpid(), wrong = 0;

    (void)self;
    (void)input;
    while (clock_ns(CLOCK_MONOTONIC) < end)
        wrong += raw(SYS_getpid, 0, 0, 0) != pid;
    return (void *)wrong;
}

/* Signals land at every stage of a call. */
static void calls_under_a_storm_of_signals(const void *arg)
{
    static const int flags[] = {SA_ONSTACK, 0};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        moat_co *co = create_with(call_often, perform, NULL);
        struct sigaction action;
        timer_t timer;

        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        action.sa_flags = flags[i];
        REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
        timer = start_timer(SIGUSR1, 100000);
        EXPECT_EQ((long)guest_resume(co, NULL).value, 0);
        (void)timer_delete(timer);
        EXPECT(!handler_failed);
        moat_co_destroy(co);
        expect_free_host();
    }
}

/* ---- Limits ---- */

static volatile unsigned slices_seen;

static void *call_until_preempted(moat_co *self, void *input)
{
    long pid = getpid(), wrong = 0;

    (void)self;
    (void)input;
    while (slices_seen < 20)
        wrong += raw(SYS_getpid, 0, 0, 0) != pid;
    return (void *)wrong;
}

static void slices_and_calls(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event;
    moat_co *co;

    (void)arg;
    limits.slice_ns = MS;
    co = create_limited(call_until_preempted, perform, NULL, &limits);
    while ((event = guest_resume(co, NULL)).kind == MOAT_EVENT_PREEMPT) {
        expect_free_host();
        slices_seen++;
    }
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.value == NULL);
    moat_co_destroy(co);
}

static void *loop_then_call(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    while (slices_seen < 5)
        continue;
    return (void *)raw(SYS_getpid, 0, 0, 0);
}

static void a_preempted_guest_comes_back_filtered(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event;
    moat_co *co;

    (void)arg;
    limits.slice_ns = MS;
    co = create_limited(loop_then_call, NULL, NULL, &limits);
    while ((event = guest_resume(co, NULL)).kind == MOAT_EVENT_PREEMPT)
        slices_seen++;
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(calls_of(co), 1);
    expect_free_host();
    moat_co_destroy(co);
}

static void *call_for_ever(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    for (;;)
        (void)raw(SYS_getpid, 0, 0, 0);
    return NULL;
}

static void limits_stop_a_filtered_guest(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    (void)arg;
    limits.resume_cpu_ns = 20 * MS;
    limits.total_cpu_ns = 1000 * MS;
    co = create_limited(guest_loop, NULL, NULL, &limits);
    for (int i = 0; i < 3; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
        expect_free_host();
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
    limits.total_cpu_ns = 50 * MS;
    limits.resume_cpu_ns = 0;
    co = create_limited(call_for_ever, perform, NULL, &limits);
    guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    expect_free_host();
    moat_co_destroy(co);
}

static void a_fault_of_a_filtered_guest_traps(const void *arg)
{
    moat_co *co = create_with(guest_write_null, NULL, NULL);

    (void)arg;
    for (int i = 0; i < 100; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        expect_free_host();
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
}

/* ---- Sections, small stacks, a cancel ---- */

static void call_kernel(void *arg)
{
    *(long *)arg = raw(SYS_getpid, 0, 0, 0);
}

static void *call_in_a_section(moat_co *self, void *input)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    long result = 0;

    (void)self;
    if (moat_notrap_call(call_kernel, &result, &info) != MOAT_E_FAULT ||
        info.kind != MOAT_TRAP_SYSCALL || info.syscall_number != SYS_getpid)
        return input;
    return (void *)raw(SYS_getuid, 0, 0, 0);
}

static void a_denied_call_ends_a_notrap_call(const void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        moat_co *co =
            create_with(call_in_a_section, i == 0 ? NULL : deny, NULL);

        expect_denied(co, NULL, SYS_getuid, false);
        EXPECT_EQ(calls_of(co), 2);
        moat_co_destroy(co);
    }
}

static void *call_in_an_open_section(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_notrap_enter();
    return (void *)raw(SYS_getpid, 0, 0, 0);
}

static void one_in_a_notrap_section_is_fatal(const void *arg)
{
    moat_co *co = NULL;
    moat_status status =
        try_create(&co, call_in_an_open_section, NULL, NULL, NULL);

    (void)arg;
    if (status == MOAT_OK) {
        (void)guest_resume(co, NULL);
        return;
    }
    EXPECT_EQ(status, MOAT_E_UNSUPPORTED);
    (void)printf("skipped: %s: no Syscall User Dispatch here\n", __func__);
    (void)fflush(stdout);
    (void)raise(SIGSYS);
}

/* Until less is left than a policy needs. */
static long call_deep_down(void)
{
    volatile char frame[256];
    long result;

    frame[0] = 1;
    if (moat_stack_reserve(4096) == MOAT_OK)
        result = call_deep_down();
    else
        result = raw(SYS_getppid, 0, 0, 0);
    return frame[0] == 1 ? result : 0;
}

static void *go_down(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)call_deep_down();
}

static void on_a_small_stack_a_call_overflows(const void *arg)
{
    moat_co *co = create_with(go_down, perform, NULL);

    (void)arg;
    guest_expect_trap(co, NULL, MOAT_TRAP_STACK_OVERFLOW);
    moat_co_destroy(co);
    expect_free_host();
}

static volatile long cleaned;

static void clean(const int *unused)
{
    (void)unused;
    cleaned = raw(SYS_getpid, 0, 0, 0);
}

static void *wait_with_cleanup(moat_co *self, void *input)
{
    __attribute__((cleanup(clean))) const int object = 0;

    (void)object;
    return moat_co_yield(self, input);
}

static void a_cancelled_guest_cleans_up_by_its_policy(const void *arg)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co = create_with(wait_with_cleanup, perform, NULL);

    (void)arg;
    (void)guest_resume(co, NULL);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(cleaned, getpid());
    moat_co_destroy(co);
    co = create_with(wait_with_cleanup, NULL, NULL);
    (void)guest_resume(co, NULL);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    expect_free_host();
}

/* ---- Exceptions ---- */

static void *throw_and_call(moat_co *self, void *input)
{
    if (throw_and_catch(self, NULL) != self)
        return input;
    return (void *)raw(SYS_getpid, 0, 0, 0);
}

/* The first exception may take memory by a system call. */
static void exceptions_pass_a_filtered_guest(const void *arg)
{
    moat_co *co = guest_create(throw_and_catch);

    (void)arg;
    EXPECT(guest_resume(co, NULL).value == co);
    moat_co_destroy(co);
    for (int i = 0; i < 10; i++) {
        co = create_with(throw_and_call, NULL, NULL);
        expect_denied(co, NULL, SYS_getpid, false);
        EXPECT_EQ(calls_of(co), 1);
        moat_co_destroy(co);
        co = create_with(throw_through_the_root, NULL, NULL);
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PANIC);
        expect_free_host();
        moat_co_destroy(co);
    }
}

/* ---- Deferred functions ---- */

static void free_and_note(void *arg)
{
    *(long *)arg = raw(SYS_getpid, 0, 0, 0);
}

static void *defer_and_call(moat_co *self, void *input)
{
    EXPECT_EQ(moat_co_defer(self, free_and_note, input), MOAT_OK);
    return (void *)raw(SYS_getpid, 0, 0, 0);
}

static void deferred_functions_are_the_hosts(const void *arg)
{
    moat_co *co = create_with(defer_and_call, NULL, NULL);
    long noted = 0;

    (void)arg;
    expect_denied(co, &noted, SYS_getpid, false);
    EXPECT_EQ(noted, getpid());
    moat_co_destroy(co);
}

/* ---- Threads and children ---- */

static void *run_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 300; i++) {
        moat_co *denied = create_with(call_again_and_again, NULL, NULL);
        moat_co *performed = create_with(call_again_and_again, perform, NULL);

        (void)guest_resume(denied, NULL);
        (void)guest_resume(performed, NULL);
        EXPECT_EQ(guest_resume(denied, NULL).kind, MOAT_EVENT_TRAP);
        EXPECT_EQ((uintptr_t)guest_resume(performed, NULL).value, getpid());
        moat_co_destroy(denied);
        moat_co_destroy(performed);
    }
    return NULL;
}

static void threads_have_filters_of_their_own(const void *arg)
{
    pthread_t threads[4];
    moat_co *co = create_with(call_again_and_again, NULL, NULL);

    (void)arg;
    (void)guest_resume(co, NULL);
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, run_thread, NULL) == 0);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    expect_denied(co, NULL, SYS_getpid, false);
    moat_co_destroy(co);
}

static int child_of(long (*fork_it)(void), moat_co *co)
{
    int child = (int)fork_it();
    moat_event event;

    if (child != 0)
        return child;
    if (moat_co_resume(co, NULL, &event) != MOAT_OK)
        _exit(1);
    _exit(event.kind == MOAT_EVENT_TRAP ? 42 : 2);
}

static long fork_libc(void)
{
    return fork();
}

static long fork_raw(void)
{
    return raw(SYS_fork, 0, 0, 0);
}

static void a_forked_child_filters_too(const void *arg)
{
    moat_co *co = create_with(call_again_and_again, NULL, NULL);

    (void)arg;
    (void)guest_resume(co, NULL);
    EXPECT_EQ(exit_status_of(child_of(fork_libc, co)), 42);
    EXPECT_EQ(exit_status_of(child_of(fork_raw, co)), 42);
    expect_denied(co, NULL, SYS_getpid, false);
    moat_co_destroy(co);
}

static void *fork_in_host(void *arg)
{
    long (*fork_it)(void) = *(long (**)(void))arg;

    return (void *)fork_it();
}

/* In the child the guest goes on, and is denied: so the child ends. */
static void *fork_by_host_call(moat_co *self, void *input)
{
    long child = (long)moat_call_on_parent(self, fork_in_host, input);

    if (child != 0)
        return (void *)child;
    (void)raw(SYS_exit_group, 3, 0, 0);
    return NULL;
}

static void a_child_of_a_host_call_filters_too(const void *arg)
{
    static long (*const forks[])(void) = {fork_libc, fork_raw};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        moat_co *co = create_with(fork_by_host_call, NULL, NULL);
        moat_event event = guest_resume(co, (void *)(uintptr_t)&forks[i]);

        expect_context("fork %d", i);
        /* In the child of the raw call the host comes back, too. */
        if (event.kind == MOAT_EVENT_TRAP)
            _exit(41);
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        EXPECT(exit_status_of((int)(intptr_t)event.value) != 3);
        moat_co_destroy(co);
    }
}

/* ---- Refusals ---- */

static void refusals_say_why(const void *arg)
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    (void)arg;
    policy.struct_size = 1;
    limits.syscalls = &policy;
    options.limits = &limits;
    EXPECT_EQ(moat_co_create(&co, return_input, &options), MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "limits->syscalls->struct_size is 1") !=
           NULL);
}

/* As on a kernel without Syscall User Dispatch. */
static void forbid_dispatch(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 59, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {sizeof filter / sizeof filter[0],
                                       filter};

    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        child_leave_out("this kernel has no seccomp");
}

static void without_the_kernel_no_guest_is_made(const void *arg)
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_spec *spec = NULL;
    moat_co *co = NULL;

    (void)arg;
    forbid_dispatch();
    limits.syscalls = &policy;
    options.limits = &limits;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(moat_co_create(&co, return_input, &options),
                  MOAT_E_UNSUPPORTED);
        EXPECT(strncmp(moat_error_detail(),
                       "MOAT_E_UNSUPPORTED: limits->syscalls",
                       strlen("MOAT_E_UNSUPPORTED: limits->syscalls")) == 0);
        EXPECT_EQ(moat_spec_create(&spec, &options), MOAT_E_UNSUPPORTED);
    }
    EXPECT(co == NULL && spec == NULL);
    limits.syscalls = NULL;
    EXPECT_EQ(moat_co_create(&co, return_input, &options), MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* The filter is forbidden after the guest was made, and lost by a fork. */
static void without_the_kernel_no_guest_is_entered(const void *arg)
{
    moat_co *co = create_with(return_input, NULL, NULL);
    int child;

    (void)arg;
    child = (int)fork_raw();
    if (child == 0) {
        moat_event event;

        forbid_dispatch();
        _exit(moat_co_resume(co, NULL, &event) == MOAT_E_UNSUPPORTED ? 42 : 1);
    }
    EXPECT_EQ(exit_status_of(child), 42);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(each_way_is_denied_with_its_number),
    CHILD_CASE(a_policy_denies_each_way),
    CHILD_CASE(calls_have_names),
    CHILD_CASE(reports_name_the_call),
    CHILD_CASE(no_instruction_is_exempt),
    CHILD_CASE(the_vsyscall_page_does_no_harm),
    CHILD_CASE(fork_is_denied_before_locks_are_taken),
    CHILD_CASE(some_are_never_performed),
    CHILD_CASE(the_filter_stays_where_it_is),
    CHILD_CASE(a_reset_guest_keeps_its_policy),
    CHILD_CASE(spares_keep_their_policy),
    CHILD_CASE(a_write_is_emulated),
    CHILD_CASE(an_error_is_emulated),
    CHILD_CASE(a_call_changes_no_other_register),
    CHILD_CASE(calls_are_performed),
    CHILD_CASE(the_signal_of_a_call_cannot_be_blocked),
    CHILD_CASE(a_deadline_ends_a_call_that_blocks),
    CHILD_CASE(an_abort_is_a_trap_of_its_kind),
    CHILD_CASE(host_calls_are_free),
    CHILD_CASE(the_librarys_calls_pass),
    CHILD_CASE(a_policy_covers_the_guests_inside),
    CHILD_CASE(transfers_take_the_filter_along),
    CHILD_CASE(handlers_of_the_host_are_free),
    CHILD_CASE(calls_under_a_storm_of_signals),
    CHILD_CASE(slices_and_calls),
    CHILD_CASE(a_preempted_guest_comes_back_filtered),
    CHILD_CASE(limits_stop_a_filtered_guest),
    CHILD_CASE(a_fault_of_a_filtered_guest_traps),
    CHILD_CASE(a_denied_call_ends_a_notrap_call),
    {"one_in_a_notrap_section_is_fatal", one_in_a_notrap_section_is_fatal, NULL,
     NULL, SIGSYS, 0},
    CHILD_CASE(on_a_small_stack_a_call_overflows),
    CHILD_CASE(a_cancelled_guest_cleans_up_by_its_policy),
    {"exceptions_pass_a_filtered_guest", exceptions_pass_a_filtered_guest, NULL,
     UNDER_ASAN ? "AddressSanitizer calls sigaltstack before a throw" : NULL, 0,
     0},
    CHILD_CASE(deferred_functions_are_the_hosts),
    CHILD_CASE(threads_have_filters_of_their_own),
    CHILD_CASE(a_forked_child_filters_too),
    CHILD_CASE(a_child_of_a_host_call_filters_too),
    CHILD_CASE(refusals_say_why),
    CHILD_CASE(without_the_kernel_no_guest_is_made),
    CHILD_CASE(without_the_kernel_no_guest_is_entered),
};

int main(int argc, char **argv)
{
    return child_cases_run("syscalls", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
