/*
 * sliced.c: a guest whose time slice has ended in the middle of a function.
 *
 *   sliced live    the host stops, with a SIGQUIT to its own thread
 *   sliced mortem  another guest traps; its core file is guest.core
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/frame.h"

static volatile unsigned long laps;
static int *volatile nowhere;

FRAME static void stop(void)
{
    (void)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
    KEEP_FRAME();
}

FRAME static void work(int order)
{
    for (;;)
        laps += (unsigned)order;
}

static void *worker(moat_co *self, void *input)
{
    (void)self;
    work(7);
    KEEP_FRAME();
    return input;
}

static void *breaker(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 42;
    return input;
}

static moat_co *make(const char *name, moat_entry entry, uint64_t slice_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.slice_ns = slice_ns;
    options.limits = &limits;
    options.name = name;
    options.stack_bytes = (size_t)64 << 10;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        exit(2);
    return co;
}

FRAME static void run(moat_co *co, moat_event_kind expected)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK || event.kind != expected)
        exit(3);
    KEEP_FRAME();
}

static void post_mortem(moat_co *co)
{
    int fd = open("guest.core", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (moat_co_write_core(co, fd) != MOAT_OK)
        exit(4);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    moat_co *broken;

    run(make("worker", worker, 1000000), MOAT_EVENT_PREEMPT);
    if (argc > 1 && strcmp(argv[1], "live") == 0) {
        stop();
        return 0;
    }
    broken = make("broken", breaker, 0);
    run(broken, MOAT_EVENT_TRAP);
    post_mortem(broken);
    return 0;
}
