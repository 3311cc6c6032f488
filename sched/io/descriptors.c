/*
 * descriptors.c: records of descriptors, waits for them, and their registration
 * with the pollers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched/ask.h"
#include "sched/io/descriptors.h"
#include "sched/io/poller.h"
#include "sched/io/task_errno.h"
#include "sched/wait.h"

/* Calls that a task may make in a row, if it need not wait for them. */
#define PER_TURN 64

/* ---- Records ------------------------------------------------------------ */

static struct descriptor *make_block(void)
{
    struct descriptor *block = calloc(FD_BLOCK, sizeof *block);

    for (size_t i = 0; block != NULL && i < FD_BLOCK; i++)
        for (int side = 0; side < SIDES; side++)
            list_init(&block[i].waiters[side]);
    return block;
}

struct descriptor *moat_descriptor_record(struct sched *run, int fd)
{
    struct descriptors *all = atomic_load(&run->descriptors);
    struct descriptor *block;

    if ((unsigned)fd >= FD_BLOCK * FD_BLOCKS) {
        errno = EBADF;
        return NULL;
    }
    if (all == NULL) {
        all = calloc(1, sizeof *all);
        if (all == NULL)
            return NULL;
        atomic_store(&run->descriptors, all);
    }
    block = atomic_load(&all->blocks[(unsigned)fd / FD_BLOCK]);
    if (block == NULL) {
        block = make_block();
        if (block == NULL)
            return NULL;
        atomic_store(&all->blocks[(unsigned)fd / FD_BLOCK], block);
    }
    return &block[(unsigned)fd % FD_BLOCK];
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

int moat_descriptor_close(struct worker *worker, int fd)
{
    int error;

    moat_descriptor_forget(worker, fd);
    error = close(fd) == 0 ? 0 : errno;
    moat_sched_wake_all(worker, &worker->run->starved, MOAT_OK);
    return error;
}

/* The earlier descriptor of this number may have been closed by close(2). */
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

    if (run->spare >= 0)
        (void)close(run->spare);
    for (unsigned i = 0; i < run->threads; i++)
        moat_poller_close(run->workers[i].poller);
    for (size_t i = 0; all != NULL && i < FD_BLOCKS; i++)
        free(atomic_load(&all->blocks[i]));
    free(all);
}

/* ---- First use ---------------------------------------------------------- */

/* 0: errno is set. */
static uint32_t read_flags(int fd)
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
        flags = read_flags(fd);
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
static void pass_turn(struct moat_task *task)
{
    task->io_calls = 0;
    if (!is_host(task))
        moat_task_yield();
}

static struct descriptor *find_anew(struct moat_task *task, int fd,
                                    const struct op *op)
{
    task->wish.of_fd.fd = fd;
    if (ask(task, op) == MOAT_OK)
        return moat_descriptor_at(moat_sched_worker->run, fd);
    TASK_ERRNO = task->wish.of_fd.error;
    return NULL;
}

