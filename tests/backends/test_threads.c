/*
 * test_threads.c: what docs/backends.md says of MOAT_SWITCH=threads alone:
 * which thread a guest has, and what is that thread's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"

#define KEPT 1024 /* suspended guests that keep their threads */

static moat_co *create_with(moat_entry entry, const moat_co_options *options)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, options) == MOAT_OK);
    return co;
}

static moat_co *create(moat_entry entry)
{
    return create_with(entry, NULL);
}

static moat_event resume_with(moat_co *co, void *input)
{
    moat_event event = {0};

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event;
}

static moat_event resume(moat_co *co)
{
    return resume_with(co, NULL);
}

/* Yields the number of its thread, each time. */
static void *numbering_guest(moat_co *self, void *input)
{
    (void)input;
    while (self != NULL)
        (void)moat_co_yield(self, (void *)(intptr_t)gettid());
    return NULL;
}

static pid_t number_of(moat_co *co)
{
    moat_event event = resume(co);

    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    return (pid_t)(intptr_t)event.value;
}

static size_t count_threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    size_t count = 0;

    REQUIRE(directory != NULL);
    for (struct dirent *each; (each = readdir(directory)) != NULL;)
        count += each->d_name[0] != '.';
    (void)closedir(directory);
    return count;
}

/* ---- Which thread ---- */

static void each_guest_has_a_thread_of_its_own(const void *arg)
{
    moat_co *first = create(numbering_guest), *second = create(numbering_guest);
    pid_t of_first = number_of(first), of_second = number_of(second);

    (void)arg;
    EXPECT(of_first != gettid());
    EXPECT(of_second != gettid());
    EXPECT(of_first != of_second);
    EXPECT_EQ(number_of(first), of_first);
    EXPECT_EQ(number_of(second), of_second);
    moat_co_destroy(first);
    moat_co_destroy(second);
}

static void *nesting_guest(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)(intptr_t)number_of(create(numbering_guest));
}

static void a_nested_one_too(const void *arg)
{
    moat_co *inner = create(numbering_guest), *outer = create(nesting_guest);
    pid_t of_inner = number_of(inner);
    pid_t of_nested = (pid_t)(intptr_t)resume(outer).value;

    (void)arg;
    EXPECT(of_nested != of_inner);
    EXPECT(of_nested != gettid());
}

static void *returning_guest(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)(intptr_t)gettid();
}

static int *volatile nowhere;

static void *faulting_guest(moat_co *self, void *input)
{
    (void)self;
    *(pid_t *)input = gettid();
    *nowhere = 1;
    return NULL;
}

