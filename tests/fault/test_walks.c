/*
 * test_walks.c: the guarantees of a walk to its caller: faults in the caller's
 * own memory and handlers are the caller's, and no lock stays held and no
 * signal blocked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"
#include "guests.h"
#include "jit.h"

#define PAGE ((size_t)4096)
#define MANY ((size_t)1024)

/* More frames than a walk buffers before it writes some out, and more than a
 * page of them. */
#define DEEP ((void *)300)

static moat_frame plain[MANY];

/* Opaque to the compiler. */
static moat_frame *volatile bad = (moat_frame *)0x18;

/* Calls `leaf` at that depth. */
static __attribute__((noinline)) void dig(size_t depth, void (*leaf)(void))
{
    if (depth > 0)
        dig(depth - 1, leaf);
    else
        leaf();
    __asm__ volatile("" : : : "memory"); /* no tail call */
}

/* ---- Frame arrays that cannot be written ---- */

static void walk_into_bad(void)
{
    size_t count;

    (void)moat_backtrace(bad, MANY, &count);
}

static void bad_frames_of_the_host_are_fatal(const void *depth)
{
    REQUIRE(moat_thread_attach() == MOAT_OK);
    dig((size_t)depth, walk_into_bad);
}

static moat_co *dead;

static void walk_the_dead_into_bad(void)
{
    size_t count;

    (void)moat_co_backtrace(dead, bad, MANY, &count);
}

static void *fault_below(moat_co *self, void *depth)
{
    (void)self;
    dig((size_t)depth, write_null);
    return NULL;
}

static void *fork_here(void *arg)
{
    pid_t child = fork();
    size_t count;

    if (child == 0)
        _exit(moat_backtrace(plain, MANY, &count) == MOAT_OK ? 0 : 1);
    EXPECT_EQ(exit_status_of(child), 0);
    return arg;
}

/* A fork waits for the walks of other threads. */
static void expect_nothing_held(void)
{
    pthread_t thread;
    size_t count = 0;

    REQUIRE(pthread_create(&thread, NULL, fork_here, NULL) == 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(moat_co_backtrace(dead, plain, MANY, &count), MOAT_OK);
    EXPECT(count > 1);
}

static void *walk_below(moat_co *self, void *depth)
{
    void *user = moat_co_user(self);
    void (*walk)(void);

    memcpy(&walk, &user, sizeof(walk));
    dig((size_t)depth, walk);
    return NULL;
}

static moat_co *make_walker(moat_entry entry, void (*walk)(void))
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.stack_bytes = (size_t)1 << 20;
    memcpy(&options.user, &walk, sizeof(walk));
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static void expect_own_trap(void (*walk)(void), const void *depth)
{
    moat_co *co = make_walker(walk_below, walk);
    struct thread_signals before;

    thread_signals_note(&before);
    guest_expect_trap(co, (void *)(uintptr_t)depth, MOAT_TRAP_NULL);
    thread_signals_expect_kept(&before);
    expect_nothing_held();
    moat_co_destroy(co);
}

static void bad_frames_of_a_guest_are_its_trap(const void *depth)
{
    dead = guest_create(fault_below);
    guest_expect_trap(dead, (void *)(uintptr_t)depth, MOAT_TRAP_NULL);
    expect_context("moat_backtrace");
    expect_own_trap(walk_into_bad, depth);
    expect_context("moat_co_backtrace");
    expect_own_trap(walk_the_dead_into_bad, depth);
    moat_co_destroy(dead);
}

static void walk_in_section(void *arg)
{
    (void)arg;
    walk_the_dead_into_bad();
}

static void *walk_in_a_call(moat_co *self, void *input)
{
    struct thread_signals before;

    (void)self;
    thread_signals_note(&before);
    EXPECT_EQ(moat_notrap_call(walk_in_section, NULL, NULL), MOAT_E_FAULT);
    thread_signals_expect_kept(&before);
    expect_nothing_held();
    return input;
}

static void bad_frames_in_a_notrap_call_end_the_call(const void *depth)
{
    moat_co *co = make_walker(walk_in_a_call, NULL);

    dead = guest_create(fault_below);
    guest_expect_trap(dead, (void *)(uintptr_t)depth, MOAT_TRAP_NULL);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    moat_co_destroy(dead);
}

static void *walk_in_a_call_and_loop(moat_co *self, void *input)
{
    (void)!moat_notrap_call(walk_in_section, NULL, NULL);
    return guest_loop(self, input);
}

static void bad_frames_in_a_notrap_call_hold_off_no_deadline(const void *arg)
{
    moat_co *co = guest_create_limited(walk_in_a_call_and_loop, 0, 50 * MS);

    (void)arg;
    dead = guest_create(guest_write_null);
    guest_expect_trap(dead, NULL, MOAT_TRAP_NULL);
    guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
    moat_co_destroy(dead);
}

/* ---- Frame arrays in a fault region ---- */

static size_t fixes;

static moat_fault_verdict open_page(void *address, moat_access access,
                                    void *user)
{
    uintptr_t page = (uintptr_t)address & ~(PAGE - 1);

    (void)access;
    (void)user;
    fixes++;
    return mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) == 0
               ? MOAT_FAULT_FIXED
               : MOAT_FAULT_DECLINED;
}

