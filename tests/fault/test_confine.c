/*
 * test_confine.c: threads whose system calls are bounded for good.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"
#include "syscall_ways.h"

static void confine(const long *calls, size_t count)
{
    moat_status status = moat_thread_confine(calls, count);

    if (status == MOAT_E_UNSUPPORTED)
        child_leave_out(moat_error_detail());
    REQUIRE(status == MOAT_OK);
}

/* But for the messages of a test that fails. */
static void confine_to_nothing(void)
{
    static const long calls[] = {SYS_write, SYS_newfstatat, SYS_lseek};

    confine(calls, 3);
}

/* ---- The host ---- */

static void a_host_is_told(const void *arg)
{
    static const long calls[] = {SYS_getuid, SYS_write, SYS_getuid};

    (void)arg;
    confine(calls, 3);
    errno = 0;
    EXPECT(open("/etc/passwd", O_RDONLY | O_CLOEXEC) == -1 && errno == EPERM);
    EXPECT_EQ(raw(SYS_getppid, 0, 0, 0), -EPERM);
    EXPECT(raw(SYS_getuid, 0, 0, 0) >= 0);
    EXPECT(raw(SYS_getpid, 0, 0, 0) == getpid());
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
}

static void *open_freely(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void *confine_and_wait(void *arg)
{
    confine_to_nothing();
    (void)pthread_barrier_wait(arg);
    return open_freely(NULL);
}

static void other_threads_are_free(const void *arg)
{
    pthread_barrier_t barrier;
    pthread_t thread;
    void *fd = NULL;

    (void)arg;
    REQUIRE(pthread_barrier_init(&barrier, NULL, 2) == 0);
    REQUIRE(pthread_create(&thread, NULL, confine_and_wait, &barrier) == 0);
    (void)pthread_barrier_wait(&barrier);
    EXPECT((intptr_t)open_freely(NULL) >= 0);
    REQUIRE(pthread_join(thread, &fd) == 0);
    EXPECT_EQ((intptr_t)fd, -1);
}

static void a_second_bound_narrows(const void *arg)
{
    static const long calls[] = {SYS_getuid, SYS_write, SYS_getppid,
                                 SYS_getgid};

    (void)arg;
    confine(calls, 3);
    REQUIRE(moat_thread_confine(calls + 1, 3) == MOAT_OK);
    EXPECT_EQ(raw(SYS_getuid, 0, 0, 0), -EPERM);
    EXPECT(raw(SYS_getppid, 0, 0, 0) > 0);
    EXPECT_EQ(raw(SYS_getgid, 0, 0, 0), -EPERM);
}

static void with_the_signal_blocked_it_is_fatal(const void *arg)
{
    sigset_t set;

    (void)arg;
    if (moat_thread_confine(NULL, 0) == MOAT_OK) {
        (void)sigfillset(&set);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
        EXPECT_EQ(moat_thread_attach(), MOAT_OK);
        EXPECT_EQ(raw(SYS_getppid, 0, 0, 0), -EPERM);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        (void)raw(SYS_getppid, 0, 0, 0);
    }
    (void)printf("skipped: %s: no seccomp here\n", __func__);
    (void)fflush(stdout);
    (void)raise(SIGSYS);
}

static void *return_at_once(void *arg)
{
    return arg;
}

/* The C library blocks the signal of a refused call around them. */
static void starts_fail(const void *arg)
{
    pthread_t thread;

    (void)arg;
    confine_to_nothing();
    EXPECT(fork() == -1 && errno == EPERM);
    EXPECT_EQ(pthread_create(&thread, NULL, return_at_once, NULL), EPERM);
    EXPECT_EQ(raw(SYS_vfork, 0, 0, 0), -EPERM);
}

static void *call_refused(void *result)
{
    *(long *)result = raw(SYS_getppid, 0, 0, 0);
    return NULL;
}

static void a_thread_that_it_starts_is_told(const void *arg)
{
    static const long calls[] = {SYS_write, SYS_clone,           SYS_clone3,
                                 SYS_rseq,  SYS_set_robust_list, SYS_mprotect};
    long result = 0;
    pthread_t thread;

    (void)arg;
    confine(calls, 6);
    REQUIRE(pthread_create(&thread, NULL, call_refused, &result) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(result, -EPERM);
}

/* ---- Guests ---- */

static void expect_refused(moat_co *co, void *input, long number, bool foreign)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event = guest_resume(co, input);

    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    if (event.kind != MOAT_EVENT_TRAP)
        return;
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_STR(moat_trap_kind_name(info.kind), "MOAT_TRAP_SYSCALL");
    EXPECT_EQ(info.limit, MOAT_LIMIT_SYSCALL);
    EXPECT_EQ(info.syscall_number, number);
    EXPECT_EQ(info.syscall_is_foreign, foreign);
    EXPECT_EQ(info.code, 1); /* SYS_SECCOMP */
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
}

static void *call_number(moat_co *self, void *input)
{
    (void)self;
    return (void *)raw(*(const long *)input, 0, 0, 0);
}

static const long get_parent = SYS_getppid;

static void a_guest_traps(const void *arg)
{
    moat_co *co;

    (void)arg;
    confine_to_nothing();
    co = guest_create(call_number);
    for (int i = 0; i < 100; i++) {
        expect_refused(co, (void *)(uintptr_t)&get_parent, SYS_getppid, false);
        EXPECT_EQ(raw(SYS_getppid, 0, 0, 0), -EPERM);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
}

static void *call_in_a_section(moat_co *self, void *input)
{
    long result;

    (void)self;
    moat_notrap_enter();
    result = raw(SYS_getppid, 0, 0, 0);
    moat_notrap_leave();
    return result == -EPERM ? input : NULL;
}

static void a_section_is_told(const void *arg)
{
    moat_co *co;

    (void)arg;
    confine_to_nothing();
    co = guest_create(call_in_a_section);
    EXPECT(guest_resume(co, &co).value == &co);
    moat_co_destroy(co);
}

static volatile long result_of_handler;

static void on_signal(int signo)
{
    (void)signo;
    result_of_handler = raw(SYS_getppid, 0, 0, 0);
}

static void *signal_itself(moat_co *self, void *input)
{
    (void)self;
    (void)raise(SIGUSR1);
    return result_of_handler == -EPERM ? input : NULL;
}

static void a_hosts_handler_is_told(const void *arg)
{
    static const int flags[] = {SA_ONSTACK, 0};

    (void)arg;
    confine_to_nothing();
    for (int i = 0; i < 2; i++) {
        moat_co *co = guest_create(signal_itself);
        struct sigaction action;

        expect_context("flags %x", (unsigned)flags[i]);
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        action.sa_flags = flags[i];
        REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
        result_of_handler = 0;
        EXPECT(guest_resume(co, &co).value == &co);
        moat_co_destroy(co);
    }
}

static moat_syscall_verdict perform(moat_co *co, moat_syscall *call, void *arg)
{
    (void)co;
    (void)call;
    (void)arg;
    return MOAT_SYSCALL_PERFORM;
}

static moat_co *create_filtered(moat_entry entry,
                                moat_syscall_verdict (*decide)(moat_co *,
                                                               moat_syscall *,
                                                               void *))
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_status status;
    moat_co *co = NULL;

    policy.decide = decide;
    limits.syscalls = &policy;
    options.limits = &limits;
    status = moat_co_create(&co, entry, &options);
    if (status == MOAT_E_UNSUPPORTED)
        child_leave_out("no Syscall User Dispatch here");
    REQUIRE(status == MOAT_OK);
    return co;
}

static void it_bounds_what_a_policy_performs(const void *arg)
{
    moat_co *co;

    (void)arg;
    confine_to_nothing();
    co = create_filtered(call_number, perform);
    expect_refused(co, (void *)(uintptr_t)&get_parent, SYS_getppid, false);
    moat_co_destroy(co);
}

/* ---- A guest that has got around its policy ----
 *
 * The host notes the thread's locals. Where two bytes are 0 there and 1 while a
 * guest with a policy runs, its filter is: what the kernel reads comes first.
 */

#define LOCALS 4096

static unsigned char host_locals[LOCALS];

static volatile unsigned char *locals(void)
{
    unsigned char *end;

    __asm__("movq %%fs:0, %0" : "=r"(end));
    return end - LOCALS;
}

__attribute__((no_sanitize("address"))) static void note_locals(void)
{
    for (size_t i = 0; i < LOCALS; i++)
        host_locals[i] = locals()[i];
}

__attribute__((no_sanitize("address"))) static void forge(void)
{
    volatile unsigned char *now = locals();

    for (size_t i = 0; i + 1 < LOCALS; i++) {
        if (host_locals[i] == 0 && host_locals[i + 1] == 0 && now[i] == 1 &&
            now[i + 1] == 1)
            now[i] = 0;
    }
}

static void *forge_and_go(moat_co *self, void *input)
{
    const struct way *way = input;

    (void)self;
    forge();
    (void)raw(SYS_getpid, 0, 0, 0);
    way->go();
    return NULL;
}

static void *forge_and_yield(moat_co *self, void *input)
{
    forge();
    (void)input;
    return moat_co_yield(self, (void *)raw(SYS_getppid, 0, 0, 0));
}

/* It is no test of the bound if the policy still holds. */
static void require_forgery(void)
{
    moat_co *co = create_filtered(forge_and_yield, NULL);
    moat_event event;

    note_locals();
    event = guest_resume(co, NULL);
    REQUIRE(event.kind == MOAT_EVENT_YIELD);
    EXPECT_EQ((intptr_t)event.value, getppid());
    (void)guest_resume(co, NULL);
    moat_co_destroy(co);
}

/* By the library, and by the test. */
static bool is_needed(const struct way *way)
{
    static const long numbers[] = {
        SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_sigaltstack,  SYS_write,
        SYS_clock_gettime,  SYS_getpid,       SYS_gettid,       SYS_lseek,
        SYS_futex,          SYS_brk,          SYS_munmap,       SYS_madvise,
        SYS_exit_group,     SYS_exit,         SYS_rt_sigreturn, SYS_newfstatat,
        SYS_clock_nanosleep};
    static const char *const names[] = {"prctl, filter off",
                                        "raw prctl, filter off", "mprotect",
                                        "a large malloc", "getrlimit"};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (way->number == numbers[i] && !way->is_foreign)
            return true;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(way->name, names[i]) == 0)
            return true;
    }
    return false;
}

