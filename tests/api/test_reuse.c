/*
 * test_reuse.c: coroutines that are destroyed and reused without a call of the
 * library: each new life is like the first, whatever the previous one left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <string.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define TURNS 4

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

static void *give_back(moat_co *self, void *input)
{
    EXPECT(moat_co_current() == self);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
    return input;
}

/* A life from create to destroy that must be like any other. */
static void expect_as_new(void)
{
    moat_co *co = create(give_back, NULL);
    moat_event event;

    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    EXPECT_STR(moat_co_name(co), "");
    EXPECT(moat_co_user(co) == NULL);
    event = resume(co, &event);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.value == &event);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_E_STATE);
    moat_co_destroy(co);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_INVALID);
}

/* ---- What guests leave behind ---- */

static void *yield_first(moat_co *self, void *input)
{
    moat_stack_info stack;

    REQUIRE(moat_stack_bounds(&stack) == MOAT_OK);
    (void)moat_co_yield(self, (void *)stack.used);
    return input;
}

static void after_yields(const void *arg)
{
    uintptr_t used[TURNS];

    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create(yield_first, NULL);

        used[turn] = (uintptr_t)resume(co, NULL).value;
        /* Each life starts at the top of the stack. */
        EXPECT_EQ(used[turn], used[0]);
        EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(co);
        expect_as_new();
    }
}

/* Overwrites everything above its frame, including the words of the root frame
 * by which it is unwound. */
static void *overwrite_the_top(moat_co *self, void *input)
{
    moat_stack_info stack;
    char *from = __builtin_frame_address(0);

    (void)self;
    (void)input;
    REQUIRE(moat_stack_bounds(&stack) == MOAT_OK);
    from += 2 * sizeof(void *); /* keep the return address */
    memset(from, 0x5a, stack.base - (uintptr_t)from);
    return NULL;
}

static void *fault(moat_co *self, void *input)
{
    (void)self;
    *(volatile int *)input = 1;
    return NULL;
}

static void *leave_sections_open(moat_co *self, void *input)
{
    (void)self;
    moat_notrap_enter();
    moat_notrap_enter();
    return input;
}

static void after_open_sections(const void *arg)
{
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create(leave_sections_open, NULL);

        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(co);
        co = create(fault, NULL);
        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
        moat_co_destroy(co);
        expect_as_new();
    }
}

static jmp_buf out_of_it;

static void jump_out(void *arg)
{
    (void)arg;
    longjmp(out_of_it, 1);
}

/* Its recovery point is gone with the frame. */
static void *leave_a_call_by_longjmp(moat_co *self, void *input)
{
    (void)self;
    if (setjmp(out_of_it) == 0)
        EXPECT(moat_notrap_call(jump_out, NULL, NULL) != MOAT_OK);
    return input;
}

static void after_a_longjmp(const void *arg)
{
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create(leave_a_call_by_longjmp, NULL);

        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(co);
        co = create(fault, NULL);
        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
        moat_co_destroy(co);
        expect_as_new();
    }
}

static void yield_inside(void *arg)
{
    (void)moat_co_yield(moat_co_current(), arg);
}

/* So the call's own is the third. */
static void open_sections(void)
{
    moat_notrap_enter();
    moat_notrap_enter();
}

static void *stop_in_a_call(moat_co *self, void *input)
{
    if (input == NULL)
        return fault(self, input);
    open_sections();
    EXPECT_EQ(moat_notrap_call(yield_inside, NULL, NULL), MOAT_OK);
    return NULL;
}

static void a_reset_inside_a_call(const void *arg)
{
    moat_co *co = create(stop_in_a_call, NULL);

    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_YIELD);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
        /* In a section it would be the host's. */
        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
    expect_as_new();
}

static void *leave_a_call_in_sections(moat_co *self, void *input)
{
    open_sections();
    return leave_a_call_by_longjmp(self, input);
}

static void after_a_longjmp_in_sections(const void *arg)
{
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create(leave_a_call_in_sections, NULL);

        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(co);
        co = create(fault, NULL);
        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
        moat_co_destroy(co);
        expect_as_new();
    }
}

/* Unwinders read these words at the top of the stack, as does libunwind's fast
 * trace. */
static void the_first_frame_is_as_new(const void *arg)
{
    static const size_t words[] = {0, 8, 120, 160, 168};
    uintptr_t before[5];
    moat_co *co = create(overwrite_the_top, NULL);
    uintptr_t top = co->root_sp;

    (void)arg;
    for (size_t i = 0; i < 5; i++)
        memcpy(&before[i], (const void *)(top + words[i]), sizeof before[i]);
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    EXPECT(create(give_back, NULL) == co);
    EXPECT_EQ(co->root_sp, top);
    EXPECT_EQ(co->sp, top);
    for (size_t i = 0; i < 5; i++) {
        expect_context("word at %zu", words[i]);
        EXPECT(memcmp(&before[i], (const void *)(top + words[i]),
                      sizeof before[i]) == 0);
    }
    moat_co_destroy(co);
}

static void count_up(void *arg)
{
    ++*(int *)arg;
}

