/*
 * test_spec.c: coroutines made from a spec, and from options that come again:
 * each has what its options say, whoever used its stack before.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define TURNS 4

#if UNDER_ASAN || UNDER_TSAN
#    define ANNOTATED "a sanitizer is told of each stack that is taken"
#else
#    define ANNOTATED NULL
#endif

static moat_co_options options_of(size_t stack_bytes, const char *name)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = stack_bytes;
    options.name = name;
    return options;
}

static moat_spec *make_spec(const moat_co_options *options)
{
    moat_spec *spec = NULL;

    REQUIRE(moat_spec_create(&spec, options) == MOAT_OK);
    return spec;
}

static moat_spec *named(const char *name)
{
    moat_co_options options = options_of(64 << 10, name);

    return make_spec(&options);
}

static moat_co *create_from(moat_spec *spec, moat_entry entry, void *user)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create_from(&co, spec, entry, user) == MOAT_OK);
    return co;
}

static moat_co *create(moat_entry entry, const moat_co_options *options)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, options) == MOAT_OK);
    return co;
}

static moat_event resume(moat_co *co, void *input)
{
    moat_event event = {MOAT_EVENT_PANIC, NULL, NULL};

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event;
}

static size_t live(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    REQUIRE(moat_engine_get_info(&info) == MOAT_OK);
    return info.live;
}

static void *give_back(moat_co *self, void *input)
{
    EXPECT(moat_co_current() == self);
    return input;
}

static void *yield_once(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void *fault(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

/* A life from a create to a destroy. */
static void live_once(moat_co *co, const char *name, void *user)
{
    int input;

    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    EXPECT_STR(moat_co_name(co), name);
    EXPECT(moat_co_user(co) == user);
    EXPECT(resume(co, &input).value == &input);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    moat_co_destroy(co);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_INVALID);
}

/* ---- Options of a spec ---- */

static void it_has_what_its_options_say(const void *arg)
{
    char name[] = "copied";
    moat_co_options options = options_of(100000, name);
    moat_spec *spec;
    moat_stack_info stack;

    (void)arg;
    options.guard_bytes = 12345;
    options.user = &options;
    spec = make_spec(&options);
    memset(name, 'x', sizeof name - 1);
    memset(&options, 0xff, sizeof options);
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create_from(spec, give_back, &stack);

        REQUIRE(moat_co_stack_info(co, &stack) == MOAT_OK);
        EXPECT(stack.base - stack.limit >= 100000);
        EXPECT(stack.base - stack.limit < 120000);
        EXPECT(stack.limit - stack.guard >= 12345);
        live_once(co, "copied", &stack);
        live_once(create_from(spec, give_back, NULL), "copied", NULL);
    }
    moat_spec_destroy(spec);
    EXPECT_EQ(live(), 0);
}