/* These fail: docs/guest-system-calls.md. */
static bool starts_something(const struct way *way)
{
    return way->number == SYS_fork || way->number == SYS_vfork ||
           way->number == SYS_clone || way->number == SYS_clone3;
}

static void expect_no_child(moat_co *co, const struct way *way)
{
    EXPECT_EQ(guest_resume(co, (void *)(uintptr_t)way).kind, MOAT_EVENT_RETURN);
    EXPECT(waitpid(-1, NULL, WNOHANG) == -1);
}

static void it_holds_where_a_policy_was_got_around(const void *arg)
{
    unsigned refused = 0;

    (void)arg;
    require_forgery();
    confine_to_nothing();
    for (size_t i = 0; i < way_count; i++) {
        moat_co *co;

        if (is_needed(&ways[i]))
            continue;
        expect_context("%s", ways[i].name);
        co = create_filtered(forge_and_go, NULL);
        note_locals();
        if (starts_something(&ways[i]) && !ways[i].is_foreign)
            expect_no_child(co, &ways[i]);
        else
            expect_refused(co, (void *)(uintptr_t)&ways[i], ways[i].number,
                           ways[i].is_foreign);
        moat_co_destroy(co);
        refused++;
    }
    EXPECT(refused >= 20);
}

static unsigned char code_page[4096] __attribute__((aligned(4096)));
static long pid_of_parent;