static void *defer_one(moat_co *self, void *input)
{
    EXPECT_EQ(moat_co_defer(self, count_up, input), MOAT_OK);
    return NULL;
}

static void after_deferred_functions(const void *arg)
{
    int count = 0;

    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create(defer_one, NULL);

        EXPECT_EQ(resume(co, &count).kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(count, turn + 1);
        moat_co_destroy(co);
        expect_as_new();
        EXPECT_EQ(count, turn + 1);
    }
}

static void after_a_cancel_and_a_name(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;

    (void)arg;
    options.name = "named";
    options.user = &options;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create(yield_first, NULL);

        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_YIELD);
        EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
        moat_co_destroy(co);
        expect_as_new();
        co = create(give_back, &options);
        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(co);
        expect_as_new();
    }
}

/* Returns with callee-saved registers that it has not restored (psABI
 * 3.2.1). */
void *return_with_wild_registers(moat_co *self, void *input);
__asm__(".text\n"
        ".type return_with_wild_registers, @function\n"
        "return_with_wild_registers:\n\t"
#if defined(__CET__) && (__CET__ & 1)
        "endbr64\n\t"
#endif
        "movq %rsi, %rax\n\t"
        "xorl %ebx, %ebx\n\t"
        "movl $1, %ebp\n\t"
        "movq %rsi, %r12\n\t"
        "std\n\t"
        "ret\n\t"
        ".size return_with_wild_registers, . - return_with_wild_registers\n");

static void after_wild_registers(const void *arg)
{
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        moat_co *co = create(return_with_wild_registers, NULL);
        moat_event event = resume(co, &turn);

        EXPECT((__builtin_ia32_readeflags_u64() & 0x400) == 0);
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        EXPECT(event.value == &turn);
        moat_co_destroy(co);
        expect_as_new();
    }
}

/* ---- Guests, crowds, threads ---- */

static void *live_inside(moat_co *self, void *input)
{
    (void)self;
    for (int turn = 0; turn < TURNS; turn++)
        expect_as_new();
    return input;
}

static void guests_reuse_too(const void *arg)
{
    moat_co *co = create(live_inside, NULL);

    (void)arg;
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    expect_as_new();
}

static size_t live(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    REQUIRE(moat_engine_get_info(&info) == MOAT_OK);
    return info.live;
}

#define CROWD ((size_t)MOAT_MAX_SPARES + 500)

/* More than a thread keeps: all are counted, and none prevents a shutdown. */
static void a_crowd_comes_and_goes(const void *arg)
{
    static moat_co *crowd[CROWD];

    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        for (size_t i = 0; i < CROWD; i++)
            crowd[i] = create(give_back, NULL);
        EXPECT_EQ(live(), CROWD);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
        for (size_t i = 0; i < CROWD; i++)
            EXPECT_EQ(resume(crowd[i], NULL).kind, MOAT_EVENT_RETURN);
        for (size_t i = 0; i < CROWD; i++)
            moat_co_destroy(crowd[i]);
        EXPECT_EQ(live(), 0);
    }
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    expect_as_new();
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    expect_as_new();
}

static void *live_on_a_thread(void *arg)
{
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++)
        expect_as_new();
    return NULL;
}

/* When a thread ends, the coroutines it kept pass to the other threads. */
static void threads_leave_nothing_behind(const void *arg)
{
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_t thread;

        REQUIRE(pthread_create(&thread, NULL, live_on_a_thread, NULL) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
        EXPECT_EQ(live(), 0);
    }
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* Under these the guest returns to a function of the library, on the guest's
 * stack. */
#if UNDER_ASAN || UNDER_TSAN
#    define NOT_ANNOTATED "a sanitizer's frame lies between"
#else
#    define NOT_ANNOTATED NULL
#endif

static atomic_bool enough;

static void *live_and_let_live(void *arg)
{
    (void)arg;
    while (!atomic_load(&enough))
        expect_as_new();
    return NULL;
}

/* Another thread's count may be out of date, but is a valid count. */
static void others_are_counted(const void *arg)
{
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, live_and_let_live, NULL) == 0);
    for (int i = 0; i < 20000; i++) {
        size_t now = live();

        if (now > 2) {
            EXPECT_EQ(now, 2);
            break;
        }
    }
    atomic_store(&enough, true);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(after_yields),
        CHILD_CASE(after_open_sections),
        CHILD_CASE(after_a_longjmp),
        CHILD_CASE(a_reset_inside_a_call),
        CHILD_CASE(after_a_longjmp_in_sections),
        {"the_first_frame_is_as_new", the_first_frame_is_as_new, NULL,
         NOT_ANNOTATED, 0, 0},
        CHILD_CASE(after_deferred_functions),
        CHILD_CASE(after_a_cancel_and_a_name),
        {"after_wild_registers", after_wild_registers, NULL, NOT_ANNOTATED, 0,
         0},
        CHILD_CASE(guests_reuse_too),
        CHILD_CASE(a_crowd_comes_and_goes),
        CHILD_CASE(threads_leave_nothing_behind),
        CHILD_CASE(others_are_counted),
    };

    return child_cases_run("reuse", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
