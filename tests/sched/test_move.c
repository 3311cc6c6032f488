/*
 * test_move.c: migratable tasks: what they take along to another thread, and
 * what they leave.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <unistd.h>

#include <moat/gen.h>

#include "sched/movers.h"

#define THREADS 4

static struct occupation occupation;
static atomic_bool waits; /* the mover is about to wait */

/* ---- Each wait ------------------------------------------------------------
 * The mover waits on one thread, which is then occupied; on the other one a
 * task wakes it.
 */

static moat_chan *chan;
static moat_mutex mutex;
static moat_cond cond;
static moat_semaphore semaphore;
static moat_rwlock rwlock;
static moat_wait_group wait_group;
static moat_waker *waker;
static moat_task *awaited;
static moat_task *mover;
static int ends[2];

static moat_status waits_asleep(void)
{
    do
        EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    while (is_here(occupation.thread));
    return MOAT_OK;
}

static moat_status waits_to_receive(void)
{
    uint64_t item = 0;
    moat_status status = moat_chan_recv(chan, &item, NEVER);

    EXPECT_EQ(item, 5);
    return status;
}

static void sends(void)
{
    EXPECT_EQ(send_number(chan, 5), MOAT_OK);
}

static moat_status waits_with_deadline(void)
{
    uint64_t item = 0;
    moat_status status = moat_chan_recv(chan, &item, moat_now() + 60000 * MS);

    EXPECT_EQ(item, 5);
    return status;
}

static moat_status waits_in_select(void)
{
    uint64_t item = 0;
    const moat_select_case cases[] = {{NULL, false, &item},
                                      {chan, false, &item}};
    size_t chosen = 0;
    moat_status status = moat_select(cases, 2, NEVER, &chosen);

    EXPECT_EQ(chosen, 1);
    EXPECT_EQ(item, 5);
    return status;
}

/* Another mover has it, and unlocks it at an item. */
static moat_status waits_for_mutex(void)
{
    moat_status status = moat_mutex_lock(&mutex, NEVER);

    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return status;
}

static void *holds_mutex(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    (void)recv_number(chan);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return arg;
}

static moat_status waits_for_signal(void)
{
    moat_status status;

    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    status = moat_cond_wait(&cond, &mutex, NEVER);
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK); /* it is the owner still */
    return status;
}

static void signals(void)
{
    EXPECT_EQ(moat_cond_signal(&cond), MOAT_OK);
}

static moat_status waits_for_permit(void)
{
    return moat_semaphore_acquire(&semaphore, NEVER);
}

static void releases(void)
{
    EXPECT_EQ(moat_semaphore_release(&semaphore), MOAT_OK);
}

static moat_status waits_for_group(void)
{
    return moat_wait_group_wait(&wait_group, NEVER);
}

static void is_done(void)
{
    EXPECT_EQ(moat_wait_group_done(&wait_group), MOAT_OK);
}

static moat_status waits_for_waker(void)
{
    return moat_waker_wait(waker, NEVER);
}

static void wakes(void)
{
    moat_waker_wake(waker);
}

static void *ends_at_item(void *arg)
{
    (void)recv_number(chan);
    return arg;
}

static moat_status waits_to_join(void)
{
    return moat_task_join(awaited, NEVER, NULL);
}

/* errno comes from a function of the library that began on another thread. */
static moat_status waits_too_long(void)
{
    char byte;

    do {
        EXPECT_EQ(moat_read(ends[0], &byte, 1, moat_now() + MS), -1);
        EXPECT_EQ(*this_errno(), ETIMEDOUT);
    } while (is_here(occupation.thread));
    *this_errno() = ERANGE;
    return MOAT_OK;
}

static const struct wait {
    const char *name;
    moat_status (*wait)(void);
    void (*wake)(void);
} all_waits[] = {
    {"sleep", waits_asleep, NULL},
    {"recv", waits_to_receive, sends},
    {"recv with a deadline", waits_with_deadline, sends},
    {"select", waits_in_select, sends},
    {"mutex", waits_for_mutex, sends},
    {"cond", waits_for_signal, signals},
    {"semaphore", waits_for_permit, releases},
    {"wait group", waits_for_group, is_done},
    {"waker", waits_for_waker, wakes},
    {"join", waits_to_join, sends},
    {"read too long", waits_too_long, NULL},
};

static _Thread_local int own;