/* Those that the library needs, with arguments that it does not. */
static void map_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
               -1, 0);
}

static void map_file(void)
{
    (void)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0);
}

static void protect_code(void)
{
    (void)mprotect(code_page, sizeof code_page, PROT_READ | PROT_EXEC);
}

static void name_itself(void)
{
    (void)prctl(PR_SET_NAME, "guest");
}

static void ask_terminal(void)
{
    (void)raw(SYS_ioctl, 0, 0x5401, (uint64_t)(uintptr_t)code_page);
}

static void signal_parent(void)
{
    (void)raw(SYS_tgkill, (uint64_t)pid_of_parent, (uint64_t)pid_of_parent, 0);
}

static void queue_to_parent(void)
{
    (void)raw(SYS_rt_tgsigqueueinfo, (uint64_t)pid_of_parent,
              (uint64_t)pid_of_parent, 0);
}

static void read_parent(void)
{
    (void)raw(SYS_process_vm_readv, (uint64_t)pid_of_parent, 0, 0);
}

static void limit_parent(void)
{
    (void)raw(SYS_prlimit64, (uint64_t)pid_of_parent, 0, 0);
}

static void limit_itself(void)
{
    (void)raw(SYS_prlimit64, 0, 0, (uint64_t)(uintptr_t)code_page);
}

