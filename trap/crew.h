/*
 * crew.h: what of a thread is the kernel's, where guests have threads of their
 * own (switch/carrier.h). With the other backends there is nothing to do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_CREW_H
#define MOAT_TRAP_CREW_H

#include <signal.h>
#include <stdbool.h>

#include <moat/status.h>

#include "switch/switch.h"
#include "sys/clock.h"

#if MOAT_SWITCH_CREWS
/* Gives this thread a crew. The alternate stack is attached, and the thread is
 * noted. MOAT_E_UNSUPPORTED: another copy of the library has attached it. */
moat_status moat_crew_attach(void);

/* Returns whether the signal, that of the deadlines, is another thread's of the
 * crew, which receives it next. Touches no errno. Signal-safe: yes. */
bool moat_crew_has_passed_on(int signo, siginfo_t *info);
#else
static inline moat_status moat_crew_attach(void)
{
    return MOAT_OK;
}

static inline void moat_crew_come_home(void)
{
}

static inline void moat_crew_end(void)
{
}

static inline void moat_crew_after_fork(void)
{
}

static inline uint64_t moat_crew_cpu_ns(void)
{
    return moat_clock_cpu_ns();
}

static inline void moat_crew_let_in(int signo)
{
    (void)signo;
}

static inline bool moat_crew_has_passed_on(int signo, siginfo_t *info)
{
    (void)signo;
    (void)info;
    return false;
}
#endif

#endif
