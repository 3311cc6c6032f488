/*
 * test_io_failures.c: each system call of the I/O path fails once, with each
 * error that it may have: no descriptor is leaked, and no task is lost.
 *
 * The calls are wrapped by the linker (CMakeLists.txt lists them).
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "sched/sockets.h"

/* ---- The wrappers -------------------------------------------------------- */

static atomic_bool armed;
static _Atomic(const char *) target;
static atomic_int target_error;
static atomic_long calls, fails_at;

static bool fails(const char *name)
{
    if (!atomic_load(&armed) || strcmp(name, atomic_load(&target)) != 0 ||
        atomic_fetch_add(&calls, 1) + 1 != fails_at)
        return false;
    errno = target_error;
    return true;
}

/* NOLINTBEGIN(bugprone-reserved-identifier) */
#define WRAP(type, name, parameters, arguments) \
    type __real_##name parameters;              \
    type __wrap_##name parameters;              \
    type __wrap_##name parameters               \
    {                                           \
        if (fails(#name))                       \
            return -1;                          \
        return __real_##name arguments;         \
    }

WRAP(int, epoll_create1, (int flags), (flags))
WRAP(int, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *event),
     (epoll, op, fd, event))
WRAP(int, epoll_wait,
     (int epoll, struct epoll_event *events, int count, int ms),
     (epoll, events, count, ms))
WRAP(int, epoll_pwait2,
     (int epoll, struct epoll_event *events, int count,
      const struct timespec *time, const sigset_t *mask),
     (epoll, events, count, time, mask))
WRAP(int, eventfd, (unsigned value, int flags), (value, flags))
WRAP(int, fcntl, (int fd, int op, long value), (fd, op, value))
WRAP(int, getsockopt, (int fd, int level, int name, void *to, socklen_t *size),
     (fd, level, name, to, size))
WRAP(int, setsockopt,
     (int fd, int level, int name, const void *from, socklen_t size),
     (fd, level, name, from, size))
WRAP(int, socket, (int domain, int type, int protocol),
     (domain, type, protocol))
WRAP(int, bind, (int fd, const struct sockaddr *address, socklen_t length),
     (fd, address, length))
WRAP(int, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, accept4,
     (int fd, struct sockaddr *address, socklen_t *length, int flags),
     (fd, address, length, flags))
WRAP(int, connect, (int fd, const struct sockaddr *address, socklen_t length),
     (fd, address, length))
WRAP(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size))
WRAP(ssize_t, readv, (int fd, const struct iovec *to, int count),
     (fd, to, count))
WRAP(ssize_t, writev, (int fd, const struct iovec *from, int count),
     (fd, from, count))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
WRAP(int, signalfd, (int fd, const sigset_t *signals, int flags),
     (fd, signals, flags))
WRAP(pid_t, waitpid, (pid_t pid, int *status, int options),
     (pid, status, options))
WRAP(int, sigtimedwait,
     (const sigset_t *signals, siginfo_t *info, const struct timespec *time),
     (signals, info, time))
WRAP(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size))
WRAP(ssize_t, send, (int fd, const void *from, size_t size, int flags),
     (fd, from, size, flags))
WRAP(ssize_t, recvfrom,
     (int fd, void *to, size_t size, int flags, struct sockaddr *address,
      socklen_t *length),
     (fd, to, size, flags, address, length))
WRAP(ssize_t, sendto,
     (int fd, const void *from, size_t size, int flags,
      const struct sockaddr *address, socklen_t length),
     (fd, from, size, flags, address, length))
WRAP(int, poll, (struct pollfd * fds, nfds_t count, int ms), (fds, count, ms))

/* pidfd_open(2): the only one that the library makes in this way. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list list;
    pid_t pid;
    unsigned flags;

    va_start(list, number);
    pid = va_arg(list, pid_t);
    flags = va_arg(list, unsigned);
    va_end(list);
    return fails("syscall") ? -1 : __real_syscall(number, pid, flags);
}

/* The descriptor is closed all the same. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    bool failed = fails("close");
    int result = __real_close(fd);

    if (failed)
        errno = target_error;
    return failed ? -1 : result;
}

/* Returns the error. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *), void *arg)
{
    return fails("pthread_create")
               ? target_error
               : __real_pthread_create(thread, attributes, fn, arg);
}
/* NOLINTEND(bugprone-reserved-identifier) */