static moat_frame *lazy;

static void walk_into_lazy(void)
{
    size_t count = 0, expected = 0;

    EXPECT_EQ(moat_backtrace(plain, MANY, &expected), MOAT_OK);
    EXPECT_EQ(moat_backtrace(lazy, MANY, &count), MOAT_OK);
    EXPECT(expected > (size_t)DEEP);
    REQUIRE(count == expected);
    /* Except the caller's own frame, whose pc has moved on. */
    for (size_t i = 1; i < count; i++) {
        expect_context("frame %zu", i);
        EXPECT_EQ(lazy[i].pc, plain[i].pc);
        EXPECT_EQ(lazy[i].sp, plain[i].sp);
        EXPECT(lazy[i].co == plain[i].co);
        EXPECT_EQ(lazy[i].flags, plain[i].flags);
    }
    EXPECT(fixes >= 3);
}

static void *walk_into_lazy_below(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    dig((size_t)DEEP, walk_into_lazy);
    return NULL;
}

static void with_lazy(void (*use)(void))
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    size_t bytes = MANY * sizeof(*lazy);
    moat_fault_region region = 0;

    lazy = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(lazy != MAP_FAILED);
    options.begin = lazy;
    options.bytes = bytes;
    options.fix = open_page;
    REQUIRE(moat_fault_region_register(&options, &region) == MOAT_OK);
    fixes = 0;
    use();
    EXPECT_EQ(moat_fault_region_unregister(region), MOAT_OK);
    (void)munmap(lazy, bytes);
}

static void as_the_host(void)
{
    dig((size_t)DEEP, walk_into_lazy);
}