/* The lower half of the address is 0. */
static void set_a_limit(void)
{
    uint64_t *limit =
        mmap((void *)((uintptr_t)1 << 32), 4096, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (limit != MAP_FAILED)
        limit[0] = limit[1] = 3;
    (void)raw(SYS_prlimit64, 0, RLIMIT_NOFILE, (uint64_t)1 << 32);
}

static void advise_another(void)
{
    (void)raw(SYS_process_madvise, 5, 0, 0);
}

static void arguments_are_bounded(const void *arg)
{
    static const struct way wrong[] = {
        {"mmap of code", map_code, SYS_mmap, false},
        {"mmap of a file", map_file, SYS_mmap, false},
        {"mprotect to code", protect_code, SYS_mprotect, false},
        {"another prctl", name_itself, SYS_prctl, false},
        {"another ioctl", ask_terminal, SYS_ioctl, false},
        {"tgkill", signal_parent, SYS_tgkill, false},
        {"rt_tgsigqueueinfo", queue_to_parent, SYS_rt_tgsigqueueinfo, false},
        {"process_vm_readv", read_parent, SYS_process_vm_readv, false},
        {"prlimit64 of another", limit_parent, SYS_prlimit64, false},
        {"prlimit64 that sets", limit_itself, SYS_prlimit64, false},
        {"prlimit64 that sets, upper half", set_a_limit, SYS_prlimit64, false},
        {"process_madvise", advise_another, SYS_process_madvise, false}};

    (void)arg;
    pid_of_parent = getppid();
    require_forgery();
    confine_to_nothing();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        moat_co *co = create_filtered(forge_and_go, NULL);

        expect_context("%s", wrong[i].name);
        note_locals();
        expect_refused(co, (void *)(uintptr_t)&wrong[i], wrong[i].number,
                       false);
        moat_co_destroy(co);
    }
}

static void *end_filter(moat_co *self, void *input)
{
    (void)self;
    forge();
    if (prctl(59, 0, 0, 0, 0) != 0)
        return NULL;
    return (void *)raw(*(const long *)input, 0, 0, 0);
}

static void it_holds_where_the_filter_was_ended(const void *arg)
{
    moat_co *co;

    (void)arg;
    require_forgery();
    confine_to_nothing();
    co = create_filtered(end_filter, NULL);
    note_locals();
    expect_refused(co, (void *)(uintptr_t)&get_parent, SYS_getppid, false);
    moat_co_destroy(co);
}

/* ---- The library ---- */

static void use_heap(moat_heap *heap)
{
    void *blocks[32];

    for (int i = 0; i < 32; i++) {
        blocks[i] = moat_heap_alloc(heap, (size_t)300 << 10);
        EXPECT(blocks[i] != NULL);
    }
    for (int i = 0; i < 32; i++)
        moat_heap_free(heap, blocks[i]);
    moat_heap_trim(heap);
}

