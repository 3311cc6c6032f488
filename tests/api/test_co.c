/*
 * test_co.c: thousands of coroutines, the data that a reused stack contains,
 * and the fate of a thread's coroutines when it ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define MANY ((size_t)3000)

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *return_at_once(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static moat_co *create(moat_entry entry, const moat_co_options *options)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, options) == MOAT_OK);
    return co;
}

static moat_event resume(moat_co *co, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event;
}

static moat_stack_info stack_of(const moat_co *co)
{
    moat_stack_info info;

    memset(&info, 0, sizeof info);
    REQUIRE(moat_co_stack_info(co, &info) == MOAT_OK);
    return info;
}

/* ---- Names and numbers ---- */

static void every_state_has_its_number_and_text(const void *arg)
{
    (void)arg;
#define CHECK(name, number, text) \
    EXPECT_EQ(name, number);      \
    EXPECT_STR(moat_co_state_str(name), text);
    MOAT_CO_STATE_MAP(CHECK)
#undef CHECK
    EXPECT_STR(moat_co_state_str(MOAT_CO_INVALID), "invalid");
    EXPECT_STR(moat_co_state_str((moat_co_state)7), "invalid");
    EXPECT_STR(moat_co_state_str((moat_co_state)-1), "invalid");
    EXPECT_EQ(moat_co_get_state(NULL), MOAT_CO_INVALID);
}

static void every_event_has_its_number(const void *arg)
{
    (void)arg;
    EXPECT_EQ(MOAT_EVENT_YIELD, 1);
    EXPECT_EQ(MOAT_EVENT_RETURN, 2);
    EXPECT_EQ(MOAT_EVENT_TRAP, 3);
    EXPECT_EQ(MOAT_EVENT_PREEMPT, 4);
    EXPECT_EQ(MOAT_EVENT_PANIC, 5);
}

/* ---- Options ---- */

static void options_are_copied(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    char name[] = "first name";
    moat_co *co;

    (void)arg;
    options.name = name;
    options.user = name;
    co = create(echo, &options);
    memset(&options, 0xee, sizeof options);
    memset(name, 'x', sizeof name - 1);
    EXPECT_STR(moat_co_name(co), "first name");
    EXPECT(moat_co_user(co) == name);
    EXPECT(moat_co_entry(co) == echo);
    moat_co_destroy(co);
}

static void a_coroutine_without_options_has_the_defaults(const void *arg)
{
    moat_co *co = create(echo, NULL);
    moat_stack_info info = stack_of(co);

    (void)arg;
    EXPECT_STR(moat_co_name(co), "");
    EXPECT(moat_co_user(co) == NULL);
    EXPECT(info.base - info.limit >= (size_t)256 << 10);
    EXPECT(info.limit - info.guard >= (size_t)64 << 10);
    EXPECT_STR(moat_co_name(NULL), "");
    EXPECT(moat_co_user(NULL) == NULL);
    EXPECT(moat_co_entry(NULL) == NULL);
    moat_co_destroy(co);
}

static void a_reused_stack_has_no_former_name(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    (void)arg;
    options.name = "former";
    options.user = &options;
    co = create(echo, &options);
    moat_co_destroy(co);
    EXPECT(create(echo, NULL) == co);
    EXPECT_STR(moat_co_name(co), "");
    EXPECT(moat_co_user(co) == NULL);
    moat_co_destroy(co);
}

/* ---- Values and states ---- */

static void values_cross_both_ways(const void *arg)
{
    moat_co *co = create(echo, NULL);

    (void)arg;
    for (uintptr_t i = 0; i < 1000; i++) {
        moat_event event = resume(co, (void *)(i * 7919));

        EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
        EXPECT_EQ(event.value, i * 7919);
    }
    moat_co_destroy(co);
}

static void reset_starts_again_from_any_stop(const void *arg)
{
    moat_co *co = create(return_at_once, NULL);
    int token;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
        EXPECT(resume(co, &token).value == &token);
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void *grow_a_tree(moat_co *self, void *input)
{
    uintptr_t depth = (uintptr_t)input;
    moat_co *child;
    moat_event event;

    EXPECT(moat_co_current() == self);
    if (depth == 0)
        return (void *)1;
    child = create(grow_a_tree, NULL);
    event = resume(child, (void *)(depth - 1));
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(moat_co_current() == self);
    moat_co_destroy(child);
    return (void *)((uintptr_t)event.value + 1);
}

static void coroutines_nest_deeply(const void *arg)
{
    moat_co *co = create(grow_a_tree, NULL);

    (void)arg;
    EXPECT_EQ(resume(co, (void *)500).value, 501);
    EXPECT(moat_co_current() == NULL);
    moat_co_destroy(co);
}

/* ---- Many ---- */

static moat_co *create_class(size_t i)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = (i % 10 + 4) * 4096;
    options.guard_bytes = (i % 5 + 1) * 4096;
    return create(echo, &options);
}