static __attribute__((noinline)) int *address_of_own(void)
{
    __asm__ volatile("");
    return &own;
}

static moat_local key;

static void *waits_and_moves(void *arg)
{
    const struct wait *way = arg;
    int *former_own = address_of_own(), *former_errno = this_errno();

    EXPECT_EQ(moat_local_set(key, &key), MOAT_OK);
    occupation.thread = this_thread();
    *this_errno() = ERANGE;
    atomic_store(&waits, true);
    EXPECT_EQ(way->wait(), MOAT_OK);
    EXPECT(!is_here(occupation.thread));
    EXPECT_EQ(*this_errno(), ERANGE);
    /* What was found before is the former thread's. */
    EXPECT(former_errno != this_errno());
    EXPECT(former_own != address_of_own());
    EXPECT(moat_local_get(key) == &key);
    EXPECT(moat_task_self() == mover);
    atomic_store(&occupation.left, true);
    return arg;
}

/* Until the mover waits, and a bit longer: there is no sign of that. */
static void await_mover(void)
{
    do
        EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    while (!atomic_load(&waits));
}

static void make_objects(void)
{
    chan = chan_of(8, 0);
    EXPECT_EQ(moat_mutex_init(&mutex), MOAT_OK);
    EXPECT_EQ(moat_cond_init(&cond), MOAT_OK);
    EXPECT_EQ(moat_semaphore_init(&semaphore, 0), MOAT_OK);
    EXPECT_EQ(moat_rwlock_init(&rwlock), MOAT_OK);
    EXPECT_EQ(moat_wait_group_init(&wait_group), MOAT_OK);
    EXPECT_EQ(moat_waker_create(&waker), MOAT_OK);
    REQUIRE(pipe(ends) == 0);
}

static void end_objects(void)
{
    moat_chan_destroy(chan);
    moat_mutex_destroy(&mutex);
    moat_cond_destroy(&cond);
    moat_semaphore_destroy(&semaphore);
    moat_rwlock_destroy(&rwlock);
    moat_wait_group_destroy(&wait_group);
    moat_waker_destroy(waker);
    EXPECT_EQ(moat_close(ends[0]), 0);
    EXPECT_EQ(moat_close(ends[1]), 0);
}

static void move_by(const struct wait *way)
{
    moat_task *helper = NULL;

    expect_context("%s", way->name);
    make_objects();
    if (way->wait == waits_for_mutex) {
        helper = spawn_mover(holds_mutex, NULL);
        EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    } else if (way->wait == waits_to_join) {
        awaited = spawn_mover(ends_at_item, NULL);
    } else if (way->wait == waits_for_group) {
        EXPECT_EQ(moat_wait_group_add(&wait_group, 1), MOAT_OK);
    }
    atomic_store(&waits, false);
    atomic_store(&occupation.left, false);
    occupation.then = way->wake;
    mover = spawn_mover(waits_and_moves, (void *)(uintptr_t)way);
    await_mover();
    occupy(&occupation);
    (void)join(mover);
    if (helper != NULL)
        (void)join(helper);
    end_objects();
}

static void *moves_by_all(void *arg)
{
    EXPECT_EQ(moat_local_create(&key, NULL), MOAT_OK);
    for (size_t i = 0; i < sizeof all_waits / sizeof all_waits[0]; i++)
        move_by(&all_waits[i]);
    EXPECT_EQ(moat_local_delete(key), MOAT_OK);
    return arg;
}

static void a_task_moves_from_each_wait(const void *arg)
{
    (void)arg;
    EXPECT(run_movers(2, MOAT_CLOCK_REAL, moves_by_all).moved >=
           sizeof all_waits / sizeof all_waits[0]);
}

/* ---- Woken by the task that has the turn -----------------------------------
 * It would be the next on that thread, but the turn does not end.
 */

static void *wakes_and_goes_on(void *arg)
{
    static const struct wait receives = {"next", waits_to_receive, NULL};

    EXPECT_EQ(moat_local_create(&key, NULL), MOAT_OK);
    occupation.before = sends;
    move_by(&receives);
    occupation.before = NULL;
    EXPECT_EQ(moat_local_delete(key), MOAT_OK);
    return arg;
}

static void the_next_is_taken_if_the_turn_goes_on(const void *arg)
{
    (void)arg;
    EXPECT(run_movers(2, MOAT_CLOCK_REAL, wakes_and_goes_on).moved >= 1);
}