static inline struct descriptor *find(struct moat_task *task, int fd,
                                      uint32_t flags, const struct op *op)
{
    struct descriptor *record;

    if (MOAT_UNLIKELY(++task->io_calls >= PER_TURN))
        pass_turn(task);
    record = moat_descriptor_at(moat_sched_worker->run, fd);
    if (MOAT_LIKELY(record != NULL && (flags_of(record) & flags) == flags))
        return record;
    return find_anew(task, fd, op);
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

int moat_descriptors_open(struct worker *worker)
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

int moat_descriptor_watch(struct worker *worker, struct descriptor *record,
                          int fd)
{
    int error;

    if (record->watcher == worker ||
        (record->watcher != NULL && is_waited_for(record)))
        return 0;
    error = moat_descriptors_open(worker);
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

static inline bool has_had_edge(const struct moat_task *task, int side)
{
    return edges_of(task->wish.of_fd.record, side) !=
           task->wish.of_fd.edges[side];
}

static const void *object_of(const struct moat_task *task)
{
    return (const void *)(uintptr_t)(unsigned)task->wish.of_fd.fd;
}

/* False: the task cannot wait, and has the answer. */
static bool watch(struct worker *worker, struct moat_task *task)
{
    int error = 0;

    task->io_calls = 0;
    if (MOAT_LIKELY(task->wish.of_fd.record->watcher == worker))
        return true;
    if (task->deadline != 0 && !is_host(task))
        error = moat_descriptor_watch(worker, task->wish.of_fd.record,
                                      task->wish.of_fd.fd);
    if (error == 0)
        return true;
    task->wish.of_fd.error = error;
    task->status = error == EPERM ? MOAT_E_UNSUPPORTED : MOAT_E_SYSTEM;
    return false;
}

static inline enum verdict wait_for(struct worker *worker,
                                    struct moat_task *task, int side)
{
    if (has_had_edge(task, side))
        return answer(task, MOAT_OK);
    if (!watch(worker, task))
        return GOES_ON;
    return moat_sched_wait(worker, task,
                           &task->wish.of_fd.record->waiters[side],
                           task->deadline, object_of(task));
}

static enum verdict wait_to_read(struct worker *worker, struct moat_task *task)
{
    return wait_for(worker, task, SIDE_READ);
}

static enum verdict wait_to_write(struct worker *worker, struct moat_task *task)
{
    return wait_for(worker, task, SIDE_WRITE);
}

/* The task has made room for two waiters. */
static enum verdict wait_for_either(struct worker *worker,
                                    struct moat_task *task)
{
    struct descriptor *record = task->wish.of_fd.record;
    struct waiter *waiters = task->room;
    enum verdict verdict;

    if (has_had_edge(task, SIDE_READ) || has_had_edge(task, SIDE_WRITE))
        return answer(task, MOAT_OK);
    if (!watch(worker, task))
        return GOES_ON;
    if (!moat_sched_may_wait(worker, task, task->deadline, object_of(task),
                             &verdict))
        return verdict;
    task->waiters = waiters;
    task->waiter_count = SIDES;
    for (int side = 0; side < SIDES; side++) {
        waiters[side].task = task;
        list_append(&record->waiters[side], &waiters[side].link);
    }
    return verdict;
}

static const struct op waits[] = {
    [1u << SIDE_READ] = {.perform = wait_to_read,
                         .words = "reads from descriptor",
                         .late = MOAT_E_TIMEOUT,
                         .from_outside = true,
                         .for_fd = true},
    [1u << SIDE_WRITE] = {.perform = wait_to_write,
                          .words = "writes to descriptor",
                          .late = MOAT_E_TIMEOUT,
                          .from_outside = true,
                          .for_fd = true},
    [1u << SIDE_READ | 1u << SIDE_WRITE] = {.perform = wait_for_either,
                                            .words = "waits for descriptor",
                                            .late = MOAT_E_TIMEOUT,
                                            .from_outside = true,
                                            .for_fd = true}};

moat_status moat_descriptor_wait(struct moat_task *task,
                                 struct descriptor *record, int fd,
                                 unsigned sides, const uint32_t edges[SIDES],
                                 uint64_t deadline)
{
    moat_status status;

    if (sides == (1u << SIDE_READ | 1u << SIDE_WRITE) &&
        !moat_sched_room(task, SIDES * sizeof(struct waiter)))
        return MOAT_E_NOMEM;
    task->wish.of_fd.fd = fd;
    task->wish.of_fd.record = record;
    for (int side = 0; side < SIDES; side++)
        task->wish.of_fd.edges[side] = edges[side];
    task->deadline = deadline;
    status = ask(task, &waits[sides]);
    if (status == MOAT_E_SYSTEM)
        TASK_ERRNO = task->wish.of_fd.error;
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
        return TASK_ERRNO;
    default:
        return EPERM;
    }
}

bool moat_descriptor_block(struct moat_task *task, struct descriptor *record,
                           int fd, int side, uint32_t edges, uint64_t deadline)
{
    moat_status status;

    task->wish.of_fd.fd = fd;
    task->wish.of_fd.record = record;
    task->wish.of_fd.edges[side] = edges;
    task->deadline = deadline;
    status = ask(task, &waits[1u << side]);
    if (MOAT_LIKELY(status == MOAT_OK))
        return true;
    TASK_ERRNO = status == MOAT_E_SYSTEM ? task->wish.of_fd.error
                                         : moat_descriptor_errno(status);
    return false;
}