static void thousands_of_many_classes_live_at_once(const void *arg)
{
    static moat_co *all[MANY];

    (void)arg;
    for (size_t i = 0; i < MANY; i++)
        all[i] = create_class(i);
    for (size_t i = 0; i < MANY; i++)
        EXPECT_EQ(resume(all[i], (void *)i).value, i);
    for (size_t i = 0; i < MANY; i++) {
        moat_stack_info info = stack_of(all[i]);

        EXPECT(info.base - info.limit >= (i % 10 + 4) * 4096);
        EXPECT(info.limit - info.guard >= (i % 5 + 1) * 4096);
    }
    for (size_t i = MANY; i-- > 0;) {
        EXPECT_EQ(resume(all[i], &all[i]).value, &all[i]);
        moat_co_destroy(all[i]);
    }
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void stacks_do_not_overlap(const void *arg)
{
    static moat_co *all[200];
    static moat_stack_info info[200];

    (void)arg;
    for (size_t i = 0; i < 200; i++) {
        all[i] = create_class(i);
        info[i] = stack_of(all[i]);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < i; j++)
            EXPECT(info[i].base <= info[j].guard ||
                   info[j].base <= info[i].guard);
    for (size_t i = 0; i < 200; i++)
        moat_co_destroy(all[i]);
}

static void reuse_is_last_in_first_out(const void *arg)
{
    moat_co *a = create(echo, NULL), *b = create(echo, NULL);

    (void)arg;
    moat_co_destroy(a);
    moat_co_destroy(b);
    EXPECT(create(echo, NULL) == b);
    EXPECT(create(echo, NULL) == a);
    moat_co_destroy(a);
    moat_co_destroy(b);
}

/* ---- The content of a reused stack ---- */

#define SECRET       ((unsigned char)0xa7)
#define DEPTH        ((size_t)100 << 10)
#define BELOW_CALLER (DEPTH - 4096) /* the part below the caller's frames */

static void *leave_secrets(moat_co *self, void *input)
{
    unsigned char secrets[DEPTH];

    memset(secrets, SECRET, sizeof secrets);
    __asm__ volatile("" : : "r"(secrets) : "memory");
    return moat_co_yield(self, input);
}

/* Counts in the part of the stack below the caller's frame. Reads it as plain
 * memory. */
__attribute__((no_sanitize("address"))) static size_t
count_secrets(const moat_stack_info *stack)
{
    const unsigned char *memory = (const unsigned char *)stack->limit;
    size_t count = 0;

    for (size_t i = 0; i < stack->base - stack->limit - 1024; i++)
        count += memory[i] == SECRET;
    return count;
}

/* Creates and destroys coroutines until the stack of `co` is in use again.
 * Stacks to be zeroed wait until there are several. */
static moat_co *again(const moat_co *co, const moat_co_options *options)
{
    for (int i = 0; i < 200; i++) {
        moat_co *other = create(echo, options);

        if (other == co)
            return other;
        moat_co_destroy(other);
    }
    return NULL;
}

static size_t secrets_after(uint64_t flags, bool by_reset)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_stack_info stack;
    size_t found;
    moat_co *co;

    options.flags = flags;
    co = create(leave_secrets, &options);
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_YIELD);
    stack = stack_of(co);
    EXPECT(count_secrets(&stack) >= BELOW_CALLER);
    if (by_reset) {
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        found = count_secrets(&stack);
        moat_co_destroy(co);
        return found;
    }
    moat_co_destroy(co);
    EXPECT(again(co, &options) == co);
    found = count_secrets(&stack);
    moat_co_destroy(co);
    return found;
}

static void unscrubbed_stacks_keep_their_contents(const void *arg)
{
    (void)arg;
    EXPECT(secrets_after(MOAT_CO_SCRUB_NONE, false) >= BELOW_CALLER);
    EXPECT(secrets_after(MOAT_CO_SCRUB_NONE, true) >= BELOW_CALLER);
}

