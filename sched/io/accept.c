/*
 * accept.c: accepting connections, for the calling task or for a new one, also
 * where descriptors are used up.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <moat/socket.h>

#include "sched/io/accept.h"
#include "sched/io/calls.h"
#include "sched/io/newcomer.h"
#include "sched/spawn.h"
#include "sched/wait.h"

/* Nobody may close the descriptor that the caller waits for: it looks again. */
#define STARVED_NS 50000000u

/* A connection that broke while it waited, and errors of its network, which
 * accept(2) reports first. */
static bool is_of_the_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static bool is_starved(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

/* A connection is of its listener's protocol. */
static uint32_t flags_at(struct sched *run, int listener)
{
    const struct descriptor *record = moat_descriptor_record(run, listener);

    return atomic_load(&record->flags) & (FD_KNOWN | FD_SOCKET | FD_TCP);
}

/* On the host's stack, so that a task that is stopped leaves no descriptor
 * behind. */
static enum verdict accept_one(struct worker *worker, struct moat_task *task)
{
    int listener = task->wish.of_fd.fd;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return moat_newcomer_refuse(task, errno);
    return moat_newcomer_answer(worker, task, fd,
                                flags_at(worker->run, listener));
}

/* Where the limit is one of descriptors, a spare one helps. */
static bool is_used_up(int error)
{
    return error == EMFILE || error == ENFILE;
}

static void keep_spare(struct sched *run)
{
    if (run->spare < 0)
        run->spare = eventfd(0, EFD_CLOEXEC);
}

static enum verdict accept_sparing(struct worker *worker,
                                   struct moat_task *task)
{
    keep_spare(worker->run);
    return accept_one(worker, task);
}

/* Accepts a connection by the spare descriptor's number, and closes it. The
 * system may report EMFILE although no connection waits. */
static enum verdict refuse_one(struct worker *worker, struct moat_task *task)
{
    struct sched *run = worker->run;
    int fd, error;

    if (run->spare >= 0)
        (void)close(run->spare);
    run->spare = -1;
    fd = accept4(task->wish.of_fd.fd, NULL, NULL, SOCK_CLOEXEC);
    error = errno;
    if (fd >= 0)
        (void)close(fd);
    keep_spare(run);
    return fd >= 0 ? answer(task, MOAT_OK) : moat_newcomer_refuse(task, error);
}

static enum verdict wait_for_room(struct worker *worker, struct moat_task *task)
{
    return moat_sched_wait(worker, task, &worker->run->starved, task->deadline,
                           (const void *)(uintptr_t)task->wish.of_fd.fd);
}

static const struct op accepts = {.perform = accept_one,
                                  .words = "accepts at descriptor"};
static const struct op accepts_sparing = {.perform = accept_sparing,
                                          .words = "accepts at descriptor"};
static const struct op refuses = {.perform = refuse_one,
                                  .words = "refuses at descriptor"};
static const struct op starves = {.perform = wait_for_room,
                                  .words =
                                      "waits for a free one, at descriptor",
                                  .late = MOAT_E_TIMEOUT,
                                  .from_outside = true,
                                  .for_fd = true};

bool moat_accept_starve(const struct call *call)
{
    uint64_t now = moat_now();
    uint64_t again = now + STARVED_NS;
    moat_status status;

    call->task->wish.of_fd.fd = call->fd;
    call->task->deadline = again < call->deadline ? again : call->deadline;
    status = call->deadline <= now ? MOAT_E_TIMEOUT : ask(call->task, &starves);
    if (status == MOAT_OK ||
        (status == MOAT_E_TIMEOUT && moat_now() < call->deadline))
        return true;
    TASK_ERRNO = moat_descriptor_errno(status);
    return false;
}

/* Called when errno is EMFILE or ENFILE. True: a client was refused. */
static bool refuse_client(const struct call *call)
{
    call->task->wish.of_fd.fd = call->fd;
    if (ask(call->task, &refuses) == MOAT_OK)
        return true;
    TASK_ERRNO = call->task->wish.of_fd.error;
    return false;
}

/* Returns whether to try again after an attempt that has failed. */
static bool may_accept_yet(const struct call *call, uint64_t *refused)
{
    if (refused != NULL && is_used_up(TASK_ERRNO) && refuse_client(call)) {
        ++*refused;
        return true;
    }
    if (is_of_the_connection(TASK_ERRNO))
        return true;
    return is_starved(TASK_ERRNO) ? moat_accept_starve(call) : try_again(call);
}

static int accept_by(int fd, uint64_t deadline, const struct op *op,
                     uint64_t *refused)
{
    struct call call;

    if (!begin_call(&call, fd, SIDE_READ, deadline))
        return -1;
    do {
        before_try(&call);
        call.task->wish.of_fd.fd = fd;
        if (ask(call.task, op) == MOAT_OK)
            return call.task->wish.of_fd.fd;
        TASK_ERRNO = call.task->wish.of_fd.error;
    } while (may_accept_yet(&call, refused));
    return -1;
}

int moat_accept(int fd, uint64_t deadline)
{
    return accept_by(fd, deadline, &accepts, NULL);
}

int moat_accept_refusing(int fd, uint64_t deadline, uint64_t *refused)
{
    uint64_t unused = 0;

    return accept_by(fd, deadline, &accepts_sparing,
                     refused != NULL ? refused : &unused);
}

/* ---- For a new task ------------------------------------------------------ */

/* The arguments of the call: each try asks anew, as waits write over the task's
 * wish. */
struct order {
    moat_group *group;
    moat_task_fn fn;
    bool has_options; /* they lie in the task's room */
    uintptr_t creator;
};

/* The connection belongs to the new task before any other can run. */
static enum verdict accept_and_spawn(struct worker *worker,
                                     struct moat_task *task)
{
    int listener = (int)(intptr_t)task->wish.spawn.arg;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const struct descriptor *record;

    if (fd < 0)
        return moat_newcomer_refuse(task, errno);
    record = moat_descriptor_begin(worker, fd, flags_at(worker->run, listener));
    if (record == NULL) {
        (void)close(fd);
        return moat_newcomer_refuse(task, ENOMEM);
    }
    task->wish.spawn.arg = (void *)(intptr_t)fd;
    if (moat_spawn_perform(worker, task) == GOES_ON &&
        task->status != MOAT_OK) {
        (void)moat_descriptor_close(worker, fd);
        return GOES_ON;
    }
    task->wish.spawn.created->connected = true;
    task->wish.spawn.created->connection = fd;
    task->wish.spawn.created->connection_use = record->use;
    return GOES_ON;
}

static enum verdict accept_and_spawn_sparing(struct worker *worker,
                                             struct moat_task *task)
{
    keep_spare(worker->run);
    return accept_and_spawn(worker, task);
}

static const struct op spawns = {.perform = accept_and_spawn,
                                 .words = "accepts for a new task"};
static const struct op spawns_sparing = {.perform = accept_and_spawn_sparing,
                                         .words = "accepts for a new task"};

/* The task may have closed it, and the number be another's by now. */
void moat_accept_end(struct worker *worker, struct moat_task *task)
{
    const struct descriptor *record =
        moat_descriptor_at(worker->run, task->connection);

    task->connected = false;
    if (record->use == task->connection_use)
        (void)moat_descriptor_close(worker, task->connection);
}

static moat_status ask_for(struct moat_task *task, int fd,
                           const struct order *order, const struct op *op)
{
    task->wish.spawn.fn = order->fn;
    task->wish.spawn.arg = (void *)(intptr_t)fd;
    task->wish.spawn.group = order->group;
    task->wish.spawn.detached = true;
    task->wish.spawn.has_options = order->has_options;
    task->wish.spawn.caller = order->creator;
    return ask(task, op);
}

/* An errno. */
static int error_of(const struct moat_task *task, moat_status status)
{
    switch (status) {
    case MOAT_E_SYSTEM:
        return task->wish.of_fd.error;
    case MOAT_E_INVAL:
    case MOAT_E_UNSUPPORTED:
        return EINVAL;
    default:
        return moat_descriptor_errno(status);
    }
}

static bool spawn_by(int fd, const struct order *order, uint64_t deadline,
                     uint64_t *refused)
{
    struct call call;
    moat_status status;

    if (!begin_call(&call, fd, SIDE_READ, deadline))
        return false;
    do {
        before_try(&call);
        status = ask_for(call.task, fd, order,
                         refused != NULL ? &spawns_sparing : &spawns);
        TASK_ERRNO = error_of(call.task, status);
    } while (status == MOAT_E_SYSTEM && may_accept_yet(&call, refused));
    return status == MOAT_OK;
}

int moat_accept_spawn(int fd, moat_group *group, moat_task_fn fn,
                      const moat_task_options *options, uint64_t deadline,
                      uint64_t *refused)
{
    struct order order = {group, fn, options != NULL,
                          (uintptr_t)__builtin_return_address(0)};
    struct moat_task *task = asker();
    moat_status status;

    TASK_ERRNO = EPERM;
    if (task == NULL || is_host(task))
        return -1;
    TASK_ERRNO = EINVAL;
    if (fn == NULL || (group != NULL && group->magic != GROUP_MAGIC))
        return -1;
    status = moat_spawn_prepare(task, options);
    TASK_ERRNO = error_of(task, status);
    if (status != MOAT_OK)
        return -1;
    if (spawn_by(fd, &order, deadline, refused))
        return 0;
    moat_spawn_give_up(task);
    return -1;
}
