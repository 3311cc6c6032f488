/*
 * test_grace.c: visits and the writers that wait for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "registry/grace.h"
#include "tests/support/fixture.h"

#define TRAP_FLAG UINT64_C(0x100)

/* More than there are cells. */
#define CROWD 400u

static atomic_uint inside, left;
static atomic_bool leave, stop;

static pthread_t start(void *(*fn)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;

    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 128 << 10), 0);
    assert_int_equal(pthread_create(&thread, &attributes, fn, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
    return thread;
}

static void *visit(void *arg)
{
    if (!moat_grace_enter())
        abort();
    atomic_fetch_add(&inside, 1);
    while (!atomic_load(&leave))
        (void)sched_yield();
    atomic_fetch_add(&left, 1);
    moat_grace_leave();
    return arg;
}

static void *let_go(void *arg)
{
    atomic_store(&leave, true);
    return arg;
}

/* The wait ends after all of the visitors have counted themselves. */
static void wait_for(unsigned count)
{
    static pthread_t threads[CROWD];
    pthread_t other;

    atomic_store(&inside, 0);
    atomic_store(&left, 0);
    atomic_store(&leave, false);
    for (unsigned i = 0; i < count; i++)
        threads[i] = start(visit);
    while (atomic_load(&inside) < count)
        (void)sched_yield();
    other = start(let_go);
    moat_grace_wait();
    assert_int_equal(atomic_load(&left), count);
    (void)pthread_join(other, NULL);
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    moat_grace_wait();
}

static void a_writer_waits_for_each_visitor(void **state)
{
    (void)state;
    wait_for(1);
    wait_for(40);
    wait_for(CROWD);
}

static void a_thread_makes_one_visit(void **state)
{
    (void)state;
    assert_false(moat_grace_visiting());
    assert_true(moat_grace_enter());
    assert_false(moat_grace_enter());
    assert_true(moat_grace_visiting());
    moat_grace_leave();
    assert_false(moat_grace_visiting());
    moat_grace_leave();
    moat_grace_wait();
}

static void an_abandoned_visit_is_over(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(moat_grace_enter());
        moat_grace_abandon();
        assert_false(moat_grace_visiting());
    }
    moat_grace_abandon();
    moat_grace_wait();
}

static void *visit_again_and_again(void *arg)
{
    while (!atomic_load(&stop)) {
        (void)moat_grace_enter();
        moat_grace_leave();
    }
    return arg;
}

static void a_stream_of_visitors_keeps_no_writer_waiting(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        threads[i] = start(visit_again_and_again);
    for (int i = 0; i < 50; i++)
        moat_grace_wait();
    atomic_store(&stop, true);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
}

static void a_child_begins_without_visitors(void **state)
{
    (void)state;
    assert_true(moat_grace_enter());
    moat_grace_after_fork();
    assert_false(moat_grace_visiting());
    moat_grace_wait();
    assert_true(moat_grace_enter());
    moat_grace_leave();
}

/* A handler of this thread, before each instruction of a visit. */
static volatile unsigned interruptions;

static void visit_amid(int signo)
{
    (void)signo;
    interruptions = interruptions + 1;
    if (moat_grace_enter())
        moat_grace_leave();
}

static __attribute__((noinline)) void change_trap_flag(uint64_t clear,
                                                       uint64_t set)
{
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
                     "pushfq\n\t"
                     "andq %0, (%%rsp)\n\t"
                     "orq %1, (%%rsp)\n\t"
                     "popfq\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     :
                     : "r"(~clear), "r"(set)
                     : "cc", "memory");
}

static void a_visit_may_be_interrupted_by_another(void **state)
{
    struct sigaction action = {.sa_handler = visit_amid}, before;

    (void)state;
    if (UNDER_ASAN || UNDER_TSAN)
        skip_for("the sanitizer's code would be stepped through");
    assert_int_equal(sigaction(SIGTRAP, &action, &before), 0);
    change_trap_flag(0, TRAP_FLAG);
    if (moat_grace_enter())
        moat_grace_leave();
    change_trap_flag(TRAP_FLAG, 0);
    assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
    assert_true(interruptions > 30);
    (void)alarm(60); /* it would wait for ever */
    moat_grace_wait();
    (void)alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_waits_for_each_visitor),
        cmocka_unit_test(a_thread_makes_one_visit),
        cmocka_unit_test(an_abandoned_visit_is_over),
        cmocka_unit_test(a_stream_of_visitors_keeps_no_writer_waiting),
        cmocka_unit_test(a_child_begins_without_visitors),
        cmocka_unit_test(a_visit_may_be_interrupted_by_another),
    };

    return cmocka_run_group_tests_name("grace", tests, NULL, NULL);
}
