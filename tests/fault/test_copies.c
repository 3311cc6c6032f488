/*
 * test_copies.c: two plugins in one process, each with a copy of moat.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "copy.h"

#define MS UINT64_C(1000000)

static const struct copy *copies[2];
static void *plugins[2];
static int *volatile nowhere;

static const char *const files[2] = {COPY_A, COPY_B};

static void load(void)
{
    for (int i = 0; i < 2; i++) {
        plugins[i] = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
        REQUIRE(plugins[i] != NULL);
        copies[i] = dlsym(plugins[i], COPY_SYMBOL);
        REQUIRE(copies[i] != NULL);
    }
}

/* Attaches the first copy, then the second, whose handlers thus stand last. */
static void load_and_attach(void)
{
    load();
    for (int i = 0; i < 2; i++)
        REQUIRE(copies[i]->attach() == MOAT_OK);
}

static void expect_trap(const struct copy *copy, const struct copy_task *task,
                        moat_trap_kind kind)
{
    struct copy_result result = copy->run(task);

    EXPECT_EQ(result.status, MOAT_OK);
    EXPECT_EQ(result.event, MOAT_EVENT_TRAP);
    EXPECT_EQ(result.kind, kind);
}

static const struct copy_task null_write = {.deed = COPY_WRITE_NULL};
static const struct copy_task overflow = {.deed = COPY_OVERFLOW};
static const struct copy_task loop = {.deed = COPY_LOOP, .wall_ns = 20 * MS};
static const struct copy_task endless = {.deed = COPY_LOOP};
static const struct copy_task nothing = {.deed = COPY_RETURN};

static void expect_all_is_well(void)
{
    for (int i = 0; i < 4; i++) {
        const struct copy *copy = copies[i % 2];

        EXPECT(!copy->is_in_guest());
        EXPECT_EQ(copy->run(&nothing).event, MOAT_EVENT_RETURN);
        expect_trap(copy, &null_write, MOAT_TRAP_NULL);
        expect_trap(copy, &overflow, MOAT_TRAP_STACK_OVERFLOW);
    }
}

static void both_trap_side_by_side(const void *arg)
{
    (void)arg;
    load_and_attach();
    expect_all_is_well();
    for (int i = 0; i < 2; i++)
        expect_trap(copies[i], &loop, MOAT_TRAP_DEADLINE);
    /* The second one's handlers pass on what is the first one's. */
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(copies[i]->check(), MOAT_OK);
    REQUIRE(signal(SIGFPE, SIG_DFL) != SIG_ERR);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(copies[i]->check(), MOAT_E_HANDLER_LOST);
}

/* ---- Guests inside guests ---- */

/* A guest of one copy calls the other, and so on; the last commits the task. */
struct nest {
    int depth, outermost;
    const struct copy_task *task;
    moat_trap_kind kind;
};

static const struct copy *copy_at(const struct nest *nest)
{
    return copies[(nest->outermost + nest->depth) % 2];
}

static void go_on(void *arg)
{
    const struct nest *nest = arg;
    struct nest inner = *nest;
    struct copy_task call = {.deed = COPY_CALL, .call = go_on, .arg = &inner};

    if (nest->depth == 0) {
        expect_trap(copy_at(nest), nest->task, nest->kind);
        EXPECT_EQ(copy_at(nest)->run(&nothing).event, MOAT_EVENT_RETURN);
        return;
    }
    inner.depth--;
    EXPECT_EQ(copy_at(nest)->run(&call).event, MOAT_EVENT_RETURN);
}

static void the_innermost_guest_traps(const void *arg)
{
    (void)arg;
    load_and_attach();
    for (int depth = 1; depth <= 4; depth++) {
        for (int outermost = 0; outermost < 2; outermost++) {
            struct nest nest = {depth, outermost, &null_write, MOAT_TRAP_NULL};

            expect_context("depth %d, outermost %d", depth, outermost);
            go_on(&nest);
            nest.task = &overflow;
            nest.kind = MOAT_TRAP_STACK_OVERFLOW;
            go_on(&nest);
            nest.task = &loop;
            nest.kind = MOAT_TRAP_DEADLINE;
            go_on(&nest);
        }
    }
    expect_all_is_well();
}

