/*
 * test_gen_calls.c: generators: their creation, calls that are refused, and the
 * threads that they belong to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>

#include "sched/generators.h"

/* ---- Creation ---- */

static void bad_arguments_are_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_gen *gen = (moat_gen *)&options;
    moat_spec *spec = NULL;
    intptr_t one = 1;

    (void)arg;
    EXPECT_EQ(moat_gen_create(NULL, count, NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_gen_create(&gen, NULL, NULL, NULL), MOAT_E_INVAL);
    options.stack_bytes = 1;
    EXPECT_EQ(moat_gen_create(&gen, count, NULL, &options), MOAT_E_INVAL);
    options.stack_bytes = 0;
    options.struct_size = 3;
    EXPECT_EQ(moat_gen_create(&gen, count, NULL, &options), MOAT_E_INVAL);
    options.struct_size = 1 << 20;
    EXPECT_EQ(moat_gen_create(&gen, count, NULL, &options), MOAT_E_INVAL);
    EXPECT_EQ(moat_gen_create_from(&gen, NULL, count, NULL), MOAT_E_INVAL);
    REQUIRE(moat_spec_create(&spec, NULL) == MOAT_OK);
    EXPECT_EQ(moat_gen_create_from(NULL, spec, count, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_gen_create_from(&gen, spec, NULL, NULL), MOAT_E_INVAL);
    EXPECT(gen == (moat_gen *)&options);
    moat_spec_destroy(spec);

    gen = make(count, &one);
    EXPECT(!moat_gen_next(gen, NULL));
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_INVAL);
    EXPECT_EQ(next(gen), 1);
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    moat_gen_destroy(gen);
}

/* A newer program's options are longer. */
static void longer_options_are_the_engines_to_judge(const void *arg)
{
    struct {
        moat_co_options known;
        uint64_t unknown;
    } options = {MOAT_CO_OPTIONS_INIT, 0};
    intptr_t one = 1;
    moat_gen *gen;

    (void)arg;
    options.known.struct_size = sizeof options;
    gen = make_with(count, &one, &options.known);
    EXPECT_EQ(sum_of(gen), 1);
    moat_gen_destroy(gen);
    options.unknown = 1;
    EXPECT_EQ(moat_gen_create(&gen, count, NULL, &options.known),
              MOAT_E_UNSUPPORTED);
}

static void options_hold(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_stack_info stack = {0};
    intptr_t one = 1;
    moat_gen *gen;

    (void)arg;
    options.name = "counter";
    options.stack_bytes = 64 << 10;
    options.user = &stack;
    gen = make_with(count, &one, &options);
    EXPECT_STR(moat_co_name(moat_gen_co(gen)), "counter");
    EXPECT(moat_co_stack_info(moat_gen_co(gen), &stack) == MOAT_OK);
    EXPECT(stack.base - stack.limit >= 64 << 10 &&
           stack.base - stack.limit < 128 << 10);
    EXPECT_EQ(sum_of(gen), 1);
    moat_gen_destroy(gen);
}

static void a_spec_uses_a_stack_again(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_spec *spec = NULL;
    const moat_co *used = NULL;
    intptr_t one = 1;

    (void)arg;
    options.name = "again";
    options.stack_bytes = 32 << 10;
    REQUIRE(moat_spec_create(&spec, &options) == MOAT_OK);
    for (int i = 0; i < 1000; i++) {
        moat_gen *gen = NULL;

        REQUIRE(moat_gen_create_from(&gen, spec, count, &one) == MOAT_OK);
        if (i == 1 && !UNDER_ASAN && !UNDER_TSAN)
            EXPECT(moat_gen_co(gen) == used);
        used = moat_gen_co(gen);
        EXPECT_STR(moat_co_name(used), "again");
        EXPECT_EQ(sum_of(gen), 1);
        moat_gen_destroy(gen);
    }
    EXPECT_EQ(cleaned, 1000);
    moat_spec_destroy(spec);
}

/* ---- Out of line ---- */

bool next_far(moat_gen *gen, void **item) __asm__("moat_gen_next");
void yield_far(moat_gen *gen, void *item) __asm__("moat_gen_yield");

static void count_far(moat_gen *gen, void *arg)
{
    for (intptr_t i = 1; i <= *(const intptr_t *)arg; i++)
        yield_far(gen, (void *)i);
}

static void the_symbols_do_the_same(const void *arg)
{
    intptr_t three = 3, sum = 0;
    moat_gen *gen = make(count_far, &three);
    void *item;

    (void)arg;
    while (next_far(gen, &item))
        sum += (intptr_t)item;
    EXPECT_EQ(sum, 6);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    moat_gen_destroy(gen);
}

/* ---- Refusals ---- */

static void yield_for_another(moat_gen *gen, void *arg)
{
    (void)gen;
    moat_gen_yield(arg, (void *)1);
}