static void misuse_is_refused(const void *arg)
{
    moat_co *const untouched = (moat_co *)(uintptr_t)0x5150;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_spec *spec = NULL, *good = named("good");
    moat_co *co = untouched;

    (void)arg;
    EXPECT_EQ(moat_spec_create(NULL, NULL), MOAT_E_INVAL);
    options.flags = UINT64_C(1) << 40;
    EXPECT_EQ(moat_spec_create(&spec, &options), MOAT_E_INVAL);
    options.flags = 0;
    options.limits = &limits;
    limits.memory_bytes = SIZE_MAX;
    EXPECT_EQ(moat_spec_create(&spec, &options), MOAT_E_INVAL);
    EXPECT(spec == NULL);
    EXPECT_EQ(moat_spec_prepare(NULL, 1), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_create_from(NULL, good, give_back, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_create_from(&co, NULL, give_back, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_create_from(&co, good, NULL, NULL), MOAT_E_INVAL);
    EXPECT(co == untouched);
    moat_spec_destroy(NULL);
    moat_spec_destroy(good);
}

static void null_options_are_a_spec(const void *arg)
{
    moat_spec *spec = make_spec(NULL);

    (void)arg;
    for (int turn = 0; turn < TURNS; turn++)
        live_once(create_from(spec, give_back, spec), "", spec);
    moat_spec_destroy(spec);
}

/* ---- What guests leave behind ---- */

static void lives_are_as_new_after(moat_spec *spec)
{
    for (int turn = 0; turn < TURNS; turn++)
        live_once(create_from(spec, give_back, &turn), "n", &turn);
}

static void after_a_trap_and_a_cancel(const void *arg)
{
    moat_spec *spec = named("n");
    moat_co *co = create_from(spec, fault, NULL);

    (void)arg;
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT_STR(moat_co_name(co), "n");
    moat_co_destroy(co);
    lives_are_as_new_after(spec);
    co = create_from(spec, yield_once, NULL);
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_YIELD);
    moat_co_destroy(co);
    lives_are_as_new_after(spec);
    moat_co_destroy(create_from(spec, fault, NULL));
    lives_are_as_new_after(spec);
    EXPECT_EQ(live(), 0);
    moat_spec_destroy(spec);
}

static void count_up(void *arg)
{
    ++*(int *)arg;
}

static void *defer_and_leave_open(moat_co *self, void *input)
{
    EXPECT_EQ(moat_co_defer(self, count_up, input), MOAT_OK);
    moat_notrap_enter();
    return NULL;
}

static void after_deferred_functions_and_open_sections(const void *arg)
{
    moat_spec *spec = named("n");
    int count = 0;

    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create_from(spec, defer_and_leave_open, NULL);

        EXPECT_EQ(resume(co, &count).kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(count, turn + 1);
        moat_co_destroy(co);
        /* It would be the host's fault in an open section. */
        co = create_from(spec, fault, NULL);
        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
        moat_co_destroy(co);
    }
    moat_spec_destroy(spec);
}

static void *loop(moat_co *self, void *input)
{
    (void)self;
    for (volatile int go_on = 1; go_on;) {
    }
    return input;
}

static void limits_hold_in_each_life(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = options_of(0, "limited");
    moat_spec *spec;

    (void)arg;
    limits.wall_ns = 2000000;
    options.limits = &limits;
    spec = make_spec(&options);
    limits.wall_ns = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create_from(spec, loop, NULL);
        moat_trap_info info = MOAT_TRAP_INFO_INIT;

        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
        REQUIRE(moat_co_trap_info(co, &info) == MOAT_OK);
        EXPECT_EQ(info.kind, MOAT_TRAP_DEADLINE);
        moat_co_destroy(co);
        live_once(create_from(spec, give_back, NULL), "limited", NULL);
        live_once(create(give_back, NULL), "", NULL);
    }
    moat_spec_destroy(spec);
}

static void *take_memory(moat_co *self, void *input)
{
    moat_heap *heap = moat_co_heap(self);

    EXPECT_EQ(moat_heap_used(heap), 0);
    EXPECT(moat_heap_alloc(heap, 1000) != NULL);
    return input;
}