/* A fault that a copy expects is not that of the other's guest, on whose stack
 * it happens. */
static void use_region_of(void *copy)
{
    EXPECT(((const struct copy *)copy)->use_region());
}

static void a_copys_region_serves_the_others_guest(const void *arg)
{
    (void)arg;
    load_and_attach();
    for (int i = 0; i < 4; i++) {
        const struct copy_task task = {
            .deed = COPY_CALL,
            .call = use_region_of,
            .arg = (void *)(uintptr_t)copies[i / 2],
        };

        expect_context("round %d", i);
        EXPECT_EQ(copies[i % 2]->run(&task).event, MOAT_EVENT_RETURN);
    }
    expect_all_is_well();
}

/* An outer guest's limit passes while an inner guest runs, which never returns.
 * Its copy must not take it for the running one. */
static void run_endless(void *arg)
{
    (void)((const struct copy *)arg)->run(&endless);
}

static void an_outer_limit_ends_the_guests_inside(const void *arg)
{
    (void)arg;
    load_and_attach();
    for (int i = 0; i < 4; i++) {
        const struct copy *outer = copies[i % 2], *inner = copies[1 - i % 2];
        const struct copy_task task = {.deed = COPY_CALL,
                                       .call = run_endless,
                                       .arg = (void *)(uintptr_t)inner,
                                       .wall_ns = 20 * MS};

        expect_context("round %d", i);
        expect_trap(outer, &task, MOAT_TRAP_DEADLINE);
        expect_all_is_well();
    }
}

/* ---- Slices ---- */

#define SLICE_NS UINT64_C(200000)

static const struct copy_task sliced = {
    .deed = COPY_LOOP, .slice_ns = SLICE_NS, .slices = 10};

static void expect_slices(const struct copy *copy, const struct copy_task *task)
{
    struct copy_result result = copy->run(task);

    EXPECT_EQ(result.status, MOAT_OK);
    EXPECT_EQ(result.event, MOAT_EVENT_PREEMPT);
    EXPECT_EQ(result.slices, task->slices);
}

static void both_have_slices_side_by_side(const void *arg)
{
    (void)arg;
    load_and_attach();
    for (int i = 0; i < 10; i++) {
        expect_slices(copies[i % 2], &sliced);
        expect_trap(copies[i % 2], &loop, MOAT_TRAP_DEADLINE);
    }
    expect_all_is_well();
}

static void run_sliced(void *arg)
{
    for (int i = 0; i < 3; i++)
        expect_slices(arg, &sliced);
}

/* The outer guest's slices end while it waits: it is suspended only once it
 * runs again, and never on the other's stack. */
static void the_slices_of_an_outer_guest_wait(const void *arg)
{
    (void)arg;
    load_and_attach();
    for (int i = 0; i < 4; i++) {
        const struct copy_task task = {.deed = COPY_CALL,
                                       .call = run_sliced,
                                       .arg =
                                           (void *)(uintptr_t)copies[1 - i % 2],
                                       .slice_ns = SLICE_NS,
                                       .slices = 1000};
        struct copy_result result;

        expect_context("round %d", i);
        result = copies[i % 2]->run(&task);
        EXPECT_EQ(result.status, MOAT_OK);
        EXPECT_EQ(result.event, MOAT_EVENT_RETURN);
        expect_all_is_well();
    }
}

/* A guest of the outer copy recovers from a fault on its own stack, in a host
 * call of the other copy's guest, which never continues. */
static void fault(void *unused)
{
    (void)unused;
    *nowhere = 1;
}

static void run_host_call(void *unused)
{
    const struct copy_task task = {.deed = COPY_HOST_CALL, .call = fault};

    (void)unused;
    (void)copies[1]->run(&task);
}

static void recover_from_the_inner_guest(void *unused)
{
    (void)unused;
    EXPECT(copies[0]->recovers(run_host_call, NULL));
    EXPECT(copies[0]->is_in_guest());
    EXPECT(!copies[1]->is_in_guest());
    expect_trap(copies[1], &null_write, MOAT_TRAP_NULL);
}

static void a_recovery_ends_the_guests_inside(const void *arg)
{
    const struct copy_task task = {.deed = COPY_CALL,
                                   .call = recover_from_the_inner_guest};

    (void)arg;
    load_and_attach();
    EXPECT_EQ(copies[0]->run(&task).event, MOAT_EVENT_RETURN);
    expect_all_is_well();
}

