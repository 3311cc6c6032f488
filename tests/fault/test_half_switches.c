/*
 * test_half_switches.c: time slices that end at each instruction of a yield or
 * a transfer. The next resume comes from elsewhere, so whatever the switch had
 * loaded of the last one is stale.
 *
 * SPDX-License-Identifier: MIT
 */
#include <alloca.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#define US        UINT64_C(1000)
#define SLICE_NS  (1000 * US)
#define TRAP_FLAG 0x100
#define MOST      400 /* instructions of a switch                           */
#define ROUNDS    200 /* switches after which the thread's timer watches    */

int __real_timer_create(clockid_t clock, struct sigevent *event,
                        timer_t *timer);
int __wrap_timer_create(clockid_t clock, struct sigevent *event,
                        timer_t *timer);

static struct sigevent timers; /* what the library's timer sends */

int __wrap_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
    timers = *event;
    return __real_timer_create(clock, event, timer);
}

/* The library's functions, not the inline ones. */
void *outline_yield(moat_co *self, void *value) __asm__("moat_co_yield");
moat_status outline_switch_to(moat_co *self, moat_co *other, void *value,
                              void **input) __asm__("moat_co_switch_to");

/* ---- The slice's end ---- */

static moat_co *stepped, *partner;
static volatile bool steps_now;
static volatile unsigned steps, wanted;

/* As the timer does. Blocked until the handler that calls it returns. */
static void fire(void)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    info.si_signo = timers.sigev_signo;
    info.si_code = SI_TIMER;
    info.si_value = timers.sigev_value;
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
                  info.si_signo, &info);
}

static void spin(uint64_t ns)
{
    uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        continue;
}

/* The first signal starts the guest's clock, the second one finds its slice
 * over. */
static void on_step(int signo, siginfo_t *info, void *ucontext)
{
    greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

    (void)signo;
    (void)info;
    if (moat_co_current() == stepped && ++steps < wanted) {
        if (steps == 1)
            fire();
        return;
    }
    g[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    if (moat_co_current() != stepped || steps != wanted)
        return;
    spin(SLICE_NS * 5 / 4);
    fire();
}

static void step_from_here(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
                     "pushfq\n\t"
                     "orq %0, (%%rsp)\n\t"
                     "popfq\n\t"
                     "lea 128(%%rsp), %%rsp"
                     :
                     : "i"(TRAP_FLAG)
                     : "memory", "cc");
}

/* ---- The switches ---- */

static char marks[4];

static void yield_inline(moat_co *self)
{
    EXPECT(moat_co_yield(self, marks) == marks + 1);
}

static void yield_out_of_line(moat_co *self)
{
    EXPECT(outline_yield(self, marks) == marks + 1);
}

static void transfer_inline(moat_co *self)
{
    void *input = NULL;

    EXPECT_EQ(moat_co_switch_to(self, partner, marks, &input), MOAT_OK);
    EXPECT(input == marks + 1);
}

static void transfer_out_of_line(moat_co *self)
{
    void *input = NULL;

    EXPECT_EQ(outline_switch_to(self, partner, marks, &input), MOAT_OK);
    EXPECT(input == marks + 1);
}

static void (*leave)(moat_co *self);

static void *leave_again_and_again(moat_co *self, void *input)
{
    for (;;) {
        while (!steps_now)
            input = outline_yield(self, input);
        steps = 0;
        step_from_here();
        leave(self);
    }
    return input;
}

static void *pass_on(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return input;
}

/* ---- The resumer ---- */

/* A frame of so many bytes, of which none may change. */
static __attribute__((noinline)) moat_event resume_from(moat_co *co,
                                                        void *input, size_t at)
{
    volatile unsigned char *frame = alloca(at);
    moat_event event;
    size_t whole = 0;

    for (size_t i = 0; i < at; i++)
        frame[i] = (unsigned char)i;
    event = guest_resume(co, input);
    while (whole < at && frame[whole] == (unsigned char)whole)
        whole++;
    EXPECT_EQ(whole, at);
    return event;
}

/* Returns whether there may be so many instructions. On a slow machine the
 * slice may end before its time has been spun away. */
static bool leave_and_come_back(unsigned step)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    bool early = false, reached;

    for (unsigned i = 0; i < ROUNDS || event.kind != MOAT_EVENT_YIELD; i++)
        event = guest_resume(stepped, marks + 2);
    steps_now = true;
    wanted = step;
    event = resume_from(stepped, marks + 1, 700);
    for (size_t at = 100; event.kind == MOAT_EVENT_PREEMPT; at += 1000) {
        early = early || steps < step;
        wanted = 0;
        event = resume_from(stepped, marks + 3, at);
    }
    reached = steps >= step;
    steps_now = false;
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    EXPECT(event.value == marks && moat_co_current() == NULL);
    EXPECT_EQ(moat_co_get_state(stepped), MOAT_CO_SUSPENDED);
    event = guest_resume(stepped, marks + 1);
    while (event.kind == MOAT_EVENT_PREEMPT)
        event = guest_resume(stepped, marks + 3);
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    return early || reached;
}

static void a_slice_may_end_anywhere_in_it(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    struct sigaction action;
    unsigned step = 2;

    memcpy(&leave, arg, sizeof leave);
    limits.slice_ns = SLICE_NS;
    options.limits = &limits;
    partner = guest_create(pass_on);
    EXPECT_EQ(guest_resume(partner, NULL).kind, MOAT_EVENT_YIELD);
    REQUIRE(moat_co_create(&stepped, leave_again_and_again, &options) ==
            MOAT_OK);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    (void)sigfillset(&action.sa_mask);
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    while (step < MOST && expect_failures() == 0 && leave_and_come_back(step))
        step++;
    (void)dprintf(STDOUT_FILENO, "%u instructions\n", step);
    EXPECT(step > 10);
    moat_co_destroy(stepped);
    moat_co_destroy(partner);
}

static void (*const switches[])(moat_co *) = {
    yield_inline, yield_out_of_line, transfer_inline, transfer_out_of_line};

#define CASE(name, i)                                       \
    {                                                       \
        name, a_slice_may_end_anywhere_in_it, &switches[i], \
            UNDER_TSAN ? "signals are delayed" : NULL, 0, 0 \
    }

static const struct child_case cases[] = {
    CASE("an inline yield", 0),
    CASE("a yield", 1),
    CASE("an inline transfer", 2),
    CASE("a transfer", 3),
};

int main(int argc, char **argv)
{
    return child_cases_run("half_switches", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
