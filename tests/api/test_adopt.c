/*
 * test_adopt.c: coroutines that pass from one thread to another.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <moat/allocator.h>
#include <moat/moat.h>

#include "support/fixture.h"

/* Runs a function on a thread of its own, and waits for its end. */
static void elsewhere(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, fn, arg) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

static moat_event resume(moat_co *co)
{
    moat_event event = {MOAT_EVENT_PANIC, NULL, NULL};

    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    return event;
}

/* No coroutine is counted as alive. */
static void expect_none_left(void)
{
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- A thread that makes, and one that takes ------------------------------
 */

static struct {
    moat_entry entry;
    const moat_co_options *options;
    moat_spec *spec;
    bool started;
    moat_co *co;
} order;

static pthread_barrier_t stages;

static void make(void)
{
    if (order.spec != NULL)
        REQUIRE(moat_co_create_from(&order.co, order.spec, order.entry, NULL) ==
                MOAT_OK);
    else
        REQUIRE(moat_co_create(&order.co, order.entry, order.options) ==
                MOAT_OK);
    if (order.started)
        (void)resume(order.co);
}

static void *make_and_leave(void *arg)
{
    make();
    return arg;
}

/* Lives until the other thread is done. */
static void *make_and_stay(void *arg)
{
    moat_event event;

    make();
    (void)pthread_barrier_wait(&stages);
    (void)pthread_barrier_wait(&stages);
    EXPECT_EQ(moat_co_resume(order.co, NULL, &event), MOAT_E_THREAD);
    (void)pthread_barrier_wait(&stages);
    (void)pthread_barrier_wait(&stages);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return arg;
}

/* Adopts what a thread has made that lives on, and calls `use`. */
static void take_from_living(void (*use)(moat_co *co))
{
    pthread_t thread;
    moat_event event;

    REQUIRE(pthread_barrier_init(&stages, NULL, 2) == 0);
    REQUIRE(pthread_create(&thread, NULL, make_and_stay, NULL) == 0);
    (void)pthread_barrier_wait(&stages);
    EXPECT_EQ(moat_co_resume(order.co, NULL, &event), MOAT_E_THREAD);
    EXPECT_EQ(moat_co_adopt(order.co), MOAT_OK);
    EXPECT_EQ(moat_co_adopt(order.co), MOAT_OK);
    (void)pthread_barrier_wait(&stages);
    (void)pthread_barrier_wait(&stages);
    use(order.co);
    (void)pthread_barrier_wait(&stages);
    REQUIRE(pthread_join(thread, NULL) == 0);
    (void)pthread_barrier_destroy(&stages);
    expect_none_left();
}

static void take_from_ended(void (*use)(moat_co *co))
{
    elsewhere(make_and_leave, NULL);
    EXPECT_EQ(moat_co_adopt(order.co), MOAT_OK);
    use(order.co);
    expect_none_left();
}

/* ---- Each state ---------------------------------------------------------- */

static void *yields(moat_co *self, void *input)
{
    (void)input;
    for (uintptr_t i = 1; i <= 3; i++)
        (void)moat_co_yield(self, (void *)i);
    return self;
}

static void *returns(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void *traps(moat_co *self, void *input)
{
    (void)self, (void)input;
    moat_trap_raise(7);
}

static void end_suspended(moat_co *co)
{
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
    EXPECT(resume(co).value == (void *)2);
    EXPECT(resume(co).value == (void *)3);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void end_fresh(moat_co *co)
{
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    EXPECT(resume(co).value == (void *)1);
    end_suspended(co);
}

static void end_done(moat_co *co)
{
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void end_trapped(moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_frame frames[64];
    size_t count = 0;

    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_TRAPPED);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.user_code, 7);
    EXPECT_EQ(moat_co_backtrace(co, frames, 64, &count), MOAT_OK);
    EXPECT(count > 0);
    moat_co_destroy(co);
}

static void take(bool living, moat_entry entry, bool started,
                 void (*use)(moat_co *co))
{
    order.entry = entry;
    order.started = started;
    if (living)
        take_from_living(use);
    else
        take_from_ended(use);
}

static void in_each_state(const void *arg)
{
    (void)arg;
    for (int living = 0; living < 2; living++) {
        take(living, yields, false, end_fresh);
        take(living, yields, true, end_suspended);
        take(living, returns, true, end_done);
        take(living, traps, true, end_trapped);
    }
}

/* ---- Options ------------------------------------------------------------- */

static void with_a_name(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    (void)arg;
    options.name = "wanderer";
    order.options = &options;
    take(true, yields, true, end_suspended); /* a copy of the name */
    take(true, yields, true, end_suspended); /* a thread's own spec */
    take(false, yields, true, end_suspended);
}

static void end_and_forget_the_spec(moat_co *co)
{
    moat_spec_destroy(order.spec);
    end_suspended(co);
}

static void from_a_spec_that_ends(const void *arg)
{
    (void)arg;
    for (int living = 0; living < 2; living++) {
        REQUIRE(moat_spec_create(&order.spec, NULL) == MOAT_OK);
        take(living, yields, true, end_and_forget_the_spec);
    }
}

/* The spec is gone when the coroutine comes to a thread that never had it. */
static void from_a_spec_that_has_ended(const void *arg)
{
    (void)arg;
    REQUIRE(moat_spec_create(&order.spec, NULL) == MOAT_OK);
    order.entry = yields;
    order.started = true;
    elsewhere(make_and_leave, NULL);
    moat_spec_destroy(order.spec);
    EXPECT_EQ(moat_co_adopt(order.co), MOAT_OK);
    end_suspended(order.co);
    expect_none_left();
}

/* ---- Its heap, limits, deferred functions -------------------------------- */

static char text[16];

static void *fills_its_heap(moat_co *self, void *input)
{
    moat_heap *heap = moat_co_heap(self);
    char *block = moat_heap_alloc(heap, 16);

    (void)input;
    memcpy(block, "kept", 5);
    (void)moat_co_yield(self, NULL);
    memcpy(text, block, 5);
    moat_heap_free(heap, block);
    block = moat_heap_alloc(heap, 8 << 20); /* more than it may have */
    return block;
}

static void end_with_heap(moat_co *co)
{
    EXPECT(resume(co).value == NULL);
    EXPECT_STR(text, "kept");
    moat_co_destroy(co);
}

static void its_heap(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    limits.memory_bytes = 1 << 20;
    options.limits = &limits;
    order.options = &options;
    take(true, fills_its_heap, true, end_with_heap);
}

static void *yields_and_turns(moat_co *self, void *input)
{
    volatile bool on = true;

    (void)moat_co_yield(self, NULL);
    while (on)
        ;
    return input;
}

static void end_by_limit(moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(resume(co).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
}

static void its_limits(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits resumes = MOAT_LIMITS_INIT, totals = MOAT_LIMITS_INIT;

    (void)arg;
    resumes.resume_cpu_ns = totals.total_cpu_ns = 20000000;
    order.options = &options;
    options.limits = &resumes;
    take(true, yields_and_turns, true, end_by_limit);
    options.limits = &totals;
    take(true, yields_and_turns, true, end_by_limit);
}

static pthread_t deferred_on;

static void note_thread(void *arg)
{
    (void)arg;
    deferred_on = pthread_self();
}

static void *defers(moat_co *self, void *input)
{
    EXPECT_EQ(moat_co_defer(self, note_thread, NULL), MOAT_OK);
    return moat_co_yield(self, input);
}

static void end_deferring(moat_co *co)
{
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    EXPECT(pthread_equal(deferred_on, pthread_self()));
    moat_co_destroy(co);
}

static void its_deferred_functions(const void *arg)
{
    (void)arg;
    take(true, defers, true, end_deferring);
    take(false, defers, true, end_deferring);
}

/* ---- Thread-local variables ---------------------------------------------- */

static _Thread_local int own;

static __attribute__((noinline)) int *address_of_own(void)
{
    __asm__ volatile("");
    return &own;
}

static int *before, *after;

static void *looks_at_its_thread(moat_co *self, void *input)
{
    before = address_of_own();
    (void)moat_co_yield(self, NULL);
    after = address_of_own();
    return input;
}

static void end_looking(moat_co *co)
{
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    EXPECT(before != &own && after == &own);
    moat_co_destroy(co);
}

static void its_code_is_on_the_new_thread(const void *arg)
{
    (void)arg;
    take(true, looks_at_its_thread, true, end_looking);
}

/* ---- Refusals ------------------------------------------------------------ */

static void *adopts_itself(moat_co *self, void *input)
{
    (void)input;
    EXPECT_EQ(moat_co_adopt(self), MOAT_E_STATE);
    return NULL;
}

static void *turns(moat_co *self, void *input)
{
    static volatile bool on = true;

    (void)self;
    while (on)
        ;
    return input;
}

static void the_wrong_is_refused(const void *arg)
{
    moat_co *co;

    (void)arg;
    EXPECT_EQ(moat_co_adopt(NULL), MOAT_E_INVAL);
    EXPECT_STR(moat_error_detail(), "MOAT_E_INVAL: co is NULL");
    REQUIRE(moat_co_create(&co, adopts_itself, NULL) == MOAT_OK);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    EXPECT_EQ(moat_co_adopt(co), MOAT_E_STATE);
    expect_none_left();
}

static void an_interrupted_one_is_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event;
    moat_co *co;

    (void)arg;
    limits.slice_ns = 1000000;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, turns, &options) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_PREEMPT);
    EXPECT_EQ(moat_co_adopt(co), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    moat_co_destroy(co);
    expect_none_left();
}

/* ---- Many, to and fro ---------------------------------------------------- */

#define THREADS 4
#define CROWD   64
#define TURNS   200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static moat_co *crowd[CROWD];
static atomic_size_t ended;

static void *wanders(moat_co *self, void *input)
{
    uintptr_t sum = 0;

    (void)input;
    for (uintptr_t i = 0; i < TURNS; i++) {
        sum += i;
        (void)moat_co_yield(self, NULL);
    }
    return (void *)sum;
}

static moat_co *take_one(size_t at)
{
    moat_co *co;

    (void)pthread_mutex_lock(&lock);
    co = crowd[at];
    crowd[at] = NULL;
    (void)pthread_mutex_unlock(&lock);
    return co;
}

static void put_back(size_t at, moat_co *co)
{
    (void)pthread_mutex_lock(&lock);
    crowd[at] = co;
    (void)pthread_mutex_unlock(&lock);
}

static void *takes_what_comes(void *arg)
{
    size_t at = (uintptr_t)arg;

    while (atomic_load(&ended) < CROWD) {
        moat_co *co = take_one(at = (at * 5 + 3) % CROWD);
        moat_event event;

        if (co == NULL)
            continue;
        EXPECT_EQ(moat_co_adopt(co), MOAT_OK);
        event = resume(co);
        if (event.kind == MOAT_EVENT_YIELD) {
            put_back(at, co);
            continue;
        }
        EXPECT_EQ((uintptr_t)event.value, TURNS * (TURNS - 1) / 2);
        moat_co_destroy(co);
        atomic_fetch_add(&ended, 1);
    }
    return NULL;
}

static void a_crowd_wanders(const void *arg)
{
    pthread_t threads[THREADS];

    (void)arg;
    for (size_t i = 0; i < CROWD; i++)
        REQUIRE(moat_co_create(&crowd[i], wanders, NULL) == MOAT_OK);
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, takes_what_comes,
                               (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    expect_none_left();
}

int main(void)
{
    const char *delayed =
        UNDER_TSAN ? "TSan delays signals in a loop without calls" : NULL;
    const struct child_case cases[] = {
        CHILD_CASE(in_each_state),
        CHILD_CASE(with_a_name),
        CHILD_CASE(from_a_spec_that_ends),
        CHILD_CASE(from_a_spec_that_has_ended),
        CHILD_CASE(its_heap),
        {"its_limits", its_limits, NULL, delayed, 0, 0},
        CHILD_CASE(its_deferred_functions),
        CHILD_CASE(its_code_is_on_the_new_thread),
        CHILD_CASE(the_wrong_is_refused),
        {"an_interrupted_one_is_refused", an_interrupted_one_is_refused, NULL,
         delayed, 0, 0},
        CHILD_CASE(a_crowd_wanders),
    };

    return child_cases_run("adopt", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
