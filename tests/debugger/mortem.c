/*
 * mortem.c: writes guest.core, the core file of one guest, and continues.
 *
 *   mortem nested    a guest's guest traps, while others wait, are done or have
 *                    trapped; the guest that resumed it writes
 *   mortem overflow  a stack overflow
 *   mortem nowhere   a jump to an invalid address
 *   mortem returned  the function that resumed has returned
 *   mortem slow      there is a time limit: the resume is not inline
 *   mortem far       the library's function resumes, not the header's
 *   mortem many      10,000 others wait
 *   mortem called    a host call of the guest's faults
 *
 * With a second argument it also prints the program counters that
 * moat_co_backtrace finds, a line each.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/frame.h"
#include "../support/resume_far.h"

#define MANY       10000
#define MAX_FRAMES 4096

static int *volatile nowhere;
static bool prints;

static moat_co *make(const char *name, moat_entry entry, uint64_t cpu_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.resume_cpu_ns = cpu_ns;
    options.name = name;
    options.stack_bytes = (size_t)64 << 10;
    if (cpu_ns != 0)
        options.limits = &limits;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        exit(2);
    return co;
}

/* --- guests -------------------------------------------------------------- */

FRAME static void wait_for(moat_co *self, int order)
{
    int waiting = order;

    (void)moat_co_yield(self, &waiting);
    KEEP_FRAME();
}

static void *waiter(moat_co *self, void *input)
{
    wait_for(self, 7);
    return input;
}

static void *returner(moat_co *self, void *input)
{
    (void)self;
    return input;
}

FRAME static void store(int *where, int value)
{
    *where = value;
}

static void *breaker(moat_co *self, void *input)
{
    (void)self;
    store(nowhere, 42);
    KEEP_FRAME();
    return input;
}

FRAME static int descend(int depth)
{
    volatile char room[64];

    room[depth % 64] = 1;
    return depth == 0 ? 0 : descend(depth + 1) + room[depth % 64];
}

static void *descender(moat_co *self, void *input)
{
    (void)self;
    return descend(1) == 0 ? NULL : input;
}

static void *jumper(moat_co *self, void *input)
{
    void (*volatile nothing)(void) = NULL;

    (void)self;
    nothing();
    KEEP_FRAME();
    return input;
}

static void *faulty(void *arg)
{
    store(nowhere, 42);
    KEEP_FRAME();
    return arg;
}

static void *asker(moat_co *self, void *input)
{
    input = moat_call_for_guest(self, faulty, NULL, input);
    KEEP_FRAME();
    return input;
}

/* --- the core ------------------------------------------------------------ */

static void print_frames(const moat_co *co)
{
    static moat_frame frames[MAX_FRAMES];
    size_t count;

    if (!prints)
        return;
    if (moat_co_backtrace(co, frames, MAX_FRAMES, &count) != MOAT_OK)
        exit(3);
    for (size_t i = 0; i < count; i++)
        printf("0x%" PRIxPTR "\n", frames[i].pc);
}

FRAME static void post_mortem(moat_co *co)
{
    int fd = open("guest.core", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (moat_co_write_core(co, fd) != MOAT_OK)
        exit(4);
    (void)close(fd);
    KEEP_FRAME();
}

FRAME static void supervise(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK)
        exit(5);
    if (event.kind == MOAT_EVENT_TRAP) {
        post_mortem(co);
        print_frames(co);
    }
    KEEP_FRAME();
}

FRAME static void supervise_far(moat_co *co)
{
    moat_event event;

    if (resume_far(co, NULL, &event) != MOAT_OK)
        exit(5);
    post_mortem(co);
    print_frames(co);
    KEEP_FRAME();
}

FRAME static void run(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK)
        exit(6);
    KEEP_FRAME();
}

/* --- scenes -------------------------------------------------------------- */

static void *supervisor(moat_co *self, void *input)
{
    (void)self;
    supervise(make("broken", breaker, 0));
    KEEP_FRAME();
    return input;
}

static void *middle(moat_co *self, void *input)
{
    (void)self;
    run(make("supervisor", supervisor, 0));
    KEEP_FRAME();
    return input;
}

static void nested(void)
{
    (void)make("fresh", returner, 0);
    run(make("waiting", waiter, 0));
    run(make("done", returner, 0));
    run(make("jumper", jumper, 0));
    run(make("middle", middle, 0));
    KEEP_FRAME();
}

static void overflow(void)
{
    supervise(make("descender", descender, 0));
    KEEP_FRAME();
}

static void nowhere_to_go(void)
{
    supervise(make("jumper", jumper, 0));
    KEEP_FRAME();
}

static void returned(void)
{
    moat_co *co = make("broken", breaker, 0);

    run(co);
    post_mortem(co);
    print_frames(co);
    KEEP_FRAME();
}

static void slow(void)
{
    supervise(make("broken", breaker, UINT64_C(1000000000)));
    KEEP_FRAME();
}

static void far(void)
{
    supervise_far(make("broken", breaker, 0));
    KEEP_FRAME();
}

static void many(void)
{
    char name[16];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "worker%d", i + 1);
        run(make(name, waiter, 0));
    }
    supervise(make("broken", breaker, 0));
    KEEP_FRAME();
}

static void called(void)
{
    supervise(make("asker", asker, 0));
    KEEP_FRAME();
}

static const struct {
    const char *name;
    void (*run)(void);
} scenes[] = {
    {"nested", nested},     {"overflow", overflow}, {"nowhere", nowhere_to_go},
    {"returned", returned}, {"slow", slow},         {"far", far},
    {"many", many},         {"called", called}};

int main(int argc, char **argv)
{
    prints = argc > 2;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        if (argc > 1 && strcmp(argv[1], scenes[i].name) == 0) {
            scenes[i].run();
            return 0;
        }
    }
    fprintf(stderr, "usage: mortem SCENE\n");
    return 2;
}