static void a_yield_for_another_is_a_trap(const void *arg)
{
    moat_gen *other = make(forever, NULL);
    moat_gen *gen = make(yield_for_another, other);

    (void)arg;
    EXPECT_EQ(next(other), 1);
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_FAULT);
    EXPECT_EQ(trap_of(gen).kind, MOAT_TRAP_RAISED);
    EXPECT_EQ(trap_of(gen).user_code, (int)MOAT_E_STATE);
    EXPECT_EQ(next(other), 2);
    moat_gen_destroy(gen);
    moat_gen_destroy(other);
}

static void a_yield_on_the_hosts_stack_aborts(const void *arg)
{
    moat_gen *gen = make(forever, NULL);

    (void)arg;
    moat_gen_yield(gen, (void *)1);
}

static void use_itself(moat_gen *gen, void *arg)
{
    (void)arg;
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_STATE);
    EXPECT_EQ(moat_gen_cancel(gen), MOAT_E_STATE);
    moat_gen_yield(gen, (void *)1);
}

static void a_generator_does_not_consume_itself(const void *arg)
{
    moat_gen *gen = make(use_itself, NULL);

    (void)arg;
    EXPECT_EQ(next(gen), 1);
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    moat_gen_destroy(gen);
}

static void destroy_itself(moat_gen *gen, void *arg)
{
    (void)arg;
    moat_gen_destroy(gen);
    moat_gen_yield(gen, (void *)1);
}

static void a_body_does_not_destroy_its_generator(const void *arg)
{
    moat_gen *gen = make(destroy_itself, NULL);

    (void)arg;
#ifdef NDEBUG
    EXPECT_EQ(next(gen), 1);
#else
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(trap_of(gen).kind, MOAT_TRAP_ABORT);
#endif
    moat_gen_destroy(gen);
}

static void *use_from_elsewhere(void *arg)
{
    moat_gen *gen = arg;

    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_THREAD);
    EXPECT_EQ(moat_gen_cancel(gen), MOAT_E_THREAD);
    return NULL;
}

static void *create_elsewhere(void *arg)
{
    *(moat_gen **)arg = make(forever, NULL);
    EXPECT_EQ(next(*(moat_gen **)arg), 1);
    return NULL;
}

static void a_generator_belongs_to_its_thread(const void *arg)
{
    moat_gen *gen = make(forever, NULL), *orphan = NULL;
    pthread_t thread;

    (void)arg;
    EXPECT_EQ(next(gen), 1);
    REQUIRE(pthread_create(&thread, NULL, use_from_elsewhere, gen) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(next(gen), 2);
    moat_gen_destroy(gen);

    REQUIRE(pthread_create(&thread, NULL, create_elsewhere, &orphan) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    moat_gen_destroy(orphan); /* its thread has ended */
}

#define THREADS 4

/* The first generators of a process, on all threads at once. */
static void *consume_many(void *arg)
{
    intptr_t ten = 10;

    (void)arg;
    for (int i = 0; i < 500; i++) {
        moat_gen *gen = make(count, &ten);
        intptr_t sum = 0;

        MOAT_FOR_EACH(item, gen)
        sum += (intptr_t)item;
        EXPECT_EQ(sum, 55);
        moat_gen_destroy(gen);
    }
    return NULL;
}

static void each_thread_has_its_own(const void *arg)
{
    pthread_t threads[THREADS];

    (void)arg;
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, consume_many, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static void *create_with_little_stack(moat_co *self, void *input)
{
    moat_gen *gen = NULL;

    (void)input;
    EXPECT_EQ(moat_gen_create(&gen, forever, NULL, NULL), MOAT_E_LIMIT);
    EXPECT(gen == NULL);
    (void)self;
    return NULL;
}

static void a_small_stack_is_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co = NULL;

    (void)arg;
    options.stack_bytes = 4096;
    REQUIRE(moat_co_create(&co, create_with_little_stack, &options) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_yield_for_another_is_a_trap),
        {"a_yield_on_the_hosts_stack_aborts", a_yield_on_the_hosts_stack_aborts,
         NULL, NULL, SIGABRT, 0},
        CHILD_CASE(a_generator_does_not_consume_itself),
        CHILD_CASE(a_body_does_not_destroy_its_generator),
        CHILD_CASE(a_generator_belongs_to_its_thread),
        CHILD_CASE(each_thread_has_its_own),
        CHILD_CASE(a_small_stack_is_refused),
        CHILD_CASE(bad_arguments_are_refused),
        CHILD_CASE(longer_options_are_the_engines_to_judge),
        CHILD_CASE(options_hold),
        CHILD_CASE(a_spec_uses_a_stack_again),
        CHILD_CASE(the_symbols_do_the_same),
    };

    return child_cases_run("sched.gen_calls", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
