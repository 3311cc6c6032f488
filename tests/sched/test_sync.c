/*
 * test_sync.c: rwlocks, semaphores, wait groups; and a storm over all objects.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/locks.h"

/* ---- Rwlocks ---- */

static moat_rwlock lock;

static void *read_twice(void *arg)
{
    EXPECT_EQ(moat_rwlock_read_lock(&lock, NEVER), MOAT_OK);
    note(*(const char *)arg);
    moat_task_yield();
    moat_task_yield();
    note(*(const char *)arg);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    return NULL;
}

static void *write_twice(void *arg)
{
    EXPECT_EQ(moat_rwlock_write_lock(&lock, NEVER), MOAT_OK);
    note(*(const char *)arg);
    moat_task_yield();
    note(*(const char *)arg);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    return NULL;
}

static void *readers_and_a_writer(void *arg)
{
    static const char letters[] = "abWcd";
    moat_task *tasks[5];

    EXPECT_EQ(moat_rwlock_init(&lock), MOAT_OK);
    for (size_t i = 0; i < 5; i++)
        tasks[i] = spawn(letters[i] == 'W' ? write_twice : read_twice,
                         (void *)(uintptr_t)&letters[i]);
    for (size_t i = 0; i < 5; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    moat_rwlock_destroy(&lock);
    return arg;
}

static void readers_share_a_writer_is_alone(const void *arg)
{
    (void)arg;
    in_a_task(readers_and_a_writer);
    /* A reader that comes after the writer waits for it. */
    EXPECT_STR(order, "ababWWcdcd");
}

static void *write_and_fault(void *arg)
{
    EXPECT_EQ(moat_rwlock_write_lock(&lock, NEVER), MOAT_OK);
    moat_task_yield();
    *nowhere = 1;
    return arg;
}

static void *read_and_fault(void *arg)
{
    EXPECT_EQ(moat_rwlock_read_lock(&lock, NEVER), MOAT_OK);
    *nowhere = 1;
    return arg;
}

static void *read_after_death(void *arg)
{
    EXPECT_EQ(moat_rwlock_read_lock(&lock, NEVER), MOAT_E_OWNER_DIED);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    return arg;
}

static void *holders_die(void *arg)
{
    moat_task *writer, *readers[2];

    EXPECT_EQ(moat_rwlock_init(&lock), MOAT_OK);
    EXPECT_EQ(join(spawn(read_and_fault, NULL)).kind, MOAT_EVENT_TRAP);
    writer = spawn(write_and_fault, NULL);
    moat_task_yield();
    for (int i = 0; i < 2; i++)
        readers[i] = spawn(read_after_death, NULL);
    EXPECT_EQ(join(writer).kind, MOAT_EVENT_TRAP);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(join(readers[i]).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_rwlock_write_lock(&lock, 0), MOAT_E_OWNER_DIED);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    EXPECT_EQ(moat_rwlock_read_lock(&lock, 0), MOAT_OK);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    moat_rwlock_destroy(&lock);
    return arg;
}

static void a_writer_that_ends_is_reported(const void *arg)
{
    (void)arg;
    in_a_task(holders_die);
}

static void *read_when_destroyed(void *arg)
{
    EXPECT_EQ(moat_rwlock_read_lock(&lock, NEVER), MOAT_OK);
    (void)moat_sleep(1000);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_E_INVAL);
    return arg;
}

static void *write_when_destroyed(void *arg)
{
    EXPECT_EQ(moat_rwlock_write_lock(&lock, NEVER), MOAT_E_CLOSED);
    return arg;
}