/* The same with guests of the first copy around and inside, whose own limits
 * are in force: those of the outer one come back. */
static void run_middle(void *arg)
{
    const struct copy_task middle = {.deed = COPY_CALL,
                                     .call = run_endless,
                                     .arg = (void *)(uintptr_t)copies[0],
                                     .wall_ns = 20 * MS};

    (void)arg;
    expect_trap(copies[1], &middle, MOAT_TRAP_DEADLINE);
    EXPECT(copies[0]->is_in_guest());
    EXPECT(!copies[1]->is_in_guest());
    EXPECT_EQ(copies[0]->run(&nothing).event, MOAT_EVENT_RETURN);
    for (volatile int i = 0;; i++)
        ;
}

static void the_limit_around_them_stays(const void *arg)
{
    const struct copy_task task = {
        .deed = COPY_CALL, .call = run_middle, .wall_ns = 100 * MS};

    (void)arg;
    load_and_attach();
    expect_trap(copies[0], &task, MOAT_TRAP_DEADLINE);
    expect_all_is_well();
}

/* ---- Alternate stacks ---- */

static void note(int signo)
{
    (void)signo;
}

/* A signal with SA_ONSTACK kills the process if the stack is not there. */
static void use_alternate_stack(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = note;
    action.sa_flags = SA_ONSTACK;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    EXPECT_EQ(raise(SIGUSR1), 0);
}

static void *alternate_now(void)
{
    stack_t now;

    REQUIRE(sigaltstack(NULL, &now) == 0);
    return (now.ss_flags & SS_DISABLE) != 0 ? NULL : now.ss_sp;
}

static void detach_from(int first, void *expected)
{
    EXPECT_EQ(copies[first]->detach(), MOAT_OK);
    use_alternate_stack();
    EXPECT_EQ(copies[1 - first]->check() == MOAT_E_STATE, false);
    expect_trap(copies[1 - first], &overflow, MOAT_TRAP_STACK_OVERFLOW);
    EXPECT_EQ(copies[1 - first]->detach(), MOAT_OK);
    EXPECT_EQ(alternate_now(), expected);
    use_alternate_stack();
}

static void detaching_in_any_order_leaves_the_hosts_stack(const void *arg)
{
    static char host[64 << 10];
    const stack_t stack = {.ss_sp = host, .ss_size = sizeof(host)};
    void *before = alternate_now();

    (void)arg;
    load();
    for (int round = 0; round < 8; round++) {
        int first = round % 2, leaves = round / 2 % 2;

        expect_context("round %d", round);
        if (round == 4) {
            REQUIRE(sigaltstack(&stack, NULL) == 0);
            before = host;
        }
        REQUIRE(copies[first]->attach() == MOAT_OK);
        REQUIRE(copies[1 - first]->attach() == MOAT_OK);
        detach_from(leaves == 0 ? first : 1 - first, before);
    }
}

/* A repair finds the other's stack in place, which serves as well. */
static void a_second_attach_changes_nothing(const void *arg)
{
    void *before = alternate_now(), *armed;

    (void)arg;
    load_and_attach();
    armed = alternate_now();
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(copies[i % 2]->attach(), MOAT_OK);
        EXPECT_EQ(alternate_now(), armed);
    }
    detach_from(0, before);
}

/* The host frees the stack that it had armed before. */
static void a_stack_that_is_gone_is_not_armed_again(const void *arg)
{
    stack_t stack = {.ss_size = (size_t)64 << 10};

    (void)arg;
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(stack.ss_sp != MAP_FAILED);
    REQUIRE(sigaltstack(&stack, NULL) == 0);
    load_and_attach();
    REQUIRE(munmap(stack.ss_sp, stack.ss_size) == 0);
    detach_from(1, NULL);
}

/* ---- The end of a copy ---- */

static sigjmp_buf way_out;
static volatile int calls;

static void leave(int signo)
{
    (void)signo;
    calls++;
    siglongjmp(way_out, 1);
}

static void fault_in_host(void)
{
    if (sigsetjmp(way_out, 1) == 0)
        *nowhere = 1;
}

