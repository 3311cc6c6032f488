/*
 * guests.c: creates, runs and judges the guests of a test.
 *
 * SPDX-License-Identifier: MIT
 */
#include "guests.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/fixture.h"

static moat_co *create(moat_entry entry, const moat_co_options *options)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, options) == MOAT_OK);
    return co;
}

moat_co *guest_create(moat_entry entry)
{
    return create(entry, NULL);
}

moat_co *guest_create_on(moat_entry entry, size_t stack_bytes)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = stack_bytes;
    return create(entry, &options);
}

moat_co *guest_create_limited(moat_entry entry, uint64_t cpu_ns,
                              uint64_t wall_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    limits.resume_cpu_ns = cpu_ns;
    limits.wall_ns = wall_ns;
    options.limits = &limits;
    return create(entry, &options);
}

moat_co *guest_create_accounted(moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.total_wall_ns = 3600000 * MS;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

moat_event guest_resume(moat_co *co, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    EXPECT_EQ(moat_co_resume(co, input, &event), MOAT_OK);
    return event;
}

void guest_expect_trap(moat_co *co, void *input, moat_trap_kind kind)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(guest_resume(co, input).kind, MOAT_EVENT_TRAP);
    REQUIRE(moat_co_get_state(co) == MOAT_CO_TRAPPED);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_STR(moat_trap_kind_name(info.kind), moat_trap_kind_name(kind));
}

char *guest_report(moat_status (*write_to)(const moat_co *, int),
                   const moat_co *co)
{
    int fd = memfd_create("report", MFD_CLOEXEC);
    moat_status status = write_to(co, fd);
    struct stat file;
    char *text;

    if (status == MOAT_E_UNSUPPORTED)
        return NULL;
    EXPECT_EQ(status, MOAT_OK);
    REQUIRE(fstat(fd, &file) == 0 && file.st_size > 0);
    text = calloc(1, (size_t)file.st_size + 1);
    REQUIRE(text != NULL);
    REQUIRE(pread(fd, text, (size_t)file.st_size, 0) == file.st_size);
    (void)close(fd);
    return text;
}

void write_null(void)
{
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
}

void *guest_write_null(moat_co *self, void *input)
{
    (void)self;
    write_null();
    return input;
}

void *guest_loop(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    for (;;)
        __asm__ volatile("pause");
    return NULL;
}

void *guest_echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void spin_until(uint64_t monotonic_ns)
{
    while (clock_ns(CLOCK_MONOTONIC) < monotonic_ns)
        ;
}

bool lose_deadline_signal(void)
{
    const struct timespec two_s = {2, 0};
    sigset_t all, before;
    int signo;

    (void)sigfillset(&all);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
    signo = sigtimedwait(&all, NULL, &two_s);
    REQUIRE(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return signo == SIGRTMAX - 3;
}

int exit_status_of(int child)
{
    int status;

    REQUIRE(child > 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}