static void use_limits(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event;
    moat_co *co;

    limits.resume_cpu_ns = 5 * MS;
    limits.memory_bytes = (size_t)16 << 20;
    options.limits = &limits;
    options.flags = MOAT_CO_EXACT_USAGE;
    REQUIRE(moat_co_create(&co, guest_loop, &options) == MOAT_OK);
    guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    use_heap(moat_co_heap(co));
    moat_co_destroy(co);
    limits.resume_cpu_ns = 0;
    limits.slice_ns = MS;
    REQUIRE(moat_co_create(&co, guest_loop, &options) == MOAT_OK);
    for (int i = 0; i < 5; i++) {
        REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_PREEMPT);
    }
    moat_co_destroy(co);
}

static void use_many(void)
{
    enum { MANY = 3000 };
    moat_co **many = malloc(MANY * sizeof *many);
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    size_t done = 0;

    REQUIRE(many != NULL);
    options.stack_bytes = (size_t)32 << 10;
    EXPECT_EQ(moat_co_create_n(many, guest_echo, &options, NULL, MANY, &done),
              MOAT_OK);
    for (size_t i = 0; i < done; i++) {
        EXPECT_EQ(moat_co_resume(many[i], NULL, &event), MOAT_OK);
        moat_co_destroy(many[i]);
    }
    free(many);
}