/* The plugin's code is gone, and with it the handler that the other copy had
 * found installed. */
static void a_copy_can_be_unloaded(const void *arg)
{
    int first = *(const int *)arg;
    struct sigaction action, now;

    memset(&action, 0, sizeof(action));
    action.sa_handler = leave;
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
    load_and_attach();
    expect_all_is_well();
    fault_in_host();
    EXPECT_EQ(copies[first]->shut_down(), MOAT_OK);
    REQUIRE(dlclose(plugins[first]) == 0);
    EXPECT_EQ(dlopen(files[first], RTLD_NOW | RTLD_NOLOAD), NULL);
    fault_in_host();
    EXPECT_EQ(calls, 2);
    expect_trap(copies[1 - first], &overflow, MOAT_TRAP_STACK_OVERFLOW);
    expect_trap(copies[1 - first], &loop, MOAT_TRAP_DEADLINE);
    EXPECT_EQ(copies[1 - first]->check(), MOAT_OK);
    EXPECT_EQ(copies[1 - first]->shut_down(), MOAT_OK);
    REQUIRE(sigaction(SIGSEGV, NULL, &now) == 0);
    EXPECT(now.sa_handler == leave);
}

/* ---- Threads ---- */

static pthread_key_t late;

static void look_late(void *unused)
{
    (void)unused;
    use_alternate_stack();
}

static void *attach_and_end(void *arg)
{
    int first = *(const int *)arg;

    expect_trap(copies[first], &null_write, MOAT_TRAP_NULL);
    expect_trap(copies[1 - first], &null_write, MOAT_TRAP_NULL);
    REQUIRE(pthread_setspecific(late, arg) == 0);
    return NULL;
}

static void a_threads_end_detaches_both(const void *arg)
{
    (void)arg;
    load_and_attach();
    /* Later than the copies' own keys: its destructor runs after theirs. */
    REQUIRE(pthread_key_create(&late, look_late) == 0);
    for (int i = 0; i < 10; i++) {
        int first = i % 2;
        pthread_t thread;

        REQUIRE(pthread_create(&thread, NULL, attach_and_end, &first) == 0);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
    }
}

static void a_second_copy_is_refused(const void *arg)
{
    (void)arg;
    load();
    REQUIRE(copies[0]->attach() == MOAT_OK);
    EXPECT_EQ(copies[1]->attach(), MOAT_E_UNSUPPORTED);
    expect_trap(copies[0], &overflow, MOAT_TRAP_STACK_OVERFLOW);
    EXPECT_EQ(copies[0]->detach(), MOAT_OK);
    EXPECT_EQ(copies[1]->attach(), MOAT_OK);
    expect_trap(copies[1], &overflow, MOAT_TRAP_STACK_OVERFLOW);
}

static const int first = 0, last = 1;

#define COPIES (SWITCH_BY_THREADS ? "a second copy is refused" : NULL)
#define ALONE  (SWITCH_BY_THREADS ? NULL : "a second copy is welcome")
#define CASE(function)                          \
    {                                           \
#        function, function, NULL, COPIES, 0, 0 \
    }

static const struct child_case cases[] = {
    CASE(both_trap_side_by_side),
    CASE(the_innermost_guest_traps),
    CASE(a_copys_region_serves_the_others_guest),
    CASE(an_outer_limit_ends_the_guests_inside),
    CASE(a_recovery_ends_the_guests_inside),
    CASE(the_limit_around_them_stays),
    CASE(both_have_slices_side_by_side),
    CASE(the_slices_of_an_outer_guest_wait),
    CASE(detaching_in_any_order_leaves_the_hosts_stack),
    CASE(a_second_attach_changes_nothing),
    CASE(a_stack_that_is_gone_is_not_armed_again),
    {"the_first_copy_can_be_unloaded", a_copy_can_be_unloaded, &first, COPIES,
     0, 0},
    {"the_last_copy_can_be_unloaded", a_copy_can_be_unloaded, &last, COPIES, 0,
     0},
    CASE(a_threads_end_detaches_both),
    {"a_second_copy_is_refused", a_second_copy_is_refused, NULL, ALONE, 0, 0},
};

int main(int argc, char **argv)
{
    return child_cases_run("two copies of moat in one process", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
