/*
 * child.c: the ends of child processes, and signals, as events of descriptors
 * that exist while a task waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/child.h>

#include "sched/io/newcomer.h"
#include "sched/io/poller.h"
#include "sched/io/task_errno.h"
#include "sched/refuse.h"
#include "sched/wait.h"

/* The event that a task waits for, in its room; and the answer. */
struct event {
    pid_t pid; /* 0: for a signal */
    sigset_t signals;
    int answer;
};

/* Takes the event. 1: it has happened; 0: not yet; -1: errno is set. */
static int take(struct event *event)
{
    static const struct timespec no_time = {0, 0};
    int result;

    do
        result = event->pid != 0
                     ? waitpid(event->pid, &event->answer, WNOHANG)
                     : sigtimedwait(&event->signals, NULL, &no_time);
    while (result < 0 && errno == EINTR);
    if (event->pid == 0 && result > 0)
        event->answer = result;
    if (event->pid == 0 && result < 0 && errno == EAGAIN)
        return 0;
    return result > 0 ? 1 : result;
}

/* Another task may have taken the signal first. */
static void settle(struct worker *worker, int fd, unsigned what)
{
    struct moat_task *task = moat_newcomer_waiter(worker, fd, SIDE_READ);
    int taken = (what & POLLER_READ) != 0 ? take(task->room) : 0;

    if (taken == 0)
        return;
    task->wish.of_fd.error = errno;
    moat_sched_wake(worker, task, taken > 0 ? MOAT_OK : MOAT_E_SYSTEM);
    moat_newcomer_leave(worker, (const void *)(uintptr_t)(unsigned)fd);
}

static int open_descriptor(const struct event *event)
{
    return event->pid != 0
               ? (int)syscall(SYS_pidfd_open, event->pid, 0u)
               : signalfd(-1, &event->signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* The poller also reports an event that came before the descriptor was added.
 */
static enum verdict wait_for(struct worker *worker, struct moat_task *task)
{
    struct event *event = task->room;
    int taken = take(event), fd;

    if (taken > 0)
        return answer(task, MOAT_OK);
    if (taken < 0)
        return moat_newcomer_refuse(task, errno);
    if (task->deadline == 0)
        return answer(task, MOAT_E_TIMEOUT);
    fd = open_descriptor(event);
    return fd < 0 ? moat_newcomer_refuse(task, errno)
                  : moat_newcomer_wait(worker, task, fd, FD_KNOWN, SIDE_READ,
                                       settle);
}

static const struct op waits_for_child = {.perform = wait_for,
                                          .words =
                                              "waits for a child at descriptor",
                                          .late = MOAT_E_TIMEOUT,
                                          .from_outside = true,
                                          .for_fd = true,
                                          .leaves = moat_newcomer_leave};
static const struct op waits_for_signal = {
    .perform = wait_for,
    .words = "waits for a signal at descriptor",
    .late = MOAT_E_TIMEOUT,
    .from_outside = true,
    .for_fd = true,
    .leaves = moat_newcomer_leave};

static moat_status note_failure(const struct event *event, int error)
{
    TASK_ERRNO = error;
    return event->pid == 0
               ? moat_error_note(MOAT_E_SYSTEM,
                                 "the signals cannot be waited for: %e", 0, 0)
               : moat_error_note(MOAT_E_SYSTEM,
                                 "pid is %d: it cannot be waited for: %e",
                                 (uint64_t)(int64_t)event->pid, 0);
}

static moat_status ask_for(struct moat_task *task, const struct event *event,
                           const struct op *op, uint64_t deadline, int *out)
{
    moat_status status;

    if (task == NULL || is_host(task))
        return MOAT_E_STATE;
    if (!moat_sched_room(task, sizeof *event))
        return MOAT_E_NOMEM;
    *(struct event *)task->room = *event;
    task->deadline = deadline;
    status = ask(task, op);
    if (status == MOAT_E_SYSTEM)
        return note_failure(event, task->wish.of_fd.error);
    if (status == MOAT_OK && out != NULL)
        *out = ((const struct event *)task->room)->answer;
    return status;
}

moat_status moat_child_wait(pid_t pid, uint64_t deadline, int *status)
{
    struct event event = {.pid = pid};

    return pid <= 0
               ? refuse_value("pid is %d: it must be above 0",
                              (uint64_t)(int64_t)pid)
               : ask_for(asker(), &event, &waits_for_child, deadline, status);
}

moat_status moat_signal_wait(const int *signals, size_t count,
                             uint64_t deadline, int *signal)
{
    struct event event = {.pid = 0};

    if (signals == NULL || count == 0)
        return refuse(signals == NULL ? "signals is NULL" : "count is 0");
    (void)sigemptyset(&event.signals);
    for (size_t i = 0; i < count; i++)
        if (sigaddset(&event.signals, signals[i]) != 0)
            return moat_error_note(MOAT_E_INVAL, "signals[%u] is %d: no signal",
                                   i, (uint64_t)(int64_t)signals[i]);
    return ask_for(asker(), &event, &waits_for_signal, deadline, signal);
}
