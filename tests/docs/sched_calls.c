/*
 * sched_calls.c: one call of each function of moat-sched.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "sched_calls.h"

#define NEVER MOAT_NO_DEADLINE

/* ---- Things ---- */

static int sink = -1;

static void check(moat_status status)
{
    if (status != MOAT_OK)
        abort();
}

static void *return_it(void *arg)
{
    return arg;
}

static void *receive(void *arg)
{
    struct things *things = arg;

    if (moat_chan_recv(things->empty, NULL, NEVER) == MOAT_E_CLOSED)
        things->seen = true;
    return NULL;
}

/* Its run stays open. */
static void *open_run(void *arg)
{
    struct things *things = arg;

    check(moat_sched_open(NULL, &things->sched));
    return arg;
}

static void open_elsewhere(struct things *things)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, open_run, things) != 0 ||
        pthread_join(thread, NULL) != 0)
        abort();
}

static void note_end(struct things **things)
{
    (*things)->seen = true;
}

static void *sleep_long(void *arg)
{
    __attribute__((cleanup(note_end))) struct things *things = arg;

    (void)moat_sleep(1000000000);
    (void)things;
    return NULL;
}

static void *see(void *arg)
{
    ((struct things *)arg)->seen = true;
    return NULL;
}

void sched_things_make(struct things *things)
{
    moat_child_spec child = MOAT_CHILD_SPEC_INIT;
    long item = 1;

    sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    check(moat_chan_create(&things->chan, sizeof item, 2));
    check(moat_chan_send(things->chan, &item, NEVER));
    check(moat_chan_create(&things->empty, sizeof item, 0));
    check(moat_group_open(&things->group, 0));
    check(moat_task_spawn(NULL, return_it, NULL, NULL, &things->ended));
    check(moat_task_spawn(NULL, receive, things, NULL, NULL));
    check(moat_mutex_init(&things->free));
    check(moat_mutex_init(&things->held));
    check(moat_mutex_lock(&things->held, NEVER));
    check(moat_rwlock_init(&things->unlocked));
    check(moat_rwlock_init(&things->locked));
    check(moat_rwlock_write_lock(&things->locked, NEVER));
    check(moat_cond_init(&things->cond));
    check(moat_semaphore_init(&things->semaphore, 2));
    check(moat_wait_group_init(&things->none));
    check(moat_wait_group_init(&things->one));
    check(moat_wait_group_add(&things->one, 1));
    check(moat_waker_create(&things->waker));
    moat_waker_wake(things->waker);
    check(moat_local_create(&things->local, NULL));
    check(moat_local_set(things->local, things));
    check(moat_supervisor_create(&things->supervisor, NULL));
    child.fn = return_it;
    check(moat_supervisor_add(things->supervisor, &child, NULL));
    open_elsewhere(things);
    sched_io_make(things);
    check(moat_sleep(1));
}

/* A member that sleeps. */
static void add_member(struct things *things)
{
    if (things->group != NULL && moat_task_self() != NULL)
        (void)!moat_task_spawn(things->group, sleep_long, things, NULL, NULL);
    moat_task_yield(); /* it sleeps */
}

/* ---- Calls ---- */