static void as_a_guest(void)
{
    moat_co *co = make_walker(walk_into_lazy_below, NULL);

    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void frames_may_lie_in_a_fault_region(const void *arg)
{
    (void)arg;
    with_lazy(as_the_host);
    with_lazy(as_a_guest);
}

/* ---- Handlers of the host ---- */

static volatile sig_atomic_t walking;

static void fault_if_walking(int signo)
{
    (void)signo;
    if (walking)
        write_null();
}

/* The walk takes most of the time, so most signals arrive during it. */
static void a_handlers_fault_during_a_walk_is_fatal(const void *arg)
{
    const struct itimerval tick = {{0, 300}, {0, 300}};
    struct thread_signals before;
    size_t count;

    (void)arg;
    dead = guest_create(fault_below);
    guest_expect_trap(dead, DEEP, MOAT_TRAP_NULL);
    thread_signals_note(&before);
    REQUIRE(signal(SIGALRM, fault_if_walking) != SIG_ERR);
    REQUIRE(setitimer(ITIMER_REAL, &tick, NULL) == 0);
    while (expect_failures() == 0) {
        walking = 1;
        (void)moat_co_backtrace(dead, plain, MANY, &count);
        walking = 0;
        thread_signals_expect_kept(&before);
    }
}

static void *run_code(moat_co *self, void *code)
{
    jit_function function;

    (void)self;
    memcpy(&function, &code, sizeof(function));
    return function(NULL);
}

/* Once per guest: the timer may come again while moat's handler deals with the
 * fault, where a second one would be the host's, or before the resume is
 * complete. */
static void fault_once_in_guest(int signo)
{
    (void)signo;
    if (!walking || moat_co_get_state(moat_co_current()) != MOAT_CO_RUNNING)
        return;
    walking = 0;
    write_null();
}

/* Registered code makes a walk a visit of shared data. */
static void *walk_with_signals(moat_co *self, void *input)
{
    static const struct itimerval tick = {{0, 300}, {0, 300}};
    size_t count;

    (void)self;
    REQUIRE(setitimer(ITIMER_REAL, &tick, NULL) == 0);
    walking = 1;
    for (;;)
        (void)moat_backtrace(plain, MANY, &count);
    return input;
}

static void stop_a_walker(void)
{
    static const struct itimerval never;
    moat_co *co = guest_create(walk_with_signals);

    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    walking = 0;
    REQUIRE(setitimer(ITIMER_REAL, &never, NULL) == 0);
    moat_co_destroy(co);
}

static void *register_code(void *arg)
{
    static _Thread_local char bytes[64];
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id;

    code.start = bytes;
    code.size = sizeof bytes;
    code.name = "registered";
    EXPECT_EQ(moat_code_register(&code, &id), MOAT_OK);
    if (arg != NULL)
        *(moat_code_id *)arg = id;
    else
        EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    return NULL;
}

/* The handler runs on the guest's stack; other threads wait for the visit. */
static void
a_handlers_fault_during_a_guests_walk_ends_its_visit(const void *arg)
{
    struct sigaction action;
    pthread_t thread;
    moat_code_id id;

    (void)arg;
    memset(&action, 0, sizeof(action));
    action.sa_handler = fault_once_in_guest;
    action.sa_flags = SA_NODEFER;
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        (void)register_code(&id);
        stop_a_walker();
        REQUIRE(pthread_create(&thread, NULL, register_code, NULL) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
        EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    }
}

static void a_walk_that_faults_leaves_the_signals_as_they_were(const void *arg)
{
    struct thread_signals before;
    size_t count = 0;
    struct jit jit;
    moat_co *co = guest_create(run_code);

    (void)arg;
    jit_begin(&jit);
    jit_bytes(&jit, "\xbd\x10\0\0\0", 5); /* mov $0x10, %ebp */
    jit_bytes(&jit, "\x0f\x0b", 2);       /* ud2 */
    (void)jit_end(&jit);
    jit_register_unwindable(&jit, "lost", MOAT_CODE_UNWIND_FP, 0);
    guest_expect_trap(co, jit.code, MOAT_TRAP_ILLEGAL);
    thread_signals_note(&before);
    EXPECT_EQ(moat_co_backtrace(co, plain, MANY, &count), MOAT_OK);
    thread_signals_expect_kept(&before);
    EXPECT_EQ(count, 2);
    EXPECT_EQ(plain[1].flags, MOAT_FRAME_ROOT | MOAT_FRAME_GUESSED);
    moat_co_destroy(co);
    jit_free(&jit);
}

/* A thread's stack, with its alternate stack right above it. */
#define HALF ((size_t)1 << 20)
static char *halves;

static size_t frames_in(const char *half, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        found += plain[i].sp - (uintptr_t)half < HALF;
    return found;
}

static void look_down(int signo)
{
    size_t count = 0;

    (void)signo;
    EXPECT_EQ(moat_backtrace(plain, MANY, &count), MOAT_OK);
    EXPECT(frames_in(halves + HALF, count) >= 1);
    EXPECT(frames_in(halves, count) >= 2);
}

static void *raise_on_the_lower_stack(void *arg)
{
    const stack_t upper = {.ss_sp = halves + HALF, .ss_size = HALF};
    const stack_t none = {.ss_flags = SS_DISABLE};
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = look_down;
    action.sa_flags = SA_ONSTACK;
    REQUIRE(sigaltstack(&upper, NULL) == 0);
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    EXPECT_EQ(raise(SIGUSR1), 0);
    REQUIRE(sigaltstack(&none, NULL) == 0);
    return arg;
}

/* Frames ascend on their stack, but a signal may have switched stacks. */
static void a_walk_leads_from_a_handlers_stack_to_one_below(const void *arg)
{
    pthread_attr_t attributes;
    pthread_t thread;

    (void)arg;
    halves = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(halves != MAP_FAILED);
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstack(&attributes, halves, HALF) == 0);
    REQUIRE(pthread_create(&thread, &attributes, raise_on_the_lower_stack,
                           NULL) == 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
    (void)munmap(halves, 2 * HALF);
}

static struct child_case cases[] = {
    {"bad frames of the host are fatal", bad_frames_of_the_host_are_fatal, NULL,
     NULL, SIGSEGV, 0},
    {"bad frames of the host are fatal, deep down",
     bad_frames_of_the_host_are_fatal, DEEP, NULL, SIGSEGV, 0},
    {"bad frames of a guest are its trap", bad_frames_of_a_guest_are_its_trap,
     NULL, NULL, 0, 0},
    {"bad frames of a guest are its trap, deep down",
     bad_frames_of_a_guest_are_its_trap, DEEP, NULL, 0, 0},
    {"bad frames in a moat_notrap_call end the call",
     bad_frames_in_a_notrap_call_end_the_call, NULL, NULL, 0, 0},
    {"bad frames in a moat_notrap_call end the call, deep down",
     bad_frames_in_a_notrap_call_end_the_call, DEEP, NULL, 0, 0},
    CHILD_CASE(bad_frames_in_a_notrap_call_hold_off_no_deadline),
    CHILD_CASE(frames_may_lie_in_a_fault_region),
    {"a_handlers_fault_during_a_walk_is_fatal",
     a_handlers_fault_during_a_walk_is_fatal, NULL, NULL, SIGSEGV, 0},
    CHILD_CASE(a_handlers_fault_during_a_guests_walk_ends_its_visit),
    CHILD_CASE(a_walk_that_faults_leaves_the_signals_as_they_were),
    CHILD_CASE(a_walk_leads_from_a_handlers_stack_to_one_below),
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(int argc, char **argv)
{
    size_t count;

    if (moat_backtrace(plain, MANY, &count) == MOAT_E_UNSUPPORTED) {
        for (size_t i = 0; i < CASES; i++)
            cases[i].skip = "this build has no unwinder";
    }
    return child_cases_run("guarantees of a walk to its caller", cases, CASES,
                           argc > 1 ? argv[1] : NULL);
}