static void use_traps(void)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    static moat_frame frames[32];
    moat_co *co = guest_create(guest_write_null);
    size_t count = 0;

    for (int i = 0; i < 10; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
        EXPECT_EQ(moat_co_backtrace(co, frames, 32, &count), MOAT_OK);
        EXPECT(count > 0);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void *work(void *arg)
{
    char *memory;

    confine_to_nothing();
    use_many();
    use_traps();
    use_limits();
    memory = malloc((size_t)32 << 20);
    EXPECT(memory != NULL);
    free(memory);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return arg;
}

static void the_library_has_what_it_needs(const void *arg)
{
    pthread_t threads[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}

static void *dirty_stack(moat_co *self, void *input)
{
    volatile char bytes[20000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 1;
    (void)bytes[7];
    return moat_co_yield(self, input);
}

/* No file can be opened. */
static void less_is_known_without_files(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    static const long calls[] = {SYS_write, SYS_pread64, SYS_lseek,
                                 SYS_newfstatat, SYS_close};
    moat_stack_info info;
    moat_co *co = NULL;

    (void)arg;
    confine(calls, sizeof calls / sizeof calls[0]);
    options.flags = MOAT_CO_SCRUB_ZERO;
    for (int i = 0; i < 3; i++) {
        REQUIRE(moat_co_create(&co, dirty_stack, &options) == MOAT_OK);
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
        EXPECT_EQ(moat_co_stack_info(co, &info), MOAT_E_SYSTEM);
        moat_co_destroy(co);
    }
    co = guest_create(guest_write_null);
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(moat_co_print_report(co, STDOUT_FILENO), MOAT_OK);
    moat_co_destroy(co);
}

static void a_policy_works_on_a_confined_thread(const void *arg)
{
    moat_co *co;

    (void)arg;
    confine_to_nothing();
    co = create_filtered(call_number, NULL);
    for (int i = 0; i < 10; i++) {
        guest_expect_trap(co, (void *)(uintptr_t)&get_parent,
                          MOAT_TRAP_SYSCALL);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
}

/* ---- Refusals ---- */

static void *confine_in_guest(moat_co *self, void *input)
{
    (void)self;
    return moat_thread_confine(NULL, 0) == MOAT_E_STATE ? input : NULL;
}

static void refusals_say_why(const void *arg)
{
    static const long wrong[] = {SYS_read, -1, 0x40000000L | SYS_read};
    static long many[5000];
    moat_co *co = guest_create(confine_in_guest);

    (void)arg;
    EXPECT_EQ(moat_thread_confine(wrong, 2), MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "calls[1] is -1: no system call") !=
           NULL);
    EXPECT_EQ(moat_thread_confine(wrong + 2, 1), MOAT_E_INVAL);
    EXPECT_EQ(moat_thread_confine(NULL, 1), MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "calls is NULL") != NULL);
    EXPECT_EQ(moat_thread_confine(many, 5000), MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "count is 5000: at most") != NULL);
    EXPECT(guest_resume(co, &co).value == &co);
    moat_co_destroy(co);
    EXPECT(raw(SYS_getppid, 0, 0, 0) == getppid());
}

static void as_many_as_allowed_can_be_listed(const void *arg)
{
    static long many[5000];
    size_t count = 0;

    (void)arg;
    for (size_t i = 0; i < 5000; i++)
        many[i] = SYS_getppid;
    REQUIRE(moat_thread_confine(many, 5000) == MOAT_E_INVAL);
    REQUIRE(sscanf(strstr(moat_error_detail(), "at most "), "at most %zu",
                   &count) == 1);
    confine(many, count);
    EXPECT(raw(SYS_getppid, 0, 0, 0) > 0);
    EXPECT_EQ(raw(SYS_getuid, 0, 0, 0), -EPERM);
}

/* The one call fails, with the error. */
static void forbid(long number, unsigned argument, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {sizeof filter / sizeof filter[0],
                                       filter};

    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        child_leave_out("this kernel has no seccomp");
}

static void expect_unsupported(const char *why)
{
    EXPECT_EQ(moat_thread_confine(NULL, 0), MOAT_E_UNSUPPORTED);
    EXPECT(strstr(moat_error_detail(), why) != NULL);
    EXPECT(raw(SYS_getppid, 0, 0, 0) == getppid());
}

static void without_seccomp_it_is_refused(const void *arg)
{
    (void)arg;
    forbid(SYS_seccomp, SECCOMP_SET_MODE_FILTER, ENOSYS);
    expect_unsupported("seccomp has failed");
}

static void without_the_prctl_it_is_refused(const void *arg)
{
    (void)arg;
    forbid(SYS_prctl, PR_SET_NO_NEW_PRIVS, EINVAL);
    expect_unsupported("prctl with PR_SET_NO_NEW_PRIVS has failed");
}

static const struct child_case cases[] = {
    CHILD_CASE(a_host_is_told),
    CHILD_CASE(other_threads_are_free),
    CHILD_CASE(a_second_bound_narrows),
    CHILD_CASE(starts_fail),
    {"a_thread_that_it_starts_is_told", a_thread_that_it_starts_is_told, NULL,
     UNDER_ASAN ? "the sanitizer reads files when a thread starts" : NULL, 0,
     0},
    {"with_the_signal_blocked_it_is_fatal", with_the_signal_blocked_it_is_fatal,
     NULL, NULL, SIGSYS, 0},
    CHILD_CASE(a_guest_traps),
    CHILD_CASE(a_section_is_told),
    CHILD_CASE(a_hosts_handler_is_told),
    CHILD_CASE(it_bounds_what_a_policy_performs),
    CHILD_CASE(it_holds_where_a_policy_was_got_around),
    CHILD_CASE(arguments_are_bounded),
    CHILD_CASE(it_holds_where_the_filter_was_ended),
    CHILD_CASE(the_library_has_what_it_needs),
    CHILD_CASE(less_is_known_without_files),
    CHILD_CASE(a_policy_works_on_a_confined_thread),
    CHILD_CASE(refusals_say_why),
    CHILD_CASE(as_many_as_allowed_can_be_listed),
    CHILD_CASE(without_seccomp_it_is_refused),
    CHILD_CASE(without_the_prctl_it_is_refused),
};

int main(int argc, char **argv)
{
    if (SWITCH_BY_THREADS) {
        (void)printf("skipped: fault_confine: refused (backends.switch)\n");
        return 0;
    }
    return child_cases_run("confine", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