/* ---- A mover, and what it does once it has moved --------------------------
 */

/* Waits until the caller, a mover, is on another thread. */
static void move(void)
{
    occupation.thread = this_thread();
    atomic_store(&waits, true);
    (void)waits_asleep();
    atomic_store(&occupation.left, true);
}

static moat_result move_with(const moat_task_options *options, moat_task_fn fn,
                             void *arg)
{
    atomic_store(&waits, false);
    atomic_store(&occupation.left, false);
    occupation.then = NULL;
    REQUIRE(moat_task_spawn(NULL, fn, arg, options, &mover) == MOAT_OK);
    await_mover();
    occupy(&occupation);
    return join(mover);
}

static moat_task_options migratable(void)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;

    options.migratable = true;
    return options;
}

static void *turns_for_ever(void *arg)
{
    volatile bool on = true;

    move();
    while (on)
        ;
    return arg;
}

static void *has_limit(void *arg)
{
    moat_task_options options = migratable();
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_result result;

    limits.total_cpu_ns = 20 * MS;
    options.limits = &limits;
    result = move_with(&options, turns_for_ever, arg);
    EXPECT_EQ(result.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(result.trap.kind, MOAT_TRAP_DEADLINE);
    return arg;
}

static void a_limit_goes_along(const void *arg)
{
    (void)arg;
    EXPECT(run_movers(2, MOAT_CLOCK_REAL, has_limit).moved >= 1);
}

/* ---- Coroutines of a mover ----------------------------------------------- */

static void counts(moat_gen *gen, void *arg)
{
    (void)arg;
    for (uintptr_t i = 1; i <= 4; i++)
        moat_gen_yield(gen, (void *)i);
}

/* The body waits itself, and has another thread then. */
static void moves_and_counts(moat_gen *gen, void *arg)
{
    moat_gen_yield(gen, arg);
    move();
    moat_gen_yield(gen, arg);
}

static uintptr_t next_of(moat_gen *gen)
{
    void *item = NULL;

    return moat_gen_next(gen, &item) ? (uintptr_t)item : 0;
}

static moat_gen *gen_of(moat_gen_body body)
{
    moat_gen *gen = NULL;

    REQUIRE(moat_gen_create(&gen, body, &mover, NULL) == MOAT_OK);
    return gen;
}

static void *takes_generators_along(void *arg)
{
    moat_gen *gens[5];

    for (int i = 0; i < 5; i++)
        gens[i] = gen_of(i == 4 ? moves_and_counts : counts);
    for (uintptr_t i = 0; i < 4; i++) /* at different items, one fresh */
        for (uintptr_t j = 1; j <= i; j++)
            EXPECT_EQ(next_of(gens[i]), j);
    EXPECT_EQ(next_of(gens[4]), (uintptr_t)&mover);
    EXPECT_EQ(next_of(gens[4]), (uintptr_t)&mover); /* it has moved */
    EXPECT_EQ(next_of(gens[4]), 0);
    EXPECT_EQ(next_of(gens[0]), 1);
    EXPECT_EQ(next_of(gens[1]), 2);
    EXPECT_EQ(moat_gen_cancel(gens[2]), MOAT_OK);
    for (int i = 0; i < 5; i++)
        moat_gen_destroy(gens[i]); /* the fourth one as it came */
    return arg;
}

static void *has_generators(void *arg)
{
    moat_task_options options = migratable();

    EXPECT_EQ(move_with(&options, takes_generators_along, arg).kind,
              MOAT_EVENT_RETURN);
    return arg;
}

static void generators_go_along(const void *arg)
{
    (void)arg;
    EXPECT(run_movers(2, MOAT_CLOCK_REAL, has_generators).moved >= 1);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void *yields_twice(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    return moat_co_yield(self, input);
}

static void *takes_coroutine_along(void *arg)
{
    moat_event event;
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, yields_twice, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    move();
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_E_THREAD);
    EXPECT_EQ(moat_co_adopt(co), MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    moat_co_destroy(co);
    return arg;
}

static void *has_coroutine(void *arg)
{
    moat_task_options options = migratable();

    EXPECT_EQ(move_with(&options, takes_coroutine_along, arg).kind,
              MOAT_EVENT_RETURN);
    return arg;
}

static void a_coroutine_is_adopted(const void *arg)
{
    (void)arg;
    EXPECT(run_movers(2, MOAT_CLOCK_REAL, has_coroutine).moved >= 1);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- Cancelled when it could move ---------------------------------------- */

static atomic_int cleaned;

static void note_end(const int *unused)
{
    (void)unused;
    EXPECT(!is_here(occupation.thread));
    atomic_fetch_add(&cleaned, 1);
}

static void *sleeps_long(void *arg)
{
    __attribute__((cleanup(note_end))) int unused = 0;

    (void)unused;
    occupation.thread = this_thread();
    atomic_store(&waits, true);
    (void)moat_sleep(3600000 * MS);
    return arg;
}

/* The mover's thread is occupied until it has been unwound elsewhere. */
static void *awaits_its_end(void *arg)
{
    moat_result result;

    EXPECT_EQ(moat_task_join(mover, NEVER, &result), MOAT_OK);
    EXPECT_EQ(result.kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(result.status, MOAT_OK);
    atomic_store(&occupation.left, true);
    return arg;
}

static void cancels_it(void)
{
    EXPECT_EQ(moat_task_cancel(mover), MOAT_OK);
}

static void *cancels_a_mover(void *arg)
{
    moat_task *witness;

    atomic_store(&waits, false);
    atomic_store(&occupation.left, false);
    occupation.then = cancels_it;
    mover = spawn_mover(sleeps_long, arg);
    await_mover();
    witness = spawn_mover(awaits_its_end, NULL);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    occupy(&occupation);
    (void)join(witness);
    EXPECT_EQ(cleaned, 1);
    return arg;
}

static void a_cancelled_one_is_unwound_elsewhere(const void *arg)
{
    (void)arg;
    EXPECT(run_movers(2, MOAT_CLOCK_REAL, cancels_a_mover).moved >= 1);
}

/* ---- A thread that keeps the time -----------------------------------------
 * Of the threads that sleep one wakes for the next deadline. If it takes a task
 * instead, another one has to keep the time: the sleeper below would never
 * wake, and it ends the turns of the two other threads.
 */

static atomic_bool has_slept;
static atomic_int there, sleepers;

static void turn_until_it_has_slept(void)
{
    while (!atomic_load(&has_slept))
        ;
}

static void *is_taken(void *arg)
{
    occupation.thread = this_thread();
    atomic_store(&waits, true);
    (void)recv_number(chan);
    turn_until_it_has_slept();
    return arg;
}

/* One on each of three threads. */
static void *wakes_or_sleeps(void *arg)
{
    atomic_fetch_add(&there, 1);
    while (atomic_load(&there) < 3)
        ;
    if (is_here(occupation.thread)) {
        sends();
        turn_until_it_has_slept();
    } else if (atomic_fetch_add(&sleepers, 1) == 0) {
        EXPECT_EQ(moat_sleep(5 * MS), MOAT_OK);
        atomic_store(&has_slept, true);
    }
    return arg;
}

static void keep_the_time_once(void)
{
    moat_task *tasks[3];

    atomic_store(&waits, false);
    atomic_store(&has_slept, false);
    atomic_store(&there, 0);
    atomic_store(&sleepers, 0);
    mover = spawn_mover(is_taken, NULL);
    await_mover();
    for (int i = 0; i < 3; i++)
        tasks[i] = spawn_mover(wakes_or_sleeps, NULL);
    for (int i = 0; i < 3; i++)
        (void)join(tasks[i]);
    (void)join(mover);
}

static void *keeps_the_time(void *arg)
{
    chan = chan_of(8, 0);
    for (int round = 0; round < 20; round++)
        keep_the_time_once();
    moat_chan_destroy(chan);
    return arg;
}

static void a_thief_does_not_lose_a_deadline(const void *arg)
{
    (void)arg;
    (void)run_movers(3, MOAT_CLOCK_REAL, keeps_the_time);
}

/* ---- Between its own waits it stays ---------------------------------------
 */

static void *computes_on_its_thread(void *arg)
{
    for (int round = 0; round < 4; round++) {
        pthread_t thread = this_thread();
        uint64_t until = moat_now() + 5 * MS;

        while (moat_now() < until)
            EXPECT(is_here(thread));
        moat_task_yield();
    }
    return arg;
}

static void *start_computing(void *arg)
{
    moat_task_options options = migratable();
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_task *tasks[3 * THREADS];

    limits.slice_ns = MS / 2;
    options.limits = &limits;
    for (int i = 0; i < 3 * THREADS; i++)
        REQUIRE(moat_task_spawn(NULL, computes_on_its_thread, NULL, &options,
                                &tasks[i]) == MOAT_OK);
    for (int i = 0; i < 3 * THREADS; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void an_interrupted_one_stays(const void *arg)
{
    (void)arg;
    (void)run_movers(THREADS, MOAT_CLOCK_REAL, start_computing);
}

/* ---- The line of a thread -------------------------------------------------
 * Those that may move and those that stay have their turns in one order. The
 * other thread is occupied.
 */

static pthread_t first_thread;
static atomic_bool may_leave;
static uintptr_t line[8];
static size_t length;

static void *occupies_the_other(void *arg)
{
    atomic_fetch_add(&there, 1);
    while (atomic_load(&there) < 2)
        ;
    while (!is_here(first_thread) && !atomic_load(&may_leave))
        ;
    return arg;
}

static void *stands_in_line(void *arg)
{
    EXPECT_EQ(moat_chan_recv(chan, NULL, NEVER), MOAT_E_CLOSED);
    line[length++] = (uintptr_t)arg;
    moat_task_yield();
    line[length++] = (uintptr_t)arg;
    return NULL;
}

static void *forms_a_line(void *arg)
{
    moat_task *tasks[4], *occupants[2];

    chan = chan_of(8, 0);
    first_thread = this_thread();
    for (int i = 0; i < 2; i++)
        occupants[i] = spawn(occupies_the_other, NULL);
    do
        EXPECT_EQ(moat_sleep(MS / 10), MOAT_OK);
    while (atomic_load(&there) < 2);
    for (uintptr_t i = 0; i < 4; i++)
        tasks[i] = i % 2 == 0 ? spawn_mover(stands_in_line, (void *)i)
                              : spawn(stands_in_line, (void *)i);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    moat_chan_close(chan);
    for (int i = 0; i < 4; i++)
        (void)join(tasks[i]);
    for (size_t i = 0; i < length; i++)
        EXPECT_EQ(line[i], i % 4);
    EXPECT_EQ(length, 8);
    atomic_store(&may_leave, true);
    for (int i = 0; i < 2; i++)
        (void)join(occupants[i]);
    moat_chan_destroy(chan);
    return arg;
}

static void all_stand_in_one_line(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run_movers(2, MOAT_CLOCK_REAL, forms_a_line).moved, 0);
}

/* ---- errno on one thread --------------------------------------------------
 */

static void *keeps_its_errno(void *arg)
{
    int number = (int)(uintptr_t)arg;

    EXPECT_EQ(*this_errno(), 0);
    for (int i = 0; i < 100; i++) {
        *this_errno() = number + i;
        if (i % 3 == 0)
            moat_task_yield();
        else if (i % 3 == 1)
            (void)send_number(chan, 1);
        else
            (void)recv_number(chan);
        EXPECT_EQ(*this_errno(), number + i);
    }
    return NULL;
}

static void *starts_keepers(void *arg)
{
    moat_task *tasks[8];

    chan = chan_of(8, 1);
    for (uintptr_t i = 0; i < 8; i++)
        tasks[i] = spawn_mover(keeps_its_errno, (void *)(1000 * (i + 1)));
    for (int i = 0; i < 8; i++)
        (void)join(tasks[i]);
    moat_chan_destroy(chan);
    return arg;
}

static void errno_is_kept(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run_movers(1, MOAT_CLOCK_TEST, starts_keepers).moved, 0);
    (void)run_movers(THREADS, MOAT_CLOCK_TEST, starts_keepers);
}

int main(void)
{
    const char *delayed =
        UNDER_TSAN ? "TSan delays signals in a loop without calls" : NULL;
    const struct child_case cases[] = {
        CHILD_CASE(a_task_moves_from_each_wait),
        CHILD_CASE(the_next_is_taken_if_the_turn_goes_on),
        {"a_limit_goes_along", a_limit_goes_along, NULL, delayed, 0, 0},
        CHILD_CASE(generators_go_along),
        CHILD_CASE(a_coroutine_is_adopted),
        CHILD_CASE(a_cancelled_one_is_unwound_elsewhere),
        CHILD_CASE(a_thief_does_not_lose_a_deadline),
        CHILD_CASE(an_interrupted_one_stays),
        CHILD_CASE(all_stand_in_one_line),
        CHILD_CASE(errno_is_kept),
    };

    return child_cases_run("sched.move", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