static void each_life_has_an_empty_heap(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = options_of(0, "h");
    moat_spec *spec;

    (void)arg;
    limits.memory_bytes = 1 << 20;
    options.limits = &limits;
    spec = make_spec(&options);
    EXPECT_EQ(moat_spec_prepare(spec, 2), MOAT_OK);
    for (int turn = 0; turn < TURNS; turn++) {
        live_once(create_from(spec, take_memory, NULL), "h", NULL);
        live_once(create(take_memory, &options), "h", NULL);
    }
    moat_spec_destroy(spec);
    EXPECT_EQ(live(), 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

#define SECRET UINT64_C(0x5ec2e75ec2e75ec2)

static __attribute__((noinline)) void *write_secret(moat_co *self, void *input)
{
    volatile uint64_t words[100];

    (void)self;
    for (int i = 0; i < 100; i++)
        words[i] = SECRET;
    EXPECT(words[99] == SECRET);
    return input;
}

static void scrubbed_stacks_stay_scrubbed(const void *arg)
{
    moat_co_options options = options_of(64 << 10, "clean");
    moat_stack_info stack;
    moat_spec *spec;

    (void)arg;
    options.flags = MOAT_CO_SCRUB_ZERO;
    spec = make_spec(&options);
    for (int turn = 0; turn < 100; turn++) {
        moat_co *co = create_from(spec, write_secret, NULL);
        const volatile uint64_t *word;
        int found = 0;

        REQUIRE(moat_co_stack_info(co, &stack) == MOAT_OK);
        word = (const volatile uint64_t *)stack.base;
        for (int i = 1; i < 500; i++)
            found += word[-i] == SECRET;
        EXPECT_EQ(found, 0);
        live_once(co, "clean", NULL);
    }
    moat_spec_destroy(spec);
}

/* ---- The end of a spec ---- */

static void coroutines_outlive_their_spec(const void *arg)
{
    moat_spec *spec = named("orphan");
    moat_co *suspended = create_from(spec, yield_once, &spec);
    moat_co *fresh = create_from(spec, give_back, &fresh);
    moat_co *trapped = create_from(spec, fault, NULL);

    (void)arg;
    EXPECT_EQ(resume(suspended, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(resume(trapped, NULL).kind, MOAT_EVENT_TRAP);
    live_once(create_from(spec, give_back, NULL), "orphan", NULL);
    moat_spec_destroy(spec);
    spec = named("next");
    live_once(create_from(spec, give_back, NULL), "next", NULL);
    EXPECT_EQ(live(), 3);
    EXPECT_STR(moat_co_name(suspended), "orphan");
    EXPECT(moat_co_user(suspended) == &spec);
    EXPECT(resume(suspended, arg == NULL ? &spec : NULL).value == &spec);
    moat_co_destroy(suspended);
    live_once(fresh, "orphan", &fresh);
    EXPECT_STR(moat_co_name(trapped), "orphan");
    moat_co_destroy(trapped);
    EXPECT_EQ(live(), 0);
    moat_spec_destroy(spec);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

#define SPECS (UNDER_ASAN || UNDER_TSAN ? 3000 : 100000)

static size_t heap_in_use(void)
{
    return UNDER_ASAN || UNDER_TSAN ? 0 : mallinfo2().uordblks;
}

static void specs_leave_nothing_behind(const void *arg)
{
    moat_spec *kept = named("kept");
    size_t before = 0;

    (void)arg;
    for (int i = 0; i < SPECS; i++) {
        moat_spec *spec = named("gone");

        live_once(create_from(spec, give_back, &i), "gone", &i);
        moat_spec_destroy(spec);
        if (i == 100)
            before = heap_in_use();
    }
    EXPECT(heap_in_use() <= before + 1000);
    live_once(create_from(kept, give_back, NULL), "kept", NULL);
    EXPECT_EQ(live(), 0);
    moat_spec_destroy(kept);
}

/* ---- Threads ---- */

struct meeting {
    pthread_barrier_t barrier;
    moat_spec *spec;
    moat_co *left; /* by the thread that ended */
};

static void *use_a_spec_that_is_destroyed(void *arg)
{
    struct meeting *meeting = arg;
    moat_co *co = create_from(meeting->spec, yield_once, NULL);
    moat_spec *own = named("own");

    live_once(create_from(meeting->spec, give_back, NULL), "met", NULL);
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_YIELD);
    meeting->left = create_from(meeting->spec, give_back, arg);
    (void)pthread_barrier_wait(&meeting->barrier);
    /* The other thread destroys the spec. */
    (void)pthread_barrier_wait(&meeting->barrier);
    EXPECT_STR(moat_co_name(co), "met");
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    live_once(create_from(own, give_back, NULL), "own", NULL);
    moat_spec_destroy(own);
    return NULL;
}

static void threads_share_specs(const void *arg)
{
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        struct meeting meeting = {.spec = named("met")};
        pthread_t thread;

        REQUIRE(pthread_barrier_init(&meeting.barrier, NULL, 2) == 0);
        REQUIRE(pthread_create(&thread, NULL, use_a_spec_that_is_destroyed,
                               &meeting) == 0);
        live_once(create_from(meeting.spec, give_back, NULL), "met", NULL);
        (void)pthread_barrier_wait(&meeting.barrier);
        EXPECT_EQ(live(), 2);
        moat_spec_destroy(meeting.spec);
        EXPECT_EQ(live(), 2);
        (void)pthread_barrier_wait(&meeting.barrier);
        REQUIRE(pthread_join(thread, NULL) == 0);
        EXPECT_EQ(live(), 1);
        EXPECT_STR(moat_co_name(meeting.left), "met");
        EXPECT(moat_co_user(meeting.left) == &meeting);
        moat_co_destroy(meeting.left);
        EXPECT_EQ(live(), 0);
        (void)pthread_barrier_destroy(&meeting.barrier);
    }
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void a_spec_survives_a_shutdown(const void *arg)
{
    moat_spec *spec = named("old");

    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        live_once(create_from(spec, give_back, NULL), "old", NULL);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    }
    moat_spec_destroy(spec);
}

static void a_child_goes_on(const void *arg)
{
    moat_spec *spec = named("both");
    int status;
    pid_t child;

    (void)arg;
    EXPECT_EQ(moat_spec_prepare(spec, 3), MOAT_OK);
    child = fork();
    if (child == 0) {
        lives_are_as_new_after(make_spec(&(moat_co_options){
            .struct_size = sizeof(moat_co_options), .name = "n"}));
        live_once(create_from(spec, give_back, NULL), "both", NULL);
        moat_spec_destroy(spec);
        EXPECT_EQ(live(), 0);
        child_exit();
    }
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    live_once(create_from(spec, give_back, NULL), "both", NULL);
    moat_spec_destroy(spec);
}

static void *create_inside(moat_co *self, void *input)
{
    moat_spec *spec = input;

    (void)self;
    live_once(create_from(spec, give_back, &spec), "n", &spec);
    EXPECT_EQ(moat_spec_prepare(spec, 3), MOAT_OK);
    moat_spec_destroy(named("inside"));
    return input;
}

static void guests_use_specs(const void *arg)
{
    moat_spec *spec = named("n");

    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create(create_inside, NULL);

        EXPECT_EQ(resume(co, spec).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(co);
        lives_are_as_new_after(spec);
    }
    EXPECT_EQ(live(), 0);
    moat_spec_destroy(spec);
}

/* ---- Prepared ---- */

#define READY 200

static void *use_and_yield(moat_co *self, void *input)
{
    volatile char used[3000];

    used[0] = used[1500] = 1;
    input = moat_co_yield(self, input);
    return used[0] == 1 ? input : NULL;
}

static long faults(void)
{
    struct rusage usage;

    REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt;
}

/* From here on any system call but the last ones ends the process. */
static bool forbid_system_calls(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void run_all(moat_spec *spec, moat_co **all, moat_event *events)
{
    for (int i = 0; i < READY; i++)
        all[i] = create_from(spec, use_and_yield, NULL);
    for (int i = 0; i < READY; i++)
        events[i] = resume(all[i], all[i]);
}

static void prepared_ones_need_no_page(const void *arg)
{
    static moat_co *all[READY] = {(moat_co *)1};
    static moat_event events[READY] = {{MOAT_EVENT_PANIC, NULL, NULL}};
    moat_spec *spec = named("warm");
    long before;

    (void)arg;
    memset(all, 1, sizeof all);
    memset(events, 1, sizeof events);
    EXPECT_EQ(moat_spec_prepare(spec, READY), MOAT_OK);
    EXPECT_EQ(live(), 0);
    /* The program's own pages. */
    (void)faults();
    all[0] = create_from(spec, use_and_yield, NULL);
    events[0] = resume(all[0], NULL);
    events[0] = resume(all[0], NULL);
    moat_co_destroy(all[0]);
    before = faults();
    run_all(spec, all, events);
    EXPECT_EQ(faults() - before, 0);
    for (int i = 0; i < READY; i++)
        EXPECT(events[i].value == all[i]);
}

static void prepared_ones_need_no_system_call(const void *arg)
{
    static moat_co *all[READY];
    static moat_event events[READY];
    moat_spec *spec = named("warm");

    (void)arg;
    EXPECT_EQ(moat_spec_prepare(spec, READY), MOAT_OK);
    if (!forbid_system_calls())
        child_leave_out("no filter of system calls can be set");
    for (int turn = 0; turn < TURNS; turn++) {
        run_all(spec, all, events);
        for (int i = 0; i < READY; i++)
            events[i] = resume(all[i], NULL);
        for (int i = 0; i < READY; i++)
            moat_co_destroy(all[i]);
    }
    syscall(SYS_exit_group, expect_failures() != 0 ? CHILD_FAILED : 0);
}

#define MANY (MOAT_MAX_SPARES + 300)

static void more_than_usual_can_be_prepared(const void *arg)
{
    static moat_co *all[MANY];
    moat_spec *spec = named("many");
    size_t released;

    (void)arg;
    for (int turn = 0; turn < 2; turn++) {
        EXPECT_EQ(moat_spec_prepare(spec, MANY), MOAT_OK);
        EXPECT_EQ(live(), 0);
        for (int i = 0; i < MANY; i++)
            all[i] = create_from(spec, give_back, &all[i]);
        EXPECT_EQ(live(), MANY);
        for (int i = 0; i < MANY; i++)
            live_once(all[i], "many", &all[i]);
        EXPECT_EQ(live(), 0);
        EXPECT_EQ(moat_engine_trim(0, &released), MOAT_OK);
    }
    live_once(create_from(spec, give_back, NULL), "many", NULL);
    moat_spec_destroy(spec);
}

/* A stack that waits for one spec serves another before a new one is made. */
static void spares_are_lent_unless_ordered(const void *arg)
{
    moat_spec *one = named("one"), *two = named("two");
    moat_co *first = create_from(one, give_back, NULL), *second;

    (void)arg;
    live_once(first, "one", NULL);
    second = create_from(two, give_back, NULL);
    EXPECT(second == first);
    live_once(second, "two", NULL);
    EXPECT_EQ(moat_spec_prepare(two, 1), MOAT_OK);
    first = create_from(one, give_back, NULL);
    EXPECT(first != second);
    live_once(first, "one", NULL);
    live_once(create_from(two, give_back, NULL), "two", NULL);
    EXPECT_EQ(live(), 0);
    moat_spec_destroy(one);
    moat_spec_destroy(two);
}

/* ---- Options that come again ---- */

static void options_that_come_again(const void *arg)
{
    char name[] = "a";
    int user;

    (void)arg;
    for (int turn = 0; turn < 100; turn++) {
        moat_co_options options = options_of(80000, name);

        /* The text changes, not the pointer. More of them than are kept. */
        name[0] = (char)('a' + turn / 3 % 7);
        options.user = turn % 2 ? &user : NULL;
        live_once(create(give_back, &options), name, options.user);
        options.user = &name;
        live_once(create(give_back, &options), name, &name);
        options.name = NULL;
        live_once(create(give_back, &options), "", &name);
        live_once(create(give_back, NULL), "", NULL);
    }
    EXPECT_EQ(live(), 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* Coroutines of options that are no longer remembered live on. */
static void forgotten_options(const void *arg)
{
    moat_co *all[30];
    char name[] = "a";

    (void)arg;
    for (int i = 0; i < 30; i++) {
        moat_co_options options = options_of(0, name);

        name[0] = (char)('a' + i / 3);
        all[i] = create(yield_once, &options);
        EXPECT_EQ(resume(all[i], NULL).kind, MOAT_EVENT_YIELD);
    }
    EXPECT_EQ(live(), 30);
    for (int i = 0; i < 30; i++) {
        name[0] = (char)('a' + i / 3);
        EXPECT_STR(moat_co_name(all[i]), name);
        EXPECT_EQ(resume(all[i], NULL).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(all[i]);
    }
    EXPECT_EQ(live(), 0);
}

static void policies_come_with_the_options(const void *arg)
{
    moat_co_options options = options_of(0, "p");
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    limits.memory_bytes = 1 << 16;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co;

        options.flags = MOAT_CO_RECOVER_CODE;
        live_once(create(give_back, &options), "p", NULL);
        options.flags = 0;
        co = create(fault, &options);
        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
        moat_co_destroy(co);
        options.limits = &limits;
        co = create(give_back, &options);
        EXPECT(moat_co_heap(co) != NULL);
        live_once(co, "p", NULL);
        options.limits = NULL;
        co = create(give_back, &options);
        EXPECT(moat_co_heap(co) == NULL);
        live_once(co, "p", NULL);
    }
}

static void a_fault_that_the_policy_spares(const void *arg)
{
    moat_co_options options = options_of(0, "p");
    moat_spec *spec;

    (void)arg;
    options.flags = MOAT_CO_RECOVER_NEVER;
    spec = make_spec(&options);
    for (int turn = 0; turn < TURNS; turn++)
        live_once(create_from(spec, give_back, NULL), "p", NULL);
    (void)resume(create_from(spec, fault, NULL), NULL);
}

static void small_free_stacks(const void *arg)
{
    moat_engine_options asked = MOAT_ENGINE_OPTIONS_INIT;
    moat_spec *spec;

    (void)arg;
    asked.keep_stack_bytes = 8192;
    REQUIRE(moat_engine_init(&asked) == MOAT_OK);
    spec = named("n");
    EXPECT_EQ(moat_spec_prepare(spec, 10), MOAT_OK);
    for (int turn = 0; turn < 30; turn++)
        lives_are_as_new_after(spec);
    EXPECT_EQ(live(), 0);
    moat_spec_destroy(spec);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(it_has_what_its_options_say),
        CHILD_CASE(misuse_is_refused),
        CHILD_CASE(null_options_are_a_spec),
        CHILD_CASE(after_a_trap_and_a_cancel),
        CHILD_CASE(after_deferred_functions_and_open_sections),
        {"limits_hold_in_each_life", limits_hold_in_each_life, NULL,
         UNDER_TSAN ? "its runtime delays signals" : NULL, 0, 0},
        CHILD_CASE(each_life_has_an_empty_heap),
        CHILD_CASE(scrubbed_stacks_stay_scrubbed),
        CHILD_CASE(coroutines_outlive_their_spec),
        CHILD_CASE(specs_leave_nothing_behind),
        CHILD_CASE(threads_share_specs),
        CHILD_CASE(a_spec_survives_a_shutdown),
        CHILD_CASE(a_child_goes_on),
        CHILD_CASE(guests_use_specs),
        {"prepared_ones_need_no_page", prepared_ones_need_no_page, NULL,
         SWITCH_BY_THREADS ? "their threads do" : ANNOTATED, 0, 0},
        {"prepared_ones_need_no_system_call", prepared_ones_need_no_system_call,
         NULL,
         MOAT_SWITCH_PORTABLE ? "first entries make system calls" : ANNOTATED,
         0, 0},
        CHILD_CASE(more_than_usual_can_be_prepared),
        {"spares_are_lent_unless_ordered", spares_are_lent_unless_ordered, NULL,
         ANNOTATED, 0, 0},
        CHILD_CASE(options_that_come_again),
        CHILD_CASE(forgotten_options),
        CHILD_CASE(policies_come_with_the_options),
        {"a_fault_that_the_policy_spares", a_fault_that_the_policy_spares, NULL,
         UNDER_ASAN || UNDER_TSAN ? "the sanitizer reports it" : NULL, 11, 0},
        CHILD_CASE(small_free_stacks),
    };

    return child_cases_run("spec", cases, sizeof cases / sizeof cases[0], NULL);
}
