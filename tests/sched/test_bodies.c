/*
 * test_bodies.c: bodies of generators inside tasks, which wait as the task
 * does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/generators.h"
#include "sched/locks.h"

static moat_chan *numbers;

__attribute__((noinline, no_sanitize("address", "undefined"))) static void
fault(void)
{
    *nowhere = 1;
}

static void *sends_numbers(void *arg)
{
    for (uint64_t i = 1; i <= (uintptr_t)arg; i++) {
        EXPECT_EQ(moat_sleep(MS), MOAT_OK);
        if (send_number(numbers, i) != MOAT_OK)
            return NULL;
    }
    moat_chan_close(numbers);
    return NULL;
}

/* ---- A body waits ---- */

static void receives(moat_gen *gen, void *arg)
{
    CLEANED;
    uintptr_t number;

    while (moat_chan_recv(arg, &number, NEVER) == MOAT_OK)
        moat_gen_yield(gen, (void *)number);
}

static void *sums_up(void *arg)
{
    moat_gen *gen = make(receives, numbers = chan_of(8, 0));
    moat_task *sender = spawn(sends_numbers, (void *)100);
    uintptr_t sum = 0;

    MOAT_FOR_EACH(item, gen)
    sum += (uintptr_t)item;
    EXPECT_EQ(sum, 5050);
    EXPECT_EQ(moat_now(), 100 * MS);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    EXPECT_EQ(join(sender).kind, MOAT_EVENT_RETURN);
    moat_gen_destroy(gen);
    moat_chan_destroy(numbers);
    return arg;
}

static void a_body_waits_as_its_task(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(sums_up).deadlocks, 0);
}

/* ---- Every call ---- */

static void *returns(void *arg)
{
    return arg;
}

