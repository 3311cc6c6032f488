/*
 * epoll.c: a scheduler with epoll, in a hundred lines, whose tasks may crash.
 *
 * Shows: coroutines that yield until a descriptor is ready; the loop that
 * resumes them; what to do about one that traps.
 * Run: build/debug/examples/epoll
 * Prints: what the clients get and the server logs (expected/epoll.txt).
 * Try: a task that writes more than a socket takes at once (EPOLLOUT).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <moat/moat.h>

struct task {
    moat_co *co;
    void (*fn)(struct task *task);
    int fd; /* what it waits for; closed at its end */
};

static int loop;        /* epoll's descriptor */
static int tasks_alive; /* the loop ends with the last */
static struct sockaddr_in address;

static void check(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* ---- What tasks call ---- */

static void wait_for(struct task *task, uint32_t events)
{
    struct epoll_event event = {events | EPOLLONESHOT, {.ptr = task}};

    if (epoll_ctl(loop, EPOLL_CTL_MOD, task->fd, &event) != 0)
        check(epoll_ctl(loop, EPOLL_CTL_ADD, task->fd, &event) == 0, "epoll");
    (void)moat_co_yield(task->co, NULL);
}

static ssize_t receive(struct task *task, char *bytes, size_t size)
{
    for (;;) {
        ssize_t got = recv(task->fd, bytes, size, MSG_DONTWAIT);

        if (got >= 0 || errno != EAGAIN)
            return got;
        wait_for(task, EPOLLIN);
    }
}

/* ---- The scheduler ---- */

static void *enter(moat_co *self, void *input)
{
    struct task *task = input;

    (void)self;
    task->fn(task);
    return NULL;
}

/* Runs a task until it waits or ends. */
static void run(struct task *task)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;

    check(moat_co_resume(task->co, task, &event) == MOAT_OK, "resume");
    if (event.kind == MOAT_EVENT_YIELD)
        return;
    if (moat_co_trap_info(task->co, &trap) == MOAT_OK)
        printf("a task ends: %s\n", moat_trap_kind_str(trap.kind));
    moat_co_destroy(task->co);
    close(task->fd);
    free(task);
    tasks_alive--;
}

static void start(void (*fn)(struct task *task), int fd)
{
    struct task *task = malloc(sizeof *task);
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    check(task != NULL && fd >= 0, "start");
    limits.resume_cpu_ns = 100000000; /* 100 ms from one wait to the next */
    options.limits = &limits;
    task->fn = fn;
    task->fd = fd;
    check(moat_co_create(&task->co, enter, &options) == MOAT_OK, "create");
    tasks_alive++;
    run(task);
}

/* The listener has no task: its event carries none. */
static void run_all(int listener, void (*serve)(struct task *task))
{
    struct epoll_event events[16];

    while (tasks_alive > 0) {
        int count = epoll_wait(loop, events, 16, -1);

        check(count >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr != NULL)
                run(events[i].data.ptr);
            else
                start(serve, accept(listener, NULL, NULL));
    }
}

/* ---- A server with two bugs, and its clients ---- */

static volatile bool patient = true;

static void serve(struct task *task)
{
    char text[64];
    ssize_t got;

    while ((got = receive(task, text, sizeof text)) > 0) {
        if (text[0] == '!')
            *(volatile char *)NULL = '!';
        while (text[0] == '?' && patient)
            continue;
        check(send(task->fd, text, (size_t)got, MSG_NOSIGNAL) > 0, "send");
    }
}

static void talk(struct task *task, const char *text)
{
    char answer[64];
    ssize_t got;

    check(send(task->fd, text, strlen(text), MSG_NOSIGNAL) > 0, "send");
    got = receive(task, answer, sizeof answer);
    if (got > 0)
        printf("%s: %.*s\n", text, (int)got, answer);
    else
        printf("%s: the server has hung up\n", text);
}

static void say_hello(struct task *task)
{
    talk(task, "hello");
    talk(task, "goodbye");
}

static void say_help(struct task *task)
{
    talk(task, "!");
}

static void say_what(struct task *task)
{
    talk(task, "?");
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0,
          "connect");
    return fd;
}

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = sizeof address;
    struct epoll_event event = {EPOLLIN, {.ptr = NULL}};

    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    loop = epoll_create1(0);
    check(bind(listener, (struct sockaddr *)&address, length) == 0 &&
              listen(listener, 8) == 0 &&
              getsockname(listener, (struct sockaddr *)&address, &length) == 0,
          "listen");
    check(epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event) == 0, "epoll");
    start(say_help, dial());
    run_all(listener, serve);
    start(say_what, dial());
    run_all(listener, serve);
    start(say_hello, dial());
    run_all(listener, serve);
    return 0;
}