static void zeroed_stacks_hold_nothing(const void *arg)
{
    (void)arg;
    EXPECT_EQ(secrets_after(MOAT_CO_SCRUB_ZERO, false), 0);
    EXPECT_EQ(secrets_after(MOAT_CO_SCRUB_ZERO, true), 0);
}

static void discarded_stacks_hold_nothing(const void *arg)
{
    (void)arg;
    EXPECT_EQ(secrets_after(MOAT_CO_SCRUB_DISCARD, false), 0);
    EXPECT_EQ(secrets_after(MOAT_CO_SCRUB_DISCARD, true), 0);
}

static void both_policies_at_once_are_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    (void)arg;
    options.flags = MOAT_CO_SCRUB_ZERO | MOAT_CO_SCRUB_DISCARD;
    EXPECT_EQ(moat_co_create(&co, echo, &options), MOAT_E_INVAL);
    EXPECT(co == NULL);
}

/* ---- Threads that end ---- */

struct legacy {
    moat_co *fresh, *suspended, *done;
};

static void *leave_coroutines(void *arg)
{
    struct legacy *legacy = arg;

    legacy->fresh = create(echo, NULL);
    legacy->suspended = create(echo, NULL);
    legacy->done = create(return_at_once, NULL);
    (void)resume(legacy->suspended, NULL);
    (void)resume(legacy->done, NULL);
    return NULL;
}

static void orphans_can_be_destroyed_by_anyone(const void *arg)
{
    struct legacy legacy;
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, leave_coroutines, &legacy) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(moat_co_get_state(legacy.suspended), MOAT_CO_SUSPENDED);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 3);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
    moat_co_destroy(legacy.fresh);
    moat_co_destroy(legacy.suspended);
    moat_co_destroy(legacy.done);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void *create_and_destroy(void *arg)
{
    moat_co *co;

    (void)arg;
    for (int i = 0; i < 1000; i++) {
        co = create(return_at_once, NULL);
        EXPECT_EQ(resume(co, &co).value, &co);
        moat_co_destroy(co);
    }
    return NULL;
}

static void many_threads_create_at_once(const void *arg)
{
    pthread_t threads[8];

    (void)arg;
    for (size_t i = 0; i < 8; i++)
        REQUIRE(pthread_create(&threads[i], NULL, create_and_destroy, NULL) ==
                0);
    for (size_t i = 0; i < 8; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- Locked memory ---- */

static void locked_processes_have_guarded_stacks_too(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_stack_info stack;
    moat_co *co = NULL;

    (void)arg;
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        child_leave_out("no memory can be locked"); /* RLIMIT_MEMLOCK */
    options.stack_bytes = (size_t)16 << 10;
    options.guard_bytes = (size_t)4 << 10;
    options.flags = MOAT_CO_SCRUB_DISCARD;
    co = create(echo, &options);
    EXPECT_EQ(resume(co, &co).value, &co);
    stack = stack_of(co);
    EXPECT_EQ(mincore((void *)stack.guard, 4096, &(unsigned char){0}), 0);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(resume(co, &co).value, &co);
    moat_co_destroy(co);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(every_state_has_its_number_and_text),
        CHILD_CASE(every_event_has_its_number),
        CHILD_CASE(options_are_copied),
        CHILD_CASE(a_coroutine_without_options_has_the_defaults),
        CHILD_CASE(a_reused_stack_has_no_former_name),
        CHILD_CASE(values_cross_both_ways),
        CHILD_CASE(reset_starts_again_from_any_stop),
        CHILD_CASE(coroutines_nest_deeply),
        CHILD_CASE(thousands_of_many_classes_live_at_once),
        CHILD_CASE(stacks_do_not_overlap),
        CHILD_CASE(reuse_is_last_in_first_out),
        CHILD_CASE(unscrubbed_stacks_keep_their_contents),
        CHILD_CASE(zeroed_stacks_hold_nothing),
        CHILD_CASE(discarded_stacks_hold_nothing),
        CHILD_CASE(both_policies_at_once_are_refused),
        CHILD_CASE(orphans_can_be_destroyed_by_anyone),
        CHILD_CASE(many_threads_create_at_once),
        CHILD_CASE(locked_processes_have_guarded_stacks_too),
    };

    return child_cases_run("co", cases, sizeof cases / sizeof cases[0], NULL);
}