static void calls_all(moat_gen *gen, void *arg)
{
    moat_select_case cases[2];
    moat_chan *chan = chan_of(8, 1);
    moat_group *group = group_of(0);
    moat_result failure;
    uint64_t item = 1;
    size_t chosen = 9;

    EXPECT(moat_task_self() == arg);
    EXPECT_EQ(join(spawn(returns, arg)).value == arg, true);
    moat_gen_yield(gen, NULL);
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    EXPECT_EQ(moat_cond_wait(&cond, &mutex, moat_now() + MS), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    cases[0] = (moat_select_case){chan, false, &item};
    cases[1] = (moat_select_case){chan, true, &item};
    EXPECT_EQ(moat_select(cases, 2, NEVER, &chosen), MOAT_OK);
    EXPECT_EQ(chosen, 1);
    EXPECT_EQ(moat_select(cases + 1, 1, moat_now() + MS, NULL), MOAT_E_TIMEOUT);
    moat_gen_yield(gen, gen); /* the handle is an item like any other */
    EXPECT_EQ(moat_group_wait(group, NEVER, &failure), MOAT_OK);
    (void)spawn_in(group, returns, NULL);
    moat_group_close(group);
    moat_task_yield();
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    moat_chan_destroy(chan);
}

static void *lets_a_body_call(void *arg)
{
    moat_gen *gen = make(calls_all, moat_task_self());
    void *item = &item;

    EXPECT(moat_gen_next(gen, &item));
    EXPECT(item == NULL);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT(moat_gen_next(gen, &item));
    EXPECT(item == gen);
    EXPECT(!moat_gen_next(gen, &item));
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    EXPECT_EQ(moat_now(), 4 * MS);
    moat_gen_destroy(gen);
    return arg;
}

static void a_body_may_make_every_call(const void *arg)
{
    (void)arg;
    in_a_task(lets_a_body_call);
}

/* ---- Bodies in bodies ---- */

static void passes_on(moat_gen *gen, void *arg)
{
    CLEANED;
    moat_gen *source = arg;

    MOAT_FOR_EACH(item, source)
    {
        EXPECT_EQ(moat_sleep(MS), MOAT_OK);
        moat_gen_yield(gen, item);
    }
}

#define DEPTH 5

static moat_gen *chain[DEPTH];

static moat_gen *make_chain(void)
{
    chain[0] = make(receives, numbers = chan_of(8, 0));
    for (int i = 1; i < DEPTH; i++)
        chain[i] = make(passes_on, chain[i - 1]);
    return chain[DEPTH - 1];
}

static void destroy_chain(void)
{
    for (int i = DEPTH; i-- > 0;)
        moat_gen_destroy(chain[i]);
    moat_chan_destroy(numbers);
}

static void *sums_up_a_chain(void *arg)
{
    moat_gen *last = make_chain();
    moat_task *sender = spawn(sends_numbers, (void *)20);
    uintptr_t sum = 0;

    MOAT_FOR_EACH(item, last)
    sum += (uintptr_t)item;
    EXPECT_EQ(sum, 210);
    EXPECT_EQ(join(sender).kind, MOAT_EVENT_RETURN);
    destroy_chain();
    return arg;
}

static void bodies_wait_inside_bodies(const void *arg)
{
    (void)arg;
    (void)run(sums_up_a_chain);
    EXPECT_EQ(cleaned, DEPTH);
}

/* ---- Cancelled in a body ---- */

static void *consumes_for_ever(void *arg)
{
    MOAT_FOR_EACH(item, (moat_gen *)arg)
    EXPECT((uintptr_t)item < 3);
    EXPECT(false);
    return NULL;
}

static void *cancels_a_chain(void *arg)
{
    moat_task *task = spawn(consumes_for_ever, make_chain());

    EXPECT_EQ(send_number(numbers, 1), MOAT_OK);
    EXPECT_EQ(moat_sleep(20 * MS), MOAT_OK);
    EXPECT_EQ(cleaned, 0);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(cleaned, DEPTH);
    EXPECT_EQ(moat_chan_send(numbers, &arg, 0), MOAT_E_TIMEOUT);
    destroy_chain();
    return arg;
}

static void a_task_is_cancelled_in_a_body(const void *arg)
{
    (void)arg;
    (void)run(cancels_a_chain);
}

/* ---- A body is unwound, and its cleanup code calls ---- */

static void tells(moat_chan **chan)
{
    uint64_t item = 5;

    EXPECT_EQ(moat_chan_send(*chan, &item, NEVER), MOAT_OK);
    EXPECT_EQ(moat_chan_send(*chan, &item, 0), MOAT_E_TIMEOUT);
    note('t');
}

static void tells_at_its_end(moat_gen *gen, void *arg)
{
    __attribute__((cleanup(tells), unused)) moat_chan *chan = arg;

    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    for (;;)
        moat_gen_yield(gen, NULL);
}

static void *leaves_bodies(void *arg)
{
    moat_chan *chan = chan_of(8, 1);
    moat_gen *gen = make(tells_at_its_end, chan);
    void *item;

    MOAT_FOR_EACH(unused, gen)
    {
        (void)unused;
        break;
    }
    EXPECT_EQ(recv_number(chan), 5);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    moat_gen_destroy(gen);
    gen = make(tells_at_its_end, chan);
    EXPECT(moat_gen_next(gen, &item));
    moat_gen_destroy(gen);
    EXPECT_EQ(recv_number(chan), 5);
    EXPECT_STR(order, "tt");
    moat_chan_destroy(chan);
    return arg;
}

static void cleanup_code_of_a_body_may_call(const void *arg)
{
    (void)arg;
    (void)run(leaves_bodies);
}

/* ---- It fails ---- */

static void waits_and_faults(moat_gen *gen, void *arg)
{
    (void)gen;
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    if (arg == NULL)
        fault();
    (void)!moat_chan_recv(arg, (void *)16, NEVER); /* a bad pointer */
}

static void *survives_bodies(void *arg)
{
    moat_chan *chan = chan_of(8, 2);
    moat_gen *one = make(waits_and_faults, NULL);
    moat_gen *two = make(waits_and_faults, chan);
    void *item;

    EXPECT_EQ(send_number(chan, 1), MOAT_OK);
    EXPECT(!moat_gen_next(one, &item));
    EXPECT_EQ(moat_gen_status(one), MOAT_E_FAULT);
    EXPECT(!moat_gen_next(two, &item));
    EXPECT_EQ(moat_gen_status(two), MOAT_E_FAULT);
    moat_gen_destroy(one);
    moat_gen_destroy(two);
    EXPECT_EQ(send_number(chan, 1), MOAT_OK); /* the task goes on */
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    moat_chan_destroy(chan);
    return arg;
}

static void a_body_faults_after_a_wait(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(survives_bodies).trapped, 0);
}

/* ---- Where it cannot ---- */

static void *sleeps_in_a_host_call(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)moat_sleep(MS);
}

