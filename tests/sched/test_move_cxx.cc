/*
 * test_move_cxx.cc: migratable tasks of C++: they stay on their thread while an
 * exception is handled or in flight, and move afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE
#define MS    UINT64_C(1000000)

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            std::fprintf(stderr, "%d: %s\n", __LINE__, #condition); \
            std::abort();                                           \
        }                                                           \
    } while (0)

static std::atomic<int> there;
static std::atomic<bool> waits, left;
static pthread_t thread; /* the mover's, before it moves */

/* A compiler may keep what pthread_self has returned. */
static __attribute__((noinline)) bool is_here()
{
    __asm__ volatile("");
    return pthread_equal(thread, pthread_self()) != 0;
}

static void sleep_here()
{
    for (int i = 0; i < 5; i++) {
        CHECK(moat_sleep(MS) == MOAT_OK);
        CHECK(is_here());
    }
}

namespace
{
/* Its destructor waits while an exception passes. */
struct Sleeper {
    ~Sleeper()
    {
        sleep_here();
    }
};
} // namespace

static __attribute__((noinline)) void throw_past_a_sleeper()
{
    Sleeper sleeper;

    throw std::runtime_error("kept");
}

static void catch_and_sleep()
{
    try {
        throw_past_a_sleeper();
    } catch (const std::exception &) {
        sleep_here();
        try {
            throw;
        } catch (const std::runtime_error &error) {
            CHECK(std::strcmp(error.what(), "kept") == 0);
        }
    }
}

static void *moves(void *arg)
{
    thread = pthread_self();
    waits = true;
    catch_and_sleep();
    do
        CHECK(moat_sleep(MS) == MOAT_OK);
    while (is_here());
    left = true;
    return arg;
}

/* One on each thread. The one on the mover's keeps it for most of the time. */
static void *occupies(void *arg)
{
    there++;
    while (there < 2)
        ;
    while (is_here() && !left) {
        uint64_t until = moat_now() + MS;

        while (moat_now() < until && !left)
            ;
        moat_task_yield();
    }
    return arg;
}

static moat_task *start(moat_task_fn fn, bool migratable)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *task;

    options.migratable = migratable;
    CHECK(moat_task_spawn(nullptr, fn, nullptr, &options, &task) == MOAT_OK);
    return task;
}

static void *first(void *arg)
{
    moat_task *tasks[3];

    tasks[0] = start(moves, true);
    while (!waits)
        CHECK(moat_sleep(MS) == MOAT_OK);
    tasks[1] = start(occupies, false);
    tasks[2] = start(occupies, false);
    for (moat_task *task : tasks) {
        moat_result result;

        CHECK(moat_task_join(task, NEVER, &result) == MOAT_OK);
        CHECK(result.kind == MOAT_EVENT_RETURN);
    }
    return arg;
}

int main()
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_result result;

    options.threads = 2;
    options.stats = &stats;
    CHECK(moat_sched_run(&options, first, nullptr, &result) == MOAT_OK);
    CHECK(result.kind == MOAT_EVENT_RETURN);
    CHECK(stats.moved >= 1);
    return 0;
}
