/*
 * descriptors.c: who waits for which descriptor, and what the pollers tell.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "sched/ask.h"
#include "sched/io/descriptors.h"
#include "sched/io/poller.h"
#include "sched/wait.h"

/* Calls that a task may make in a row, if it need not wait for them. */
#define PER_TURN 64

#define BLOCK  512
#define BLOCKS 4096

/* Records never move, so a task may read its own while another worker makes
 * others. */
struct descriptors {
    _Atomic(struct descriptor *) blocks[BLOCKS];
};

/* ---- Records ------------------------------------------------------------ */

struct descriptor *moat_descriptor_at(struct sched *run, int fd)
{
    struct descriptors *all = atomic_load(&run->descriptors);
    struct descriptor *block;

    if (all == NULL || fd < 0 || fd >= BLOCK * BLOCKS)
        return NULL;
    block = atomic_load(&all->blocks[fd / BLOCK]);
    return block == NULL ? NULL : &block[fd % BLOCK];
}

static struct descriptor *make_block(void)
{
    struct descriptor *block = calloc(BLOCK, sizeof *block);

    for (size_t i = 0; block != NULL && i < BLOCK; i++)
        for (int side = 0; side < SIDES; side++)
            list_init(&block[i].waiters[side]);
    return block;
}

struct descriptor *moat_descriptor_record(struct sched *run, int fd)
{
    struct descriptors *all = atomic_load(&run->descriptors);
    struct descriptor *block;

    if (fd < 0 || fd >= BLOCK * BLOCKS) {
        errno = EBADF;
        return NULL;
    }
    if (all == NULL) {
        all = calloc(1, sizeof *all);
        if (all == NULL)
            return NULL;
        atomic_store(&run->descriptors, all);
    }
    block = atomic_load(&all->blocks[fd / BLOCK]);
    if (block == NULL) {
        block = make_block();
        if (block == NULL)
            return NULL;
        atomic_store(&all->blocks[fd / BLOCK], block);
    }
    return &block[fd % BLOCK];
}

void moat_descriptor_forget(struct worker *worker, int fd)
{
    struct descriptor *record = moat_descriptor_at(worker->run, fd);

    if (record == NULL)
        return;
    record->use++;
    record->settle = NULL;
    atomic_store(&record->flags, 0);
    if (record->watcher != NULL)
        moat_poller_remove(record->watcher->poller, fd);
    record->watcher = NULL;
    for (int side = 0; side < SIDES; side++) {
        atomic_fetch_add(&record->edges[side], 1);
        moat_sched_wake_all(worker, &record->waiters[side], MOAT_E_CLOSED);
    }
}

/* A task may have closed the earlier one without our knowing. */
struct descriptor *moat_descriptor_begin(struct worker *worker, int fd,
                                         uint32_t flags)
{
    struct descriptor *record = moat_descriptor_record(worker->run, fd);

    if (record == NULL)
        return NULL;
    moat_descriptor_forget(worker, fd);
    atomic_store(&record->flags, flags);
    return record;
}

void moat_descriptors_free(struct sched *run)
{
    struct descriptors *all = atomic_load(&run->descriptors);

    for (unsigned i = 0; i < run->threads; i++)
        moat_poller_close(run->workers[i].poller);
    for (size_t i = 0; all != NULL && i < BLOCKS; i++)
        free(atomic_load(&all->blocks[i]));
    free(all);
}

/* ---- First use ---------------------------------------------------------- */

/* 0: errno is set. */
static uint32_t flags_of(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;

    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0)
        return errno == ENOTSOCK ? FD_KNOWN : 0;
    return FD_KNOWN | FD_SOCKET | (protocol == IPPROTO_TCP ? FD_TCP : 0);
}