static void it_comes_back_with_a_guests_end(const void *arg)
{
    moat_co *co;
    pid_t first, trapped = 0;

    (void)arg;
    co = create(returning_guest);
    first = (pid_t)(intptr_t)resume(co).value;
    moat_co_destroy(co);
    co = create(faulting_guest);
    EXPECT_EQ(resume_with(co, &trapped).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(trapped, first);
    moat_co_destroy(co);
    co = create(returning_guest);
    EXPECT_EQ((pid_t)(intptr_t)resume(co).value, first);
    moat_co_destroy(co);
}

static void it_comes_back_from_a_guest_that_waits(const void *arg)
{
    moat_co *first = create(numbering_guest), *second;
    pid_t number = number_of(first);

    (void)arg;
    EXPECT_EQ(moat_co_reset(first), MOAT_OK);
    EXPECT_EQ(number_of(first), number);
    moat_co_destroy(first);
    second = create(numbering_guest);
    EXPECT_EQ(number_of(second), number);
    moat_co_destroy(second);
    EXPECT_EQ(count_threads(), 2);
}

static void threads_end_at_the_detach(const void *arg)
{
    moat_co *first = create(numbering_guest), *second = create(numbering_guest);

    (void)arg;
    (void)number_of(first);
    (void)number_of(second);
    EXPECT_EQ(count_threads(), 3);
    moat_co_destroy(first);
    moat_co_destroy(second);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT_EQ(count_threads(), 1);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void *attach_and_leave(void *arg)
{
    moat_co *co = create(numbering_guest);

    EXPECT(number_of(co) != gettid());
    *(moat_co **)arg = co; /* suspended */
    return NULL;
}

static void a_thread_that_ends_ends_those_of_its_guests(const void *arg)
{
    moat_co *left = NULL;
    pthread_t thread;

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(pthread_create(&thread, NULL, attach_and_leave, &left) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(count_threads(), 1);
    moat_co_destroy(left);
}

/* ---- Too many ---- */

static void beyond_a_number_a_suspended_guest_lends_its_thread(const void *arg)
{
    static moat_co *guests[KEPT + 1];
    pid_t first;

    (void)arg;
    for (size_t i = 0; i <= KEPT; i++) {
        guests[i] = create(numbering_guest);
        (void)number_of(guests[i]);
    }
    EXPECT_EQ(count_threads(), KEPT + 1);
    for (size_t i = 0; i <= KEPT; i++) {
        first = number_of(guests[i]);
        EXPECT(first != gettid());
    }
    EXPECT_EQ(count_threads(), KEPT + 1);
    for (size_t i = 0; i <= KEPT; i++)
        moat_co_destroy(guests[i]);
}

static void forbid(int number, unsigned verdict)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, verdict),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};

    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* Where the system refuses a thread, the guest runs on its resumer's: with
 * everything that it can do. */
static void without_a_thread_it_runs_on_its_resumers(const void *arg)
{
    moat_co *co, *other;
    pid_t trapped = 0;

    (void)arg;
    forbid(SYS_clone, SECCOMP_RET_ERRNO | EAGAIN);
    co = create(numbering_guest);
    errno = 7;
    EXPECT_EQ(number_of(co), gettid());
    EXPECT_EQ(errno, 7);
    other = create(nesting_guest);
    EXPECT_EQ((pid_t)(intptr_t)resume(other).value, gettid());
    EXPECT_EQ(number_of(co), gettid());
    moat_co_destroy(other);
    other = create(faulting_guest);
    EXPECT_EQ(resume_with(other, &trapped).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(trapped, gettid());
    moat_co_destroy(other);
    moat_co_destroy(co);
}

/* The kernel ends the process at the first one. */
static void a_switch_is_a_system_call(const void *arg)
{
    moat_co *co = create(numbering_guest);

    (void)arg;
    (void)number_of(co);
    forbid(SYS_futex, SECCOMP_RET_KILL_PROCESS);
    (void)number_of(co);
}

/* ---- What is the owner's ---- */

static __thread int of_thread = 1;

static void *changing_guest(moat_co *self, void *input)
{
    EXPECT(pthread_equal(pthread_self(), *(pthread_t *)input));
    EXPECT_EQ(of_thread, 2);
    of_thread = 3;
    errno = 33;
    (void)moat_co_yield(self, NULL);
    EXPECT_EQ(of_thread, 4);
    EXPECT_EQ(errno, 44);
    return NULL;
}

static void thread_locals_and_errno_are_the_owners(const void *arg)
{
    moat_co *co = create(changing_guest);
    pthread_t self = pthread_self();

    (void)arg;
    of_thread = 2;
    (void)resume_with(co, &self);
    EXPECT_EQ(errno, 33);
    EXPECT_EQ(of_thread, 3);
    of_thread = 4;
    errno = 44;
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void *locking_guest(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(pthread_mutex_lock(input), 0);
    return NULL;
}

static void a_lock_is_the_owners(const void *arg)
{
    pthread_mutexattr_t checked;
    pthread_mutex_t lock;
    moat_co *co = create(locking_guest);

    (void)arg;
    REQUIRE(pthread_mutexattr_init(&checked) == 0);
    (void)pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK);
    REQUIRE(pthread_mutex_init(&lock, &checked) == 0);
    EXPECT_EQ(resume_with(co, &lock).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(pthread_mutex_unlock(&lock), 0);
    moat_co_destroy(co);
}

/* Yields the number of its CPUs, and its user's. */
static void *describing_guest(moat_co *self, void *input)
{
    cpu_set_t cpus;

    (void)input;
    while (self != NULL) {
        REQUIRE(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
        (void)moat_co_yield(self, (void *)(intptr_t)CPU_COUNT(&cpus));
        (void)moat_co_yield(self, (void *)(intptr_t)geteuid());
    }
    return NULL;
}

static void the_hosts_cpus_and_user_do_not_reach_a_guest(const void *arg)
{
    moat_co *co = create(describing_guest);
    void *cpus = resume(co).value, *user = resume(co).value;
    cpu_set_t one;

    (void)arg;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    EXPECT(resume(co).value == cpus);
    if (seteuid(getuid() + 1) != 0)
        child_leave_out("it may not become another user");
    EXPECT(resume(co).value == user);
}

/* ---- Signals ---- */

static volatile pid_t taken_by;

static void note_thread(int signo)
{
    (void)signo;
    taken_by = gettid();
}

static void install(int signo)
{
    struct sigaction action = {.sa_handler = note_thread,
                               .sa_flags = SA_ONSTACK};

    REQUIRE(sigaction(signo, &action, NULL) == 0);
}

static moat_fault_verdict repair(void *address, moat_access access, void *user)
{
    (void)access;
    (void)address;
    taken_by = gettid();
    return mprotect(user, (size_t)sysconf(_SC_PAGESIZE),
                    PROT_READ | PROT_WRITE) == 0
               ? MOAT_FAULT_FIXED
               : MOAT_FAULT_DECLINED;
}

static void *writing_guest(moat_co *self, void *input)
{
    (void)self;
    *(volatile char *)input = 1;
    EXPECT_EQ(taken_by, gettid());
    return NULL;
}

static void a_fault_is_taken_on_the_guests_thread(const void *arg)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page =
        mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_fault_region region;
    moat_co *co = create(writing_guest);

    (void)arg;
    options.begin = page;
    options.bytes = bytes;
    options.fix = repair;
    options.user = page;
    REQUIRE(moat_fault_region_register(&options, &region) == MOAT_OK);
    EXPECT_EQ(resume_with(co, page).kind, MOAT_EVENT_RETURN);
    EXPECT(taken_by != 0 && taken_by != gettid());
    EXPECT_EQ(moat_fault_region_unregister(region), MOAT_OK);
    moat_co_destroy(co);
}

/* Its thread has an alternate stack of its own: the handler's is not reused. */
static moat_co *for_handler;

static void resume_in_handler(int signo)
{
    pid_t trapped = 0;

    (void)signo;
    EXPECT_EQ(resume_with(for_handler, &trapped).kind, MOAT_EVENT_TRAP);
    EXPECT(trapped != 0 && trapped != gettid());
}

static void a_guest_may_trap_that_was_resumed_in_a_handler(const void *arg)
{
    struct sigaction action = {.sa_handler = resume_in_handler,
                               .sa_flags = SA_ONSTACK};

    (void)arg;
    for_handler = create(faulting_guest);
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    REQUIRE(raise(SIGUSR1) == 0);
    moat_co_destroy(for_handler);
}

static void *killing_guest(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    REQUIRE(kill(getpid(), SIGUSR1) == 0);
    EXPECT_EQ(taken_by, gettid());
    return NULL;
}

static void a_signal_to_the_process_comes_to_the_guest(const void *arg)
{
    moat_co *co = create(killing_guest);

    (void)arg;
    install(SIGUSR1);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    EXPECT(taken_by != 0);
    moat_co_destroy(co);
}

static void *sending_guest(moat_co *self, void *input)
{
    (void)self;
    REQUIRE(syscall(SYS_tgkill, getpid(), *(pid_t *)input, SIGUSR1) == 0);
    EXPECT_EQ(taken_by, 0);
    return NULL;
}

/* As pthread_kill of another thread sends it. */
static void a_signal_to_the_owner_waits_for_it(const void *arg)
{
    moat_co *co = create(sending_guest);
    pid_t self = gettid();

    (void)arg;
    install(SIGUSR1);
    EXPECT_EQ(resume_with(co, &self).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(taken_by, self);
    moat_co_destroy(co);
}

/* Of the CPU's flags: SIGTRAP after each instruction. */
#define TRAP_FLAG 0x100

static void on_step(int signo)
{
    (void)signo;
}

static void *stepping_guest(moat_co *self, void *input)
{
    (void)input;
    __asm__ volatile("pushfq; orq %0, (%%rsp); popfq"
                     :
                     : "i"(TRAP_FLAG)
                     : "memory", "cc");
    (void)moat_co_yield(self, NULL);
    return NULL;
}

/* A step in the middle of a hand-over, where signals wait, is fatal. */
static void a_step_does_not_go_through_a_switch(const void *arg)
{
    struct sigaction action = {.sa_handler = on_step, .sa_flags = SA_ONSTACK};
    moat_co *co = create(stepping_guest);

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    (void)resume(co);
}

/* ---- Time ---- */

static void *looping_guest(moat_co *self, void *input)
{
    volatile unsigned rounds = 0;

    (void)input;
    while (self != NULL)
        rounds++;
    return NULL;
}

/* The CPU time is that of the guest's thread, as is the signal's way. */
static void a_limit_of_cpu_time_counts_the_guests_thread(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_co *co;

    (void)arg;
    limits.resume_cpu_ns = 20000000;
    options.limits = &limits;
    co = create_with(looping_guest, &options);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_TRAP);
    REQUIRE(moat_co_trap_info(co, &info) == MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
}

/* ---- Forks and migrations ---- */

static void a_forked_child_continues_what_is_suspended(const void *arg)
{
    moat_co *co = create(numbering_guest);
    pid_t of_guest = number_of(co), child;
    int status = 0;

    (void)arg;
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        pid_t first = number_of(co);

        EXPECT(first != gettid() && first != of_guest);
        EXPECT_EQ(number_of(co), first);
        moat_co_destroy(co);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
        child_exit();
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(number_of(co), of_guest);
    moat_co_destroy(co);
}

static void *forking_guest(moat_co *self, void *input)
{
    pid_t child = input != NULL ? (pid_t)syscall(SYS_fork) : fork();

    (void)moat_co_yield(self, (void *)(intptr_t)child);
    return (void *)(intptr_t)gettid();
}

/* The child has one thread: the guest's, which is the host's from then on. */
static void host_and_guest_go_on_in_a_child(bool raw)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co, *other;
    int status = 0;

    options.flags = MOAT_CO_FORK_RETURNS;
    co = create_with(forking_guest, &options);
    other = create(numbering_guest);
    (void)number_of(other);
    event = resume_with(co, raw ? &options : NULL);
    if (event.value == NULL) {
        EXPECT_EQ(count_threads(), 1);
        EXPECT((pid_t)(intptr_t)resume(co).value != gettid());
        EXPECT(number_of(other) != gettid());
        child_exit();
    }
    REQUIRE(waitpid((pid_t)(intptr_t)event.value, &status, 0) > 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

static void a_child_of_a_guest_goes_on(const void *arg)
{
    (void)arg;
    host_and_guest_go_on_in_a_child(false);
}

static void a_child_of_a_raw_fork_goes_on(const void *arg)
{
    (void)arg;
    host_and_guest_go_on_in_a_child(true);
}

static void *adopt_and_resume(void *arg)
{
    moat_co *co = arg;
    pid_t here;

    REQUIRE(moat_co_adopt(co) == MOAT_OK);
    here = number_of(co);
    EXPECT(here != gettid());
    EXPECT_EQ(number_of(co), here);
    moat_co_destroy(co);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return (void *)(intptr_t)here;
}

static void an_adopted_guest_gets_another_thread(const void *arg)
{
    moat_co *co = create(numbering_guest);
    pid_t before = number_of(co);
    pthread_t thread;
    void *after = NULL;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, adopt_and_resume, co) == 0);
    REQUIRE(pthread_join(thread, &after) == 0);
    EXPECT(before != (pid_t)(intptr_t)after);
}

/* ---- Transfers ---- */

static void *switching_guest(moat_co *self, void *input)
{
    pid_t self_number = gettid();
    void *back = NULL;

    EXPECT_EQ(moat_co_switch_to(self, input, NULL, &back), MOAT_OK);
    EXPECT_EQ(gettid(), self_number);
    return (void *)(intptr_t)self_number;
}

static void a_transfer_changes_the_thread(const void *arg)
{
    moat_co *first = create(switching_guest), *second = create(numbering_guest);
    moat_event event;
    pid_t of_second;

    (void)arg;
    event = resume_with(first, second);
    EXPECT(event.co == second);
    of_second = (pid_t)(intptr_t)event.value;
    EXPECT(of_second != gettid());
    event = resume(first);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT((pid_t)(intptr_t)event.value != of_second);
    EXPECT_EQ(number_of(second), of_second);
    moat_co_destroy(first);
    moat_co_destroy(second);
}

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        CHILD_CASE(each_guest_has_a_thread_of_its_own),
        CHILD_CASE(a_nested_one_too),
        CHILD_CASE(it_comes_back_with_a_guests_end),
        CHILD_CASE(it_comes_back_from_a_guest_that_waits),
        CHILD_CASE(threads_end_at_the_detach),
        CHILD_CASE(a_thread_that_ends_ends_those_of_its_guests),
        CHILD_CASE(beyond_a_number_a_suspended_guest_lends_its_thread),
        CHILD_CASE(without_a_thread_it_runs_on_its_resumers),
        {"a_switch_is_a_system_call", a_switch_is_a_system_call, NULL, NULL,
         SIGSYS, 0},
        CHILD_CASE(thread_locals_and_errno_are_the_owners),
        CHILD_CASE(a_lock_is_the_owners),
        CHILD_CASE(the_hosts_cpus_and_user_do_not_reach_a_guest),
        CHILD_CASE(a_fault_is_taken_on_the_guests_thread),
        CHILD_CASE(a_guest_may_trap_that_was_resumed_in_a_handler),
        CHILD_CASE(a_signal_to_the_process_comes_to_the_guest),
        CHILD_CASE(a_signal_to_the_owner_waits_for_it),
        {"a_step_does_not_go_through_a_switch",
         a_step_does_not_go_through_a_switch, NULL, NULL, SIGTRAP, 0},
        CHILD_CASE(a_limit_of_cpu_time_counts_the_guests_thread),
        CHILD_CASE(a_forked_child_continues_what_is_suspended),
        CHILD_CASE(a_child_of_a_guest_goes_on),
        CHILD_CASE(a_child_of_a_raw_fork_goes_on),
        CHILD_CASE(an_adopted_guest_gets_another_thread),
        CHILD_CASE(a_transfer_changes_the_thread),
    };

    return child_cases_run("threads", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
