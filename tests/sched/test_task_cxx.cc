/*
 * test_task_cxx.cc: tasks of C++: exceptions that leave them, destructors when
 * they are cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <unwind.h>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            std::fprintf(stderr, "%d: %s\n", __LINE__, #condition); \
            std::abort();                                           \
        }                                                           \
    } while (0)

static int alive, caught;

namespace
{
struct Counted {
    Counted()
    {
        alive++;
    }
    Counted(const Counted &) = delete;
    Counted &operator=(const Counted &) = delete;
    ~Counted()
    {
        alive--;
    }
};
} // namespace

static void *throws(void *)
{
    Counted one;

    throw std::runtime_error("out of the task");
}

/* An exception whose destructor asks for something. */
namespace
{
struct Farewell {
    moat_chan *chan;

    ~Farewell()
    {
        moat_chan_close(chan);
    }
};
} // namespace

static void *throws_farewell(void *arg)
{
    throw Farewell{static_cast<moat_chan *>(arg)};
}

/* On several threads the run has a lock: it is free meanwhile. */
static void *hears_of_a_farewell(void *arg)
{
    moat_chan *chan = nullptr;

    CHECK(moat_chan_create(&chan, 0, 0) == MOAT_OK);
    CHECK(moat_task_spawn(nullptr, throws_farewell, chan, nullptr, nullptr) ==
          MOAT_OK);
    CHECK(moat_chan_recv(chan, nullptr, NEVER) == MOAT_E_CLOSED);
    moat_chan_destroy(chan);
    return arg;
}

static void *waits(void *)
{
    Counted one;

    (void)moat_sleep(NEVER);
    return nullptr;
}

/* Swallows the unwinding: the next wait tells. */
static void *goes_on(void *arg)
{
    Counted one;

    try {
        (void)moat_sleep(NEVER);
    } catch (...) {
        caught++;
    }
    CHECK(moat_sleep(1) == MOAT_E_CANCELLED);
    return arg;
}

static moat_task *start(moat_task_fn fn)
{
    moat_task *task = nullptr;

    CHECK(moat_task_spawn(nullptr, fn, nullptr, nullptr, &task) == MOAT_OK);
    moat_task_yield();
    return task;
}

static moat_result join(moat_task *task)
{
    moat_result result;

    CHECK(moat_task_join(task, NEVER, &result) == MOAT_OK);
    CHECK(alive == 0);
    return result;
}

/* ---- Supervisors and local values ---- */

static moat_supervisor *supervisor;
static moat_local key;
static int destroyed;

static void *has_a_counted(void *arg)
{
    Counted one;

    (void)moat_sleep(arg != nullptr ? 1 : NEVER - 1);
    throw std::runtime_error("out of a child");
}

static void throw_in_a_report(void *, const moat_supervisor_event *event)
{
    CHECK(event->result.kind == MOAT_EVENT_PANIC);
    throw std::runtime_error("out of a report");
}

/* The children have ended when the exception is caught. */
static void *supervises(void *arg)
{
    try {
        (void)!moat_supervisor_run(supervisor);
        CHECK(false);
    } catch (const std::runtime_error &) {
        CHECK(alive == 1);
        caught++;
    }
    return arg;
}

static void make_supervisor()
{
    moat_supervisor_options options = MOAT_SUPERVISOR_OPTIONS_INIT;
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;

    options.report = throw_in_a_report;
    CHECK(moat_supervisor_create(&supervisor, &options) == MOAT_OK);
    spec.fn = has_a_counted;
    for (int i = 0; i < 5; i++) {
        spec.arg = i == 2 ? &spec : nullptr;
        CHECK(moat_supervisor_add(supervisor, &spec, nullptr) == MOAT_OK);
    }
}

static void destroy_and_throw(void *)
{
    destroyed++;
    throw std::runtime_error("out of a destructor");
}

static void *throw_in_inherit(void *)
{
    throw std::runtime_error("out of an inheritance");
}

static void *fails_to_bequeath(void *arg)
{
    moat_task *task = nullptr;

    CHECK(moat_local_set(key, &key) == MOAT_OK);
    for (int i = 0; i < 2; i++) {
        try {
            (void)!moat_task_spawn(nullptr, waits, nullptr, nullptr, &task);
            CHECK(false);
        } catch (const std::runtime_error &) {
            caught++;
        }
    }
    return arg;
}

static void *exceptions_pass(void *arg)
{
    Counted one;
    moat_local_options options = MOAT_LOCAL_OPTIONS_INIT;
    moat_task *task = nullptr;

    make_supervisor();
    caught = 0;
    for (int i = 0; i < 2; i++) {
        CHECK(moat_task_spawn(nullptr, supervises, nullptr, nullptr, &task) ==
              MOAT_OK);
        CHECK(moat_task_join(task, NEVER, nullptr) == MOAT_OK);
    }
    CHECK(caught == 2);
    moat_child_info info = MOAT_CHILD_INFO_INIT;
    moat_supervisor_info all = MOAT_SUPERVISOR_INFO_INIT;

    CHECK(moat_supervisor_get_child(supervisor, 3, &info) == MOAT_OK);
    CHECK(info.panicked == 2 && info.last_failure.value == nullptr);
    CHECK(moat_supervisor_get_info(supervisor, &all) == MOAT_OK);
    CHECK(all.children == 5 && all.up == 0);
    moat_supervisor_destroy(supervisor);
    options.destroy = destroy_and_throw;
    options.inherit = throw_in_inherit;
    CHECK(moat_local_create(&key, &options) == MOAT_OK);
    CHECK(moat_task_spawn(nullptr, fails_to_bequeath, nullptr, nullptr,
                          &task) == MOAT_OK);
    CHECK(moat_task_join(task, NEVER, nullptr) == MOAT_OK);
    CHECK(caught == 4);
    CHECK(destroyed == 1);
    return arg;
}

static void *first(void *arg)
{
    moat_result result = join(start(throws));
    moat_task *task;

    CHECK(result.kind == MOAT_EVENT_PANIC);
    CHECK(result.value != nullptr);
    _Unwind_DeleteException(static_cast<_Unwind_Exception *>(result.value));
    /* Exceptions that no task takes are deleted. */
    CHECK(moat_task_join(start(throws), NEVER, nullptr) == MOAT_OK);
    CHECK(moat_task_spawn(nullptr, throws, nullptr, nullptr, nullptr) ==
          MOAT_OK);
    (void)start(throws);

    task = start(waits);
    CHECK(alive == 1);
    CHECK(moat_task_cancel(task) == MOAT_OK);
    CHECK(join(task).kind == MOAT_EVENT_CANCELLED);

    task = start(goes_on);
    CHECK(moat_task_cancel(task) == MOAT_OK);
    CHECK(join(task).kind == MOAT_EVENT_CANCELLED);
    CHECK(caught == 1);
    return arg;
}

int main()
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;

    options.report_fd = -1;
    options.clock = MOAT_CLOCK_TEST;
    options.stats = &stats;
    CHECK(moat_sched_run(&options, first, nullptr, nullptr) == MOAT_OK);
    CHECK(stats.panicked == 4);
    CHECK(alive == 0);
    CHECK(moat_sched_run(&options, exceptions_pass, nullptr, nullptr) ==
          MOAT_OK);
    CHECK(alive == 0);
    options.threads = 2;
    CHECK(moat_sched_run(&options, hears_of_a_farewell, nullptr, nullptr) ==
          MOAT_OK);
    CHECK(stats.panicked == 1);
    return 0;
}
