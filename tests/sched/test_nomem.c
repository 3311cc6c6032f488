/*
 * test_nomem.c: tasks when one allocation after another fails: each call says
 * so, the others go on, and nothing is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched/scene.h"

#if UNDER_ASAN || UNDER_TSAN
#    define NEEDS_MALLOC "the sanitizer's malloc cannot be made to fail"
#else
#    define NEEDS_MALLOC NULL
#endif

/* ---- An allocator that fails once ---- */

static bool armed;
static long allocations, fails_at;
static long blocks; /* allocated and not freed while it is armed */

#if !UNDER_ASAN && !UNDER_TSAN

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void __libc_free(void *block);

static bool fails(void)
{
    if (!armed || ++allocations != fails_at)
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    blocks += armed && block != NULL;
    return block;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : counted(__libc_calloc(count, bytes));
}

void *realloc(void *block, size_t bytes)
{
    void *moved;

    if (fails())
        return NULL;
    moved = __libc_realloc(block, bytes);
    return block == NULL ? counted(moved) : moved;
}

void free(void *block)
{
    blocks -= armed && block != NULL;
    __libc_free(block);
}

#endif

/* ---- The play: no task waits for one that was not made ---- */

#define LARGE 200
#define TASKS 70 /* the first slab of them does not do */

struct item {
    char bytes[LARGE];
};

static bool is_told(moat_status status)
{
    return status == MOAT_OK || status == MOAT_E_NOMEM;
}

static void *sleeps_a_while(void *arg)
{
    EXPECT(is_told(moat_sleep(MS)));
    return arg;
}

static void use_channels(void)
{
    moat_chan *chans[2] = {NULL, NULL};
    struct item item = {"item"};
    moat_select_case cases[2];

    EXPECT(is_told(moat_chan_create(&chans[0], LARGE, 1)));
    EXPECT(is_told(moat_chan_create(&chans[1], LARGE, 0)));
    for (int i = 0; i < 2; i++)
        cases[i] = (moat_select_case){chans[i], i == 0, &item};
    if (chans[0] != NULL) {
        EXPECT(is_told(moat_select(cases, 2, NEVER, NULL)));
        (void)!moat_chan_recv(chans[0], &item, 0);
        EXPECT(is_told(moat_chan_send(chans[0], &item, NEVER)));
    }
    moat_chan_destroy(chans[0]);
    moat_chan_destroy(chans[1]);
}

static void use_locks(void)
{
    moat_mutex mutex;
    moat_cond cond;
    moat_rwlock lock;

    if (moat_mutex_init(&mutex) == MOAT_OK) {
        EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
        if (moat_cond_init(&cond) == MOAT_OK) {
            moat_status status = moat_cond_wait(&cond, &mutex, moat_now() + MS);

            EXPECT(status == MOAT_E_TIMEOUT || status == MOAT_E_NOMEM);
            moat_cond_destroy(&cond);
        }
        EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
        moat_mutex_destroy(&mutex);
    }
    if (moat_rwlock_init(&lock) == MOAT_OK) {
        moat_status status = moat_rwlock_read_lock(&lock, NEVER);

        EXPECT(is_told(status));
        EXPECT_EQ(moat_rwlock_unlock(&lock),
                  status == MOAT_OK ? MOAT_OK : MOAT_E_STATE);
        moat_rwlock_destroy(&lock);
    }
}

static void use_waker(void)
{
    moat_waker *waker = NULL;

    if (moat_waker_create(&waker) != MOAT_OK)
        return;
    moat_waker_wake(waker);
    EXPECT(is_told(moat_waker_wait(waker, NEVER)));
    moat_waker_destroy(waker);
}

static void use_tasks(void)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_group *group = NULL;

    options.name = "sleeper";
    if (moat_group_open(&group, 0) != MOAT_OK)
        return;
    for (int i = 0; i < TASKS; i++)
        EXPECT(is_told(
            moat_task_spawn(group, sleeps_a_while, NULL, &options, NULL)));
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    moat_group_close(group);
}

static void *share(void *value)
{
    return value;
}

static moat_local key; /* its values are inherited */

static void use_locals(void)
{
    moat_task *task = NULL;

    if (!is_told(moat_local_set(key, &key)) || moat_local_get(key) == NULL)
        return;
    if (moat_task_spawn(NULL, sleeps_a_while, NULL, NULL, &task) == MOAT_OK)
        EXPECT_EQ(moat_task_join(task, NEVER, NULL), MOAT_OK);
    EXPECT_EQ(moat_local_set(key, NULL), MOAT_OK);
}

static void use_supervisor(void)
{
    moat_supervisor_options options = MOAT_SUPERVISOR_OPTIONS_INIT;
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;
    moat_supervisor *supervisor = NULL;
    moat_child_info info = MOAT_CHILD_INFO_INIT;
    moat_child_id id;
    moat_status status;

    options.flags = MOAT_SUPERVISOR_FAIL_OPEN;
    options.name = "supervisor";
    spec.fn = sleeps_a_while;
    spec.restart = MOAT_RESTART_TRANSIENT;
    spec.name = "child";
    if (moat_supervisor_create(&supervisor, &options) != MOAT_OK)
        return;
    if (moat_supervisor_add(supervisor, &spec, &id) == MOAT_OK) {
        status = moat_supervisor_run(supervisor);
        EXPECT(is_told(status));
        if (moat_supervisor_get_child(supervisor, id, &info) == MOAT_OK &&
            status == MOAT_OK)
            EXPECT_EQ(info.returned, 1); /* perhaps at the second start */
    }
    moat_supervisor_destroy(supervisor);
}