static void is_refused(moat_gen *gen, void *arg)
{
    EXPECT_EQ(moat_sleep(1), MOAT_E_STATE);
    EXPECT_EQ(moat_chan_send(numbers, &arg, NEVER), MOAT_E_STATE);
    EXPECT(moat_task_self() == NULL);
    moat_gen_yield(gen, (void *)1);
}

static void is_refused_in_a_host_call(moat_gen *gen, void *arg)
{
    EXPECT_EQ((intptr_t)moat_call_on_parent(moat_co_current(),
                                            sleeps_in_a_host_call, arg),
              MOAT_E_STATE);
    moat_gen_yield(gen, (void *)1);
}

static void *consumes_in_a_coroutine(moat_co *self, void *input)
{
    moat_gen *gen = make(is_refused, NULL);

    (void)self;
    EXPECT_EQ(moat_sleep(1), MOAT_E_STATE);
    EXPECT_EQ(next(gen), 1);
    moat_gen_destroy(gen);
    return input;
}

static void *consumes_in_a_host_call(void *arg)
{
    moat_gen *gen = make(is_refused, NULL);

    EXPECT_EQ(next(gen), 1);
    moat_gen_destroy(gen);
    return arg;
}

static void *has_bodies_that_cannot_wait(void *arg)
{
    moat_gen *gen = make(is_refused_in_a_host_call, NULL);
    moat_co *co = NULL;
    moat_event event;

    numbers = chan_of(8, 0);
    EXPECT_EQ(next(gen), 1);
    moat_gen_destroy(gen);
    REQUIRE(moat_co_create(&co, consumes_in_a_coroutine, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    (void)moat_call_on_parent(moat_co_current(), consumes_in_a_host_call, NULL);
    EXPECT_EQ(moat_sleep(1), MOAT_OK);
    moat_chan_destroy(numbers);
    return arg;
}

static void between_others_it_is_refused(const void *arg)
{
    (void)arg;
    (void)run(has_bodies_that_cannot_wait);
    numbers = chan_of(8, 0);
    (void)consumes_in_a_host_call(NULL); /* the host itself */
    moat_chan_destroy(numbers);
}

/* ---- On several threads ---- */

static void *sums_up_alone(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_gen *gen = make(receives, chan);
    moat_gen *outer = make(passes_on, gen);
    uintptr_t sum = 0;

    __atomic_store_n((moat_chan **)arg, chan, __ATOMIC_RELEASE);
    MOAT_FOR_EACH(item, outer)
    sum += (uintptr_t)item;
    moat_gen_destroy(outer);
    moat_gen_destroy(gen);
    return (void *)sum;
}

static void *sends_twenty(void *arg)
{
    moat_chan *chan;

    while ((chan = __atomic_load_n((moat_chan **)arg, __ATOMIC_ACQUIRE)) ==
           NULL)
        EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    for (uint64_t i = 1; i <= 20; i++)
        EXPECT_EQ(send_number(chan, i), MOAT_OK);
    moat_chan_close(chan);
    return NULL;
}

#define CROWD 20

static void *sum_up_in_a_crowd(void *arg)
{
    moat_chan *chans[CROWD] = {NULL};
    moat_task *tasks[CROWD], *senders[CROWD];

    for (int i = 0; i < CROWD; i++) {
        tasks[i] = spawn(sums_up_alone, &chans[i]);
        senders[i] = spawn(sends_twenty, &chans[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        EXPECT_EQ((uintptr_t)join(tasks[i]).value, 210);
        EXPECT_EQ(join(senders[i]).kind, MOAT_EVENT_RETURN);
        moat_chan_destroy(chans[i]);
    }
    return arg;
}

static void bodies_wait_on_several_threads(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    (void)arg;
    options.threads = 4;
    options.clock = MOAT_CLOCK_TEST;
    EXPECT_EQ(moat_sched_run(&options, sum_up_in_a_crowd, NULL, NULL), MOAT_OK);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_body_waits_as_its_task),
        CHILD_CASE(a_body_may_make_every_call),
        CHILD_CASE(bodies_wait_inside_bodies),
        CHILD_CASE(a_task_is_cancelled_in_a_body),
        CHILD_CASE(cleanup_code_of_a_body_may_call),
        CHILD_CASE(a_body_faults_after_a_wait),
        CHILD_CASE(between_others_it_is_refused),
        CHILD_CASE(bodies_wait_on_several_threads),
    };

    return child_cases_run("sched.bodies", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