/* A call that returns a status. */
#define STATUS(function, ...)                                      \
    static const char *make_##function(struct things *things)      \
    {                                                              \
        (void)things;                                              \
        return moat_status_name(moat_##function(__VA_ARGS__)) + 5; \
    }

/* A call that ends the wait of another task. */
#define SEEN(function, ...)                                   \
    static const char *make_##function(struct things *things) \
    {                                                         \
        (void)moat_##function(__VA_ARGS__);                   \
        return NULL;                                          \
    }

/* The struct of an object that is destroyed has no pointer. */
#define DESTROYED(function, object)                                       \
    static const char *make_##function(struct things *things)             \
    {                                                                     \
        bool had = (object).state != NULL;                                \
                                                                          \
        moat_##function(&(object));                                       \
        return had && (object).state == NULL ? "destroyed" : "no effect"; \
    }

/* A pointer to the thing, or NULL. */
#define THE(thing) (things->is_null ? NULL : &things->thing)

STATUS(sched_run, NULL, things->is_null ? NULL : return_it, NULL, NULL)
STATUS(dump_tasks, things->is_null ? -1 : sink)
STATUS(dump_tasks_json, things->is_null ? -1 : sink)
STATUS(task_spawn, things->group, things->is_null ? NULL : return_it, NULL,
       NULL, NULL)
STATUS(task_join, things->ended, NEVER, NULL)
STATUS(sleep, 1)
STATUS(group_wait, things->group, NEVER, NULL)
STATUS(group_cancel, things->group)
STATUS(select,
       things->is_null ? NULL : &(moat_select_case){things->chan, false, NULL},
       1, NEVER, NULL)
STATUS(chan_send, things->chan, &(long){1}, NEVER)
STATUS(chan_recv, things->chan, NULL, NEVER)
STATUS(mutex_lock, THE(free), NEVER)
STATUS(mutex_unlock, THE(held))
STATUS(rwlock_read_lock, THE(unlocked), NEVER)
STATUS(rwlock_write_lock, THE(unlocked), NEVER)
STATUS(rwlock_unlock, THE(locked))
STATUS(cond_wait, THE(cond), THE(held), 0)
STATUS(cond_signal, THE(cond))
STATUS(cond_broadcast, THE(cond))
STATUS(semaphore_acquire, THE(semaphore), NEVER)
STATUS(semaphore_release, THE(semaphore))
STATUS(wait_group_add, THE(one), 1)
STATUS(wait_group_done, THE(one))
STATUS(wait_group_wait, THE(none), NEVER)
STATUS(waker_wait, things->waker, NEVER)
STATUS(monitor_dump, things->monitor, 1, false)

SEEN(chan_close, things->empty)
SEEN(chan_destroy, things->empty)

DESTROYED(mutex_destroy, things->free)
DESTROYED(rwlock_destroy, things->unlocked)
DESTROYED(cond_destroy, things->cond)
DESTROYED(semaphore_destroy, things->semaphore)
DESTROYED(wait_group_destroy, things->none)

/* Results go to a variable, or to NULL. */
#define CREATED(function, type, arguments)                      \
    static const char *make_##function(struct things *things)   \
    {                                                           \
        static type made;                                       \
        type *out = things->is_null ? NULL : &made;             \
                                                                \
        return moat_status_name(moat_##function arguments) + 5; \
    }

CREATED(group_open, moat_group *, (out, 0))
CREATED(chan_create, moat_chan *, (out, sizeof(long), 1))
CREATED(mutex_init, moat_mutex, (out))
CREATED(rwlock_init, moat_rwlock, (out))
CREATED(cond_init, moat_cond, (out))
CREATED(semaphore_init, moat_semaphore, (out, 1))
CREATED(wait_group_init, moat_wait_group, (out))
CREATED(waker_create, moat_waker *, (out))
CREATED(monitor_create, moat_monitor *, (out))

static const char *make_sched_get_stats(struct things *things)
{
    static moat_sched_stats stats;

    stats.struct_size = sizeof stats;
    return moat_status_name(
               moat_sched_get_stats(things->is_null ? NULL : &stats)) +
           5;
}

static const char *make_monitor_stats(struct things *things)
{
    static moat_sched_stats stats;

    stats.struct_size = sizeof stats;
    return moat_status_name(
               moat_monitor_stats(things->monitor, MOAT_ALL_THREADS, &stats)) +
           5;
}

static const char *make_monitor_threads(struct things *things)
{
    return moat_monitor_threads(things->monitor) == 0 ? "0" : "threads";
}

static const char *make_monitor_prometheus(struct things *things)
{
    return moat_monitor_prometheus(things->monitor, NULL, 0) == 0 ? "0"
                                                                  : "text";
}

/* Freed objects cannot be asked. */
static const char *make_monitor_destroy(struct things *things)
{
    moat_monitor_destroy(things->monitor);
    return "returns";
}

static const char *make_waker_destroy(struct things *things)
{
    moat_waker_destroy(things->waker);
    return "returns";
}

static const char *make_waker_wake(struct things *things)
{
    moat_waker_wake(things->waker);
    return things->is_null ? "no effect" : "wakes";
}

static const char *make_task_cancel(struct things *things)
{
    return moat_status_name(moat_task_cancel(things->ended)) + 5;
}

static const char *make_group_close(struct things *things)
{
    add_member(things);
    moat_group_close(things->group);
    return NULL;
}

static const char *make_task_yield(struct things *things)
{
    if (moat_task_self() != NULL)
        (void)!moat_task_spawn(NULL, see, things, NULL, NULL);
    moat_task_yield();
    return things->seen ? "yields" : "no effect";
}

static const char *make_task_self(struct things *things)
{
    (void)things;
    return moat_task_self() != NULL ? "the task" : "NULL";
}

static const char *make_now(struct things *things)
{
    (void)things;
    return moat_now() != 0 ? "the time" : "0";
}

/* ---- Local values, supervisors ---- */

static moat_supervisor *the_supervisor(const struct things *things)
{
    return things->is_null ? NULL : things->supervisor;
}

static const char *make_local_create(struct things *things)
{
    static moat_local made;

    return moat_status_name(
               moat_local_create(things->is_null ? NULL : &made, NULL)) +
           5;
}

STATUS(local_delete, things->local)
STATUS(local_set, things->local, things)
CREATED(supervisor_create, moat_supervisor *, (out, NULL))
/* Its child returns, again and again, until the supervisor gives up. */
static const char *make_supervisor_run(struct things *things)
{
    return moat_status_name(moat_supervisor_run(the_supervisor(things))) + 5;
}

static const char *make_supervisor_add(struct things *things)
{
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;

    spec.fn = return_it;
    return moat_status_name(moat_supervisor_add(
               the_supervisor(things), things->is_null ? NULL : &spec, NULL)) +
           5;
}

STATUS(supervisor_stop, the_supervisor(things))
STATUS(supervisor_start_child, the_supervisor(things), 1)
STATUS(supervisor_stop_child, the_supervisor(things), 1, 0)
STATUS(supervisor_remove_child, the_supervisor(things), 1)
STATUS(child_ready, )

static const char *make_local_get(struct things *things)
{
    return moat_local_get(things->local) == NULL ? "NULL" : "the value";
}

static const char *make_supervisor_get_child(struct things *things)
{
    static moat_child_info info;

    info.struct_size = sizeof info;
    return moat_status_name(
               moat_supervisor_get_child(the_supervisor(things), 1, &info)) +
           5;
}

static const char *make_supervisor_get_info(struct things *things)
{
    static moat_supervisor_info info;

    info.struct_size = sizeof info;
    return moat_status_name(
               moat_supervisor_get_info(the_supervisor(things), &info)) +
           5;
}

static const char *make_supervisor_next_child(struct things *things)
{
    return moat_supervisor_next_child(the_supervisor(things), 0) == 0
               ? "0"
               : "a child";
}

static const char *make_supervisor_destroy(struct things *things)
{
    moat_supervisor_destroy(the_supervisor(things));
    return "returns";
}

/* The caller's own run, where it may have one, or another thread's. */
static moat_sched *the_sched(const struct things *things)
{
    moat_sched *own = NULL;

    if (things->is_null)
        return NULL;
    return moat_sched_open(NULL, &own) == MOAT_OK ? own : things->sched;
}

static const char *close_after(moat_sched *sched, const struct things *things,
                               moat_status status)
{
    if (sched != things->sched)
        (void)moat_sched_close(sched);
    return moat_status_name(status) + 5;
}

static const char *make_sched_open(struct things *things)
{
    moat_sched *sched = things->sched;
    moat_status status = moat_sched_open(NULL, things->is_null ? NULL : &sched);

    return close_after(sched, things, status);
}

static const char *make_sched_close(struct things *things)
{
    return moat_status_name(moat_sched_close(the_sched(things))) + 5;
}

static const char *make_sched_round(struct things *things)
{
    moat_sched *sched = the_sched(things);
    uint64_t next;
    moat_status status = moat_sched_round(sched, &next);

    return close_after(sched, things, status);
}

static const char *make_sched_spawn(struct things *things)
{
    moat_sched *sched = the_sched(things);
    moat_status status =
        moat_sched_spawn(sched, return_it, NULL, NULL, NULL, NULL);

    return close_after(sched, things, status);
}

static const char *make_sched_fd(struct things *things)
{
    return moat_sched_fd(things->sched) < 0 ? "-1" : "a descriptor";
}

static const char *make_sched_live(struct things *things)
{
    return moat_sched_live(things->sched) == 0 ? "0" : "more";
}

/* ---- The table ---- */

#define ROW(function, kib, effect)                      \
    {                                                   \
        "moat_" #function, kib, make_##function, effect \
    }

#define IO_ROW(function, kib) ROW(function, kib, NULL),

const struct sched_call sched_calls[] = {
    ROW(sched_run, 8, NULL),
    ROW(sched_get_stats, 8, NULL),
    ROW(sched_open, 8, NULL),
    ROW(sched_spawn, 8, NULL),
    ROW(sched_round, 8, NULL),
    ROW(sched_fd, 2, NULL),
    ROW(sched_live, 2, NULL),
    ROW(sched_close, 8, NULL),
    ROW(dump_tasks, 8, NULL),
    ROW(dump_tasks_json, 8, NULL),
    ROW(now, 2, NULL),
    ROW(sleep, 2, NULL),
    ROW(task_spawn, 2, NULL),
    ROW(task_join, 2, NULL),
    ROW(task_cancel, 2, NULL),
    ROW(task_self, 2, NULL),
    ROW(task_yield, 2, NULL),
    ROW(group_open, 2, NULL),
    ROW(group_wait, 2, NULL),
    ROW(group_cancel, 2, NULL),
    ROW(group_close, 2, "closed"),
    ROW(chan_create, 2, NULL),
    ROW(chan_send, 2, NULL),
    ROW(chan_recv, 2, NULL),
    ROW(chan_close, 2, "closed"),
    ROW(chan_destroy, 2, "destroyed"),
    ROW(select, 2, NULL),
    ROW(mutex_init, 2, NULL),
    ROW(mutex_lock, 2, NULL),
    ROW(mutex_unlock, 2, NULL),
    ROW(mutex_destroy, 2, NULL),
    ROW(cond_init, 2, NULL),
    ROW(cond_wait, 2, NULL),
    ROW(cond_signal, 2, NULL),
    ROW(cond_broadcast, 2, NULL),
    ROW(cond_destroy, 2, NULL),
    ROW(rwlock_init, 2, NULL),
    ROW(rwlock_read_lock, 2, NULL),
    ROW(rwlock_write_lock, 2, NULL),
    ROW(rwlock_unlock, 2, NULL),
    ROW(rwlock_destroy, 2, NULL),
    ROW(semaphore_init, 2, NULL),
    ROW(semaphore_acquire, 2, NULL),
    ROW(semaphore_release, 2, NULL),
    ROW(semaphore_destroy, 2, NULL),
    ROW(wait_group_init, 2, NULL),
    ROW(wait_group_add, 2, NULL),
    ROW(wait_group_done, 2, NULL),
    ROW(wait_group_wait, 2, NULL),
    ROW(wait_group_destroy, 2, NULL),
    ROW(local_create, 2, NULL),
    ROW(local_get, 2, NULL),
    ROW(local_set, 2, NULL),
    ROW(local_delete, 2, NULL),
    ROW(supervisor_create, 2, NULL),
    ROW(supervisor_add, 8, NULL),
    ROW(supervisor_get_child, 8, NULL),
    ROW(supervisor_get_info, 2, NULL),
    ROW(supervisor_next_child, 2, NULL),
    ROW(supervisor_start_child, 2, NULL),
    ROW(supervisor_stop_child, 2, NULL),
    ROW(supervisor_remove_child, 2, NULL),
    ROW(supervisor_run, 8, NULL),
    ROW(supervisor_stop, 2, NULL),
    ROW(supervisor_destroy, 2, NULL),
    ROW(child_ready, 2, NULL),
    ROW(waker_create, 2, NULL),
    ROW(waker_wait, 2, NULL),
    ROW(waker_wake, 2, NULL),
    ROW(waker_destroy, 2, NULL),
    ROW(monitor_create, 2, NULL),
    ROW(monitor_stats, 8, NULL),
    ROW(monitor_threads, 2, NULL),
    ROW(monitor_prometheus, 8, NULL),
    ROW(monitor_dump, 8, NULL),
    ROW(monitor_destroy, 2, NULL),
    SCHED_IO_CALLS(IO_ROW) /* each with its comma */
};

const size_t sched_call_count = sizeof sched_calls / sizeof sched_calls[0];