static void *closes_later(void *arg)
{
    EXPECT(is_told(moat_sleep(MS)));
    (void)moat_close((int)(intptr_t)arg);
    return NULL;
}

static void use_descriptors(void)
{
    moat_task *task = NULL;
    char byte;
    int fds[2];

    REQUIRE(pipe(fds) == 0);
    EXPECT(moat_write(fds[1], "x", 1, NEVER) == 1 || errno == ENOMEM);
    EXPECT(moat_read(fds[0], &byte, 1, moat_now() + MS) == 1 ||
           errno == ENOMEM || errno == ETIMEDOUT);
    EXPECT(moat_fd_wait(fds[0], MOAT_FD_READ, moat_now() + MS) ==
               MOAT_E_TIMEOUT ||
           errno == ENOMEM);
    if (moat_task_spawn(NULL, closes_later, (void *)(intptr_t)fds[1], NULL,
                        &task) == MOAT_OK) {
        EXPECT(moat_read(fds[0], &byte, 1, NEVER) == 0 || errno == ENOMEM);
        EXPECT_EQ(moat_task_join(task, NEVER, NULL), MOAT_OK);
    } else {
        EXPECT_EQ(moat_close(fds[1]), 0);
    }
    EXPECT_EQ(moat_close(fds[0]), 0);
}

static void *returns(void *arg)
{
    return arg;
}

static int connect_to(int listener)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(fd >= 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    REQUIRE(connect(fd, (struct sockaddr *)&address, length) == 0);
    return fd;
}

static void use_connections(void)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    int listener = moat_listen_tcp("127.0.0.1", "0", 0), fd;

    if (listener < 0) {
        EXPECT_EQ(errno, ENOMEM);
        return;
    }
    options.name = "connected";
    fd = connect_to(listener);
    EXPECT(moat_accept_spawn(listener, NULL, returns, &options,
                             moat_now() + 1000 * MS, NULL) == 0 ||
           errno == ENOMEM);
    EXPECT_EQ(close(fd), 0);
    EXPECT_EQ(moat_close(listener), 0);
}

static void *uses_all(void *arg)
{
    use_descriptors();
    use_connections();
    use_locals();
    use_supervisor();
    use_tasks();
    use_channels();
    use_locks();
    use_waker();
    return arg;
}

static void try_one(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_result result = {.kind = MOAT_EVENT_RETURN};
    moat_status status;

    options.clock = MOAT_CLOCK_TEST;
    options.report_fd = -1;
    options.stats = &stats;
    allocations = blocks = 0;
    armed = true;
    status = moat_sched_run(&options, uses_all, NULL, &result);
    armed = false;
    EXPECT(is_told(status));
    if (status != MOAT_OK)
        return;
    EXPECT_EQ(stats.live, 0);
    EXPECT_EQ(stats.deadlocks, 0);
    EXPECT_EQ(stats.trapped, 0);
    EXPECT(result.kind == MOAT_EVENT_RETURN || result.status == MOAT_E_NOMEM);
}

static void fail_each(void (*try)(void), long least)
{
    long total;

    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    for (int i = 0; i < 3; i++) /* what is made once */
        try();
    total = allocations;
    EXPECT(total > least);
    for (fails_at = 1; fails_at <= total; fails_at++) {
        expect_context("allocation %ld of %ld fails", fails_at, total);
        try();
        EXPECT(blocks <= 0);
    }
}

static void one_allocation_after_another_fails(const void *arg)
{
    moat_local_options options = MOAT_LOCAL_OPTIONS_INIT;

    (void)arg;
    options.inherit = share;
    EXPECT_EQ(moat_local_create(&key, &options), MOAT_OK);
    fail_each(try_one, 20);
}

/* ---- A run that its host drives ------------------------------------------ */

static int ends;

static void count_end(void *arg, const moat_result *result)
{
    (void)arg;
    EXPECT(result->kind == MOAT_EVENT_RETURN || result->status == MOAT_E_NOMEM);
    ends++;
}

static void drive(moat_sched *sched)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    uint64_t next;
    int begun = 0;

    options.name = "driven";
    ends = 0;
    for (int i = 0; i < 2; i++) {
        moat_status status = moat_sched_spawn(
            sched, returns, NULL, i == 0 ? NULL : &options, count_end, NULL);

        EXPECT(is_told(status));
        begun += status == MOAT_OK;
    }
    EXPECT_EQ(moat_sched_round(sched, &next), MOAT_OK);
    EXPECT_EQ(ends, begun);
}

static void try_driven(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched *sched = NULL;
    moat_status status;

    options.report_fd = -1;
    allocations = blocks = 0;
    armed = true;
    status = moat_sched_open(&options, &sched);
    EXPECT(is_told(status));
    if (status == MOAT_OK)
        drive(sched);
    EXPECT_EQ(moat_sched_close(sched), MOAT_OK);
    armed = false;
}

static void a_driven_run_may_lack_memory(const void *arg)
{
    (void)arg;
    fail_each(try_driven, 5);
}

int main(void)
{
    static const struct child_case cases[] = {
        {"one_allocation_after_another_fails",
         one_allocation_after_another_fails, NULL, NEEDS_MALLOC, 0, 0},
        {"a_driven_run_may_lack_memory", a_driven_run_may_lack_memory, NULL,
         NEEDS_MALLOC, 0, 0},
    };

    return child_cases_run("sched.nomem", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