static void *misuse_rwlock(void *arg)
{
    moat_task *reader, *writer;

    EXPECT_EQ(moat_rwlock_init(&lock), MOAT_OK);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_E_STATE);
    EXPECT_EQ(moat_rwlock_read_lock(&lock, 0), MOAT_OK);
    EXPECT_EQ(moat_rwlock_read_lock(&lock, 0), MOAT_E_STATE);
    EXPECT_EQ(moat_rwlock_write_lock(&lock, 0), MOAT_E_STATE);
    reader = spawn(read_when_destroyed, NULL);
    writer = spawn(write_when_destroyed, NULL);
    moat_task_yield();
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    EXPECT_EQ(moat_rwlock_read_lock(&lock, 0), MOAT_E_TIMEOUT);
    moat_rwlock_destroy(&lock);
    EXPECT_EQ(join(reader).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(join(writer).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_rwlock_read_lock(&lock, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_rwlock_init(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_rwlock_unlock(NULL), MOAT_E_INVAL);
    moat_rwlock_destroy(NULL);
    return arg;
}

static void misuse_of_an_rwlock_is_an_error(const void *arg)
{
    (void)arg;
    in_a_task(misuse_rwlock);
}

/* ---- Semaphores ---- */

static moat_semaphore permits;
static int inside;

static void *pass(void *arg)
{
    EXPECT_EQ(moat_semaphore_acquire(&permits, NEVER), MOAT_OK);
    EXPECT(++inside <= 2);
    moat_task_yield();
    inside--;
    EXPECT_EQ(moat_semaphore_release(&permits), MOAT_OK);
    return arg;
}

static void give_back(void *arg)
{
    EXPECT_EQ(moat_semaphore_release(arg), MOAT_OK);
}

static void *fault_with_permit(void *arg)
{
    EXPECT_EQ(moat_semaphore_acquire(&permits, NEVER), MOAT_OK);
    REQUIRE(moat_co_defer(moat_co_current(), give_back, &permits) == MOAT_OK);
    *nowhere = 1;
    return arg;
}

static void *two_permits(void *arg)
{
    moat_task *tasks[10];

    for (size_t i = 0; i < 10; i++)
        tasks[i] = spawn(i == 4 ? fault_with_permit : pass, NULL);
    for (size_t i = 0; i < 10; i++)
        EXPECT_EQ(join(tasks[i]).kind,
                  i == 4 ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_semaphore_acquire(&permits, 0), MOAT_OK);
    EXPECT_EQ(moat_semaphore_acquire(&permits, 0), MOAT_OK);
    EXPECT_EQ(moat_semaphore_acquire(&permits, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_semaphore_acquire(&permits, moat_now() + 1), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_semaphore_acquire(&permits, NEVER), MOAT_E_DEADLOCK);
    EXPECT_EQ(moat_semaphore_acquire(NULL, NEVER), MOAT_E_INVAL);
    return arg;
}

static void a_semaphore_lets_so_many_in(const void *arg)
{
    (void)arg;
    /* Initialised outside of the run, and used in two. */
    EXPECT_EQ(moat_semaphore_init(&permits, 2), MOAT_OK);
    in_a_task(two_permits);
    moat_semaphore_destroy(&permits);
    EXPECT_EQ(moat_semaphore_init(&permits, UINT64_MAX), MOAT_OK);
    EXPECT_EQ(moat_semaphore_release(&permits), MOAT_E_STATE);
    moat_semaphore_destroy(&permits);
    EXPECT_EQ(moat_semaphore_init(NULL, 1), MOAT_E_INVAL);
}

/* ---- Wait groups ---- */

static moat_wait_group all;

static void *be_done(void *arg)
{
    moat_task_yield();
    note('d');
    EXPECT_EQ(moat_wait_group_done(&all), MOAT_OK);
    return arg;
}

static void *wait_for_all(void *arg)
{
    EXPECT_EQ(moat_wait_group_wait(&all, NEVER), MOAT_OK);
    note('w');
    return arg;
}

static void *count_down(void *arg)
{
    moat_task *waiters[2];

    EXPECT_EQ(moat_wait_group_init(&all), MOAT_OK);
    EXPECT_EQ(moat_wait_group_wait(&all, NEVER), MOAT_OK);
    EXPECT_EQ(moat_wait_group_done(&all), MOAT_E_STATE);
    EXPECT_EQ(moat_wait_group_add(&all, 3), MOAT_OK);
    EXPECT_EQ(moat_wait_group_add(&all, SIZE_MAX), MOAT_E_INVAL);
    EXPECT_EQ(moat_wait_group_wait(&all, 0), MOAT_E_TIMEOUT);
    for (int i = 0; i < 2; i++)
        waiters[i] = spawn(wait_for_all, NULL);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(moat_task_spawn(NULL, be_done, NULL, NULL, NULL), MOAT_OK);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(join(waiters[i]).kind, MOAT_EVENT_RETURN);
    moat_wait_group_destroy(&all);
    EXPECT_EQ(moat_wait_group_wait(&all, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_wait_group_init(NULL), MOAT_E_INVAL);
    return arg;
}

static void a_wait_group_waits_for_all(const void *arg)
{
    (void)arg;
    in_a_task(count_down);
    EXPECT_STR(order, "dddww");
}

/* ---- A storm ---- */

#define LOCKS 3
#define CREW  60

#define ROUNDS (UNDER_TSAN ? 10u : 100u)

static struct {
    moat_mutex mutex;
    moat_cond cond;
    moat_rwlock lock;
    moat_semaphore permits;
    moat_task *owner; /* as the tasks see it */
} sites[LOCKS];

static unsigned draw(unsigned *seed, unsigned bound)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % bound;
}

static bool is_lock(moat_status status)
{
    return status == MOAT_OK || status == MOAT_E_OWNER_DIED;
}

/* Owns a mutex for a while. */
static void use_mutex(size_t site, unsigned *seed)
{
    uint64_t deadline = draw(seed, 2) ? NEVER : moat_now() + draw(seed, 9);
    moat_status status = moat_mutex_lock(&sites[site].mutex, deadline);

    if (!is_lock(status))
        return;
    EXPECT(sites[site].owner == NULL || status == MOAT_E_OWNER_DIED);
    sites[site].owner = moat_task_self();
    if (draw(seed, 4) == 0)
        moat_task_yield();
    EXPECT(sites[site].owner == moat_task_self());
    /* Two faults at one address would be a race of data for TSan. */
    if (draw(seed, 8) == 0)
        moat_trap_raise(1);
    if (draw(seed, 3) == 0) {
        sites[site].owner = NULL;
        status = moat_cond_wait(&sites[site].cond, &sites[site].mutex,
                                moat_now() + draw(seed, 9));
        EXPECT(is_lock(status) || status == MOAT_E_TIMEOUT);
    }
    sites[site].owner = NULL;
    (void)moat_cond_signal(&sites[site].cond);
    EXPECT_EQ(moat_mutex_unlock(&sites[site].mutex), MOAT_OK);
}

static void use_lock(size_t site, unsigned *seed)
{
    moat_rwlock *used = &sites[site].lock;
    moat_status status = draw(seed, 3) != 0
                             ? moat_rwlock_read_lock(used, NEVER)
                             : moat_rwlock_write_lock(used, moat_now() + 3);

    if (!is_lock(status))
        return;
    moat_task_yield();
    if (draw(seed, 8) == 0)
        moat_trap_raise(1);
    EXPECT_EQ(moat_rwlock_unlock(used), MOAT_OK);
}

static void use_permit(size_t site, unsigned *seed)
{
    if (moat_semaphore_acquire(&sites[site].permits,
                               moat_now() + draw(seed, 5)) != MOAT_OK)
        return;
    moat_task_yield();
    (void)moat_semaphore_release(&sites[site].permits);
}

static void *storm_task(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;

    for (int i = 0; i < 8; i++) {
        size_t site = draw(&seed, LOCKS);

        switch (draw(&seed, 3)) {
        case 0:
            use_mutex(site, &seed);
            break;
        case 1:
            use_lock(site, &seed);
            break;
        default:
            use_permit(site, &seed);
            break;
        }
        if (draw(&seed, 5) == 0)
            (void)moat_sleep(draw(&seed, 4));
    }
    return NULL;
}

static void *storm(void *arg)
{
    moat_task *crew[CREW];
    unsigned seed = (unsigned)(uintptr_t)arg;

    for (size_t i = 0; i < CREW; i++)
        crew[i] = spawn(storm_task, (void *)(uintptr_t)(seed + i));
    for (size_t i = 0; i < CREW / 6; i++) {
        (void)moat_sleep(draw(&seed, 3));
        (void)moat_task_cancel(crew[draw(&seed, CREW)]);
    }
    for (size_t i = 0; i < CREW; i++)
        (void)join(crew[i]).kind;
    /* Every lock can be had. */
    for (size_t i = 0; i < LOCKS; i++) {
        EXPECT(is_lock(moat_mutex_lock(&sites[i].mutex, 0)));
        EXPECT_EQ(moat_mutex_unlock(&sites[i].mutex), MOAT_OK);
        EXPECT(is_lock(moat_rwlock_write_lock(&sites[i].lock, 0)));
        EXPECT_EQ(moat_rwlock_unlock(&sites[i].lock), MOAT_OK);
        sites[i].owner = NULL;
    }
    return NULL;
}

/* Runs a task on the test's clock, without reports. Returns its result. */
static moat_result run_task_on(unsigned threads, moat_task_fn fn, void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_result result = {.kind = MOAT_EVENT_YIELD};

    options.threads = threads;
    options.clock = MOAT_CLOCK_TEST;
    options.report_fd = -1;
    REQUIRE(moat_sched_run(&options, fn, arg, &result) == MOAT_OK);
    return result;
}

static void no_lock_is_lost_in_a_storm(const void *threads)
{
    for (size_t i = 0; i < LOCKS; i++) {
        EXPECT_EQ(moat_mutex_init(&sites[i].mutex), MOAT_OK);
        EXPECT_EQ(moat_cond_init(&sites[i].cond), MOAT_OK);
        EXPECT_EQ(moat_rwlock_init(&sites[i].lock), MOAT_OK);
        EXPECT_EQ(moat_semaphore_init(&sites[i].permits, 3), MOAT_OK);
    }
    for (uintptr_t round = 1; round <= ROUNDS; round++) {
        expect_context("round %d", (int)round);
        EXPECT_EQ(run_task_on(*(const unsigned *)threads, storm,
                              (void *)(round * 1000))
                      .kind,
                  MOAT_EVENT_RETURN);
    }
    for (size_t i = 0; i < LOCKS; i++) {
        moat_mutex_destroy(&sites[i].mutex);
        moat_cond_destroy(&sites[i].cond);
        moat_rwlock_destroy(&sites[i].lock);
        moat_semaphore_destroy(&sites[i].permits);
    }
}

int main(void)
{
    static const unsigned one = 1, four = 4;
    static const struct child_case cases[] = {
        CHILD_CASE(readers_share_a_writer_is_alone),
        CHILD_CASE(a_writer_that_ends_is_reported),
        CHILD_CASE(misuse_of_an_rwlock_is_an_error),
        CHILD_CASE(a_semaphore_lets_so_many_in),
        CHILD_CASE(a_wait_group_waits_for_all),
        {"no_lock_is_lost_in_a_storm", no_lock_is_lost_in_a_storm, &one, NULL,
         0, 0},
        {"no_lock_is_lost_on_four_threads", no_lock_is_lost_in_a_storm, &four,
         NULL, 0, 0},
    };

    return child_cases_run("sched.sync", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