static bool do_not_block(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && ((flags & O_NONBLOCK) != 0 ||
                          fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}

static enum verdict adopt(struct worker *worker, struct moat_task *task)
{
    int fd = task->wish.of_fd.fd;
    struct descriptor *record = moat_descriptor_record(worker->run, fd);
    uint32_t flags = 0;

    if (record != NULL && do_not_block(fd))
        flags = flags_of(fd);
    if (flags == 0) {
        task->wish.of_fd.error = errno;
        return answer(task, MOAT_E_SYSTEM);
    }
    atomic_fetch_or(&record->flags, flags);
    return answer(task, MOAT_OK);
}

static enum verdict make_record(struct worker *worker, struct moat_task *task)
{
    if (moat_descriptor_record(worker->run, task->wish.of_fd.fd) != NULL)
        return answer(task, MOAT_OK);
    task->wish.of_fd.error = errno;
    return answer(task, MOAT_E_SYSTEM);
}

static const struct op adopts = {
    .perform = adopt, .words = "uses a descriptor", .is_part = true};
static const struct op makes_record = {
    .perform = make_record, .words = "uses a descriptor", .is_part = true};

/* A task whose calls never wait gives up its turn now and then: before the
 * call, since it may be unwound. */
static void count_call(struct moat_task *task)
{
    if (++task->io_calls < PER_TURN || is_host(task))
        return;
    task->io_calls = 0;
    moat_task_yield();
}

static struct descriptor *find(struct moat_task *task, int fd, uint32_t flags,
                               const struct op *op)
{
    struct sched *run = moat_sched_worker->run;
    struct descriptor *record;

    count_call(task);
    record = moat_descriptor_at(run, fd);
    if (record != NULL && (atomic_load(&record->flags) & flags) == flags)
        return record;
    task->wish.of_fd.fd = fd;
    if (ask(task, op) == MOAT_OK)
        return moat_descriptor_at(run, fd);
    errno = task->wish.of_fd.error;
    return NULL;
}

struct descriptor *moat_descriptor_use(struct moat_task *task, int fd)
{
    return find(task, fd, FD_KNOWN, &adopts);
}

struct descriptor *moat_descriptor_find(struct moat_task *task, int fd)
{
    return find(task, fd, 0, &makes_record);
}

/* ---- Waits -------------------------------------------------------------- */

static int open_poller(struct worker *worker)
{
    int bell = atomic_load(&worker->bell->descriptor);

    if (worker->poller != NULL)
        return 0;
    if (bell < 0)
        bell = moat_bell_open(worker->bell);
    return bell < 0 ? errno : moat_poller_open(&worker->poller, bell);
}

static bool is_waited_for(const struct descriptor *record)
{
    return !list_empty(&record->waiters[SIDE_READ]) ||
           !list_empty(&record->waiters[SIDE_WRITE]);
}

int moat_descriptor_watch(struct worker *worker, int fd)
{
    struct descriptor *record = moat_descriptor_at(worker->run, fd);
    int error;

    if (record->watcher == worker ||
        (record->watcher != NULL && is_waited_for(record)))
        return 0;
    error = open_poller(worker);
    if (error != 0)
        return error;
    if (record->watcher != NULL)
        moat_poller_remove(record->watcher->poller, fd);
    record->watcher = NULL;
    error = moat_poller_add(worker->poller, fd,
                            (uint64_t)record->use << 32 | (unsigned)fd);
    if (error == 0)
        record->watcher = worker;
    return error;
}

static bool has_sides(const struct moat_task *task, int side)
{
    return (task->wish.of_fd.sides & 1u << side) != 0;
}

static bool has_had_edge(const struct moat_task *task,
                         const struct descriptor *record)
{
    for (int side = 0; side < SIDES; side++)
        if (has_sides(task, side) &&
            atomic_load(&record->edges[side]) != task->wish.of_fd.edges[side])
            return true;
    return false;
}

/* On both sides: the task has made room for two waiters. */
static enum verdict wait_twice(struct worker *worker, struct moat_task *task,
                               struct descriptor *record, const void *object)
{
    struct waiter *waiters = task->room;
    enum verdict verdict;

    if (!moat_sched_may_wait(worker, task, task->deadline, object, &verdict))
        return verdict;
    task->waiters = waiters;
    task->waiter_count = SIDES;
    for (int side = 0; side < SIDES; side++) {
        waiters[side].task = task;
        list_append(&record->waiters[side], &waiters[side].link);
    }
    return verdict;
}

static enum verdict wait_for_edge(struct worker *worker, struct moat_task *task)
{
    int fd = task->wish.of_fd.fd;
    struct descriptor *record = moat_descriptor_at(worker->run, fd);
    const void *object = (const void *)(uintptr_t)(unsigned)fd;
    int error = 0;

    if (has_had_edge(task, record))
        return answer(task, MOAT_OK);
    if (task->deadline != 0 && !is_host(task))
        error = moat_descriptor_watch(worker, fd);
    if (error == EPERM)
        return answer(task, MOAT_E_UNSUPPORTED);
    if (error != 0) {
        task->wish.of_fd.error = error;
        return answer(task, MOAT_E_SYSTEM);
    }
    task->io_calls = 0;
    if (has_sides(task, SIDE_READ) && has_sides(task, SIDE_WRITE))
        return wait_twice(worker, task, record, object);
    return moat_sched_wait(
        worker, task,
        &record->waiters[has_sides(task, SIDE_READ) ? SIDE_READ : SIDE_WRITE],
        task->deadline, object);
}

static const struct op waits[] = {
    [1u << SIDE_READ] = {.perform = wait_for_edge,
                         .words = "reads from descriptor",
                         .late = MOAT_E_TIMEOUT,
                         .from_outside = true,
                         .for_fd = true},
    [1u << SIDE_WRITE] = {.perform = wait_for_edge,
                          .words = "writes to descriptor",
                          .late = MOAT_E_TIMEOUT,
                          .from_outside = true,
                          .for_fd = true},
    [1u << SIDE_READ | 1u << SIDE_WRITE] = {.perform = wait_for_edge,
                                            .words = "waits for descriptor",
                                            .late = MOAT_E_TIMEOUT,
                                            .from_outside = true,
                                            .for_fd = true}};

moat_status moat_descriptor_wait(struct moat_task *task, int fd, unsigned sides,
                                 const uint32_t edges[SIDES], uint64_t deadline)
{
    moat_status status;

    if (sides == (1u << SIDE_READ | 1u << SIDE_WRITE) &&
        !moat_sched_room(task, SIDES * sizeof(struct waiter)))
        return MOAT_E_NOMEM;
    task->wish.of_fd.fd = fd;
    task->wish.of_fd.sides = sides;
    for (int side = 0; side < SIDES; side++)
        task->wish.of_fd.edges[side] = edges[side];
    task->deadline = deadline;
    status = ask(task, &waits[sides]);
    if (status == MOAT_E_SYSTEM)
        errno = task->wish.of_fd.error;
    return status;
}

int moat_descriptor_errno(moat_status status)
{
    switch (status) {
    case MOAT_E_TIMEOUT:
        return ETIMEDOUT;
    case MOAT_E_CANCELLED:
        return ECANCELED;
    case MOAT_E_CLOSED:
        return EBADF;
    case MOAT_E_NOMEM:
        return ENOMEM;
    case MOAT_E_UNSUPPORTED:
        return EAGAIN;
    case MOAT_E_SYSTEM:
        return errno;
    default:
        return EPERM;
    }
}

bool moat_descriptor_block(struct moat_task *task, int fd, int side,
                           uint32_t edges, uint64_t deadline)
{
    uint32_t both[SIDES] = {edges, edges};
    moat_status status =
        moat_descriptor_wait(task, fd, 1u << side, both, deadline);

    if (status == MOAT_OK)
        return true;
    errno = moat_descriptor_errno(status);
    return false;
}