#define ERRORS 16

struct victim {
    const char *name;
    int errors[ERRORS]; /* the rest: 0 */
};

/* Those that the manual pages list and that the call may have here. A
 * non-blocking connect(2) is not interrupted. */
static const struct victim victims[] = {
    {"epoll_create1", {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl", {ENOMEM, ENOSPC, EEXIST}},
    {"epoll_wait", {EINTR}},
    {"epoll_pwait2", {EINTR, ENOSYS, EPERM}},
    {"eventfd", {EMFILE, ENFILE, ENODEV, ENOMEM}},
    {"fcntl", {EBADF, EPERM}},
    {"getsockopt", {ENOMEM, ENOBUFS}},
    {"setsockopt", {ENOMEM, ENOPROTOOPT, EACCES}},
    {"socket",
     {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT}},
    {"bind", {EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOMEM}},
    {"listen", {EADDRINUSE, EOPNOTSUPP}},
    {"accept4",
     {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EPERM, EPROTO,
      ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH,
      EOPNOTSUPP}},
    {"connect",
     {ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES, ETIMEDOUT,
      EPERM, ENOBUFS}},
    {"read", {EINTR, EIO, ECONNRESET, ETIMEDOUT, ENOMEM}},
    {"readv", {EINTR, EIO, ECONNRESET, ETIMEDOUT, ENOMEM}},
    {"write", {EINTR, EIO, ENOSPC, EDQUOT, EPIPE}},
    {"writev", {EINTR, EIO, ENOSPC, EDQUOT, EPIPE}},
    {"send", {EINTR, ECONNRESET, EPIPE, ENOBUFS, ENOMEM, EHOSTUNREACH}},
    {"sendmsg", {EINTR, ECONNRESET, EPIPE, ENOBUFS, ENOMEM, EHOSTUNREACH}},
    {"recvfrom", {EINTR, ECONNREFUSED, ENOMEM}},
    {"sendto", {EINTR, ENOBUFS, ENOMEM, ECONNREFUSED, EMSGSIZE, EPERM}},
    {"poll", {EINTR, ENOMEM}},
    {"close", {EINTR, EIO, ENOSPC, EDQUOT}},
    {"pthread_create", {EAGAIN, ENOMEM}},
};

/* The calls of waits for processes and signals. "syscall" is pidfd_open. */
static const struct victim event_victims[] = {
    {"syscall", {EMFILE, ENFILE, ENODEV, ENOMEM, ENOSYS, EPERM}},
    {"waitpid", {EINTR, ECHILD}},
    {"signalfd", {EMFILE, ENFILE, ENODEV, ENOMEM}},
    {"sigtimedwait", {EINTR}},
    {"epoll_create1", {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl", {ENOMEM, ENOSPC}},
    {"eventfd", {EMFILE, ENFILE, ENODEV, ENOMEM}},
    {"close", {EINTR, EIO}},
};

/* The calls that open a run for another loop. */
static const struct victim opening_victims[] = {
    {"epoll_create1", {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl", {ENOMEM, ENOSPC}},
    {"eventfd", {EMFILE, ENFILE, ENODEV, ENOMEM}},
    {"epoll_wait", {EINTR}},
};

/* ---- The plays ----------------------------------------------------------- */

/* Long: nothing may have to wait for it. */
static uint64_t soon(void)
{
    return moat_now() + 60000 * MS;
}

static void *echoes(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[64];
    ssize_t got;

    while ((got = moat_read(fd, bytes, sizeof bytes, soon())) > 0)
        if (moat_write(fd, bytes, (size_t)got, soon()) != got)
            break;
    (void)moat_close(fd);
    return arg;
}

/* The next connection is accepted by the other function. */
static int accept_either(int listener)
{
    static unsigned turn;

    return ++turn % 2 == 0 ? moat_accept(listener, soon())
                           : moat_accept_refusing(listener, soon(), NULL);
}

static void *accepts(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;

    while ((fd = accept_either(listener)) >= 0)
        if (moat_task_spawn(NULL, echoes, (void *)(intptr_t)fd, NULL, NULL) !=
            MOAT_OK)
            (void)moat_close(fd);
    /* Clients in its queue hear of it. */
    (void)moat_close(listener);
    return arg;
}

static void *dials(void *arg)
{
    int fd = moat_dial_tcp("localhost", arg, soon());
    char bytes[64];

    if (fd < 0)
        return NULL;
    for (int i = 0; i < 3; i++)
        if (moat_write(fd, "hello", 5, soon()) != 5 ||
            moat_read(fd, bytes, sizeof bytes, soon()) <= 0)
            break;
    (void)moat_close(fd);
    return arg;
}

static void use_tcp(void)
{
    int listener = moat_listen_tcp("127.0.0.1", "0", 0);
    moat_task *tasks[4];
    char port[8];

    if (listener < 0)
        return;
    port_of(listener, port);
    tasks[3] = spawn(accepts, (void *)(intptr_t)listener);
    for (int i = 0; i < 3; i++)
        tasks[i] = spawn(dials, port);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    (void)moat_close(listener); /* or it is closed already */
    EXPECT_EQ(join(tasks[3]).kind, MOAT_EVENT_RETURN);
}

static void *waits_for_a_byte(void *arg)
{
    char byte;

    if (moat_fd_wait(*(const int *)arg, MOAT_FD_READ, soon()) == MOAT_OK)
        (void)!moat_read(*(const int *)arg, &byte, 1, soon());
    return arg;
}

static void use_pipe(void)
{
    moat_task *task;
    int fds[2];

    pipe_of(fds);
    task = spawn(waits_for_a_byte, &fds[0]);
    (void)moat_sleep(MS / 10);
    (void)!moat_write(fds[1], "x", 1, soon());
    (void)moat_close(fds[1]);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    (void)moat_close(fds[0]);
}

static void use_vectors_at(const int fds[2])
{
    char bytes[] = "vectors";
    struct iovec two[] = {{bytes, 3}, {bytes + 3, 4}};

    if (moat_writev(fds[1], two, 2, soon()) == 7)
        (void)!moat_readv(fds[0], two, 2, soon());
    (void)moat_close(fds[0]);
    (void)moat_close(fds[1]);
}

static void use_vectors(void)
{
    int fds[2];

    pipe_of(fds);
    use_vectors_at(fds);
    pair_of(fds);
    use_vectors_at(fds);
}

/* The kernel may drop datagrams, so no wait here is long. */
static void use_datagrams(void)
{
    char bytes[8];
    int fds[2];

    REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
    if (moat_sendto(fds[0], "x", 1, 0, NULL, 0, soon()) == 1)
        (void)!moat_recvfrom(fds[1], bytes, 8, 0, NULL, NULL, soon());
    (void)!moat_recvfrom(fds[1], bytes, 8, 0, NULL, NULL, moat_now() + MS / 10);
    (void)moat_close(fds[0]);
    (void)moat_close(fds[1]);
}

static void *all(void *arg)
{
    atomic_store(&armed, true);
    use_tcp();
    use_pipe();
    use_vectors();
    use_datagrams();
    atomic_store(&armed, false);
    return arg;
}

/* ---- Processes and signals ----------------------------------------------- */

static int hold[2]; /* a child lives until the second end is closed */

static pid_t start_child(void)
{
    pid_t pid = fork();
    char byte;

    if (pid == 0) {
        (void)__real_close(hold[1]);
        (void)!__real_read(hold[0], &byte, 1);
        _exit(3);
    }
    return pid;
}

/* The second wait meets no failure any more. */
static void *waits_for_child(void *arg)
{
    pid_t pid = (pid_t)(intptr_t)arg;
    int status = 0;

    if (moat_child_wait(pid, soon(), &status) != MOAT_OK)
        EXPECT_EQ(moat_child_wait(pid, soon(), &status), MOAT_OK);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    return arg;
}

static void *waits_for_signal(void *arg)
{
    const int wanted = SIGUSR1;
    int taken = 0;

    if (moat_signal_wait(&wanted, 1, soon(), &taken) != MOAT_OK)
        EXPECT_EQ(moat_signal_wait(&wanted, 1, soon(), &taken), MOAT_OK);
    EXPECT_EQ(taken, SIGUSR1);
    return arg;
}

static void *all_events(void *arg)
{
    moat_task *child, *signalled;
    pid_t pid;

    REQUIRE(pipe2(hold, O_CLOEXEC) == 0);
    pid = start_child();
    REQUIRE(pid > 0);
    atomic_store(&armed, true);
    child = spawn(waits_for_child, (void *)(intptr_t)pid);
    signalled = spawn(waits_for_signal, NULL);
    (void)moat_sleep(MS / 10);
    (void)__real_close(hold[0]);
    (void)__real_close(hold[1]);
    EXPECT_EQ(kill(getpid(), SIGUSR1), 0);
    EXPECT_EQ(join(child).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(join(signalled).kind, MOAT_EVENT_RETURN);
    atomic_store(&armed, false);
    return arg;
}

/* ---- The tries ----------------------------------------------------------- */

static moat_task_fn play;
static void (*try_one)(void);

static void try_run(void)
{
    int before = open_descriptors();
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    moat_sched_stats stats;
    uint64_t begun = moat_now();

    calls = 0;
    stats = run_with(MOAT_CLOCK_REAL, play, NULL, &result);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.deadlocks, 0);
    EXPECT_EQ(stats.trapped, 0);
    expect_descriptors(before);
    /* None has waited until it was too late. */
    EXPECT(moat_now() - begun < 60000 * MS);
}

static void try_all(const struct victim *victim)
{
    target = victim->name;
    for (int i = 0; i < ERRORS && victim->errors[i] != 0; i++) {
        long count = 1, seen;

        target_error = victim->errors[i];
        for (fails_at = 1; fails_at <= count; fails_at++) {
            expect_context("%s fails with %d at %ld", target, target_error,
                           fails_at);
            try_one();
            seen = calls;
            count = seen < 40 ? seen : 40;
        }
    }
}

/* It depends on the order of events whether there are calls of these. */
static bool is_rare(const char *name)
{
    return strncmp(name, "epoll_", 6) == 0 || strcmp(name, "write") == 0 ||
           strcmp(name, "pthread_create") == 0;
}

static void *uses_a_pipe(void *arg)
{
    int fds[2];

    pipe_of(fds);
    (void)!moat_write(fds[1], "x", 1, soon());
    (void)moat_close(fds[0]);
    (void)moat_close(fds[1]);
    return arg;
}

static void counts_down(void *arg, const moat_result *result)
{
    EXPECT_EQ(result->kind, MOAT_EVENT_RETURN);
    --*(int *)arg;
}

/* A run that the host drives: it cannot be opened, or all goes well. */
static void try_driven(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    int before = open_descriptors(), left = 0;
    uint64_t next = 0;
    moat_sched *sched;
    moat_status status;

    options.report_fd = -1;
    calls = 0;
    atomic_store(&armed, true);
    status = moat_sched_open(&options, &sched);
    if (status == MOAT_OK) {
        EXPECT_EQ(moat_sched_spawn(sched, uses_a_pipe, &left, NULL, counts_down,
                                   NULL),
                  MOAT_OK);
        for (left = 1; left != 0 && next != NEVER;)
            EXPECT_EQ(moat_sched_round(sched, &next), MOAT_OK);
        EXPECT_EQ(left, 0);
        EXPECT_EQ(moat_sched_close(sched), MOAT_OK);
    } else {
        EXPECT(calls >= fails_at);
        EXPECT_EQ(status,
                  target_error == ENOMEM ? MOAT_E_NOMEM : MOAT_E_SYSTEM);
        EXPECT(status == MOAT_E_NOMEM || errno == target_error);
    }
    atomic_store(&armed, false);
    expect_descriptors(before);
}

/* Each function's calls, after a play in which none fails. */
static void try_table(const struct victim *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        target = table[i].name;
        fails_at = 0;
        try_one();
        expect_context("%s", target);
        EXPECT(calls > 0 || is_rare(target));
        try_all(&table[i]);
    }
}

static void each_call_fails_once(const void *arg)
{
    (void)arg;
    play = all;
    try_one = try_run;
    try_table(victims, sizeof victims / sizeof victims[0]);
}

static void each_call_of_an_event_fails_once(const void *arg)
{
    sigset_t signals;

    (void)arg;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGUSR1);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    play = all_events;
    try_one = try_run;
    try_table(event_victims, sizeof event_victims / sizeof event_victims[0]);
}

static void each_call_of_an_opening_fails_once(const void *arg)
{
    (void)arg;
    try_one = try_driven;
    try_table(opening_victims,
              sizeof opening_victims / sizeof opening_victims[0]);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(each_call_fails_once),
        CHILD_CASE(each_call_of_an_opening_fails_once),
        CHILD_CASE(each_call_of_an_event_fails_once),
    };

    return child_cases_run("sched.io_failures", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
