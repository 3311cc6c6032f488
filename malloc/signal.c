/*
 * signal.c: signals to the own process. A guest that sends one traps: the
 * signal's action would end the host, or is for the host alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/libc_call.h"
#include "malloc/real.h"

static void trap(int signo)
{
    moat_trap_raise_as(signo == SIGABRT ? MOAT_TRAP_ABORT : MOAT_TRAP_SIGNAL,
                       signo == SIGABRT ? 0 : signo);
}

/* Signal 0 only asks whether the process is there. */
static bool is_of_guest(int signo)
{
    return signo != 0 && moat_libc_is_guest();
}

static bool reaches_us(pid_t pid)
{
    return pid == 0 || pid == -1 || pid == getpid() || pid == -getpgrp();
}

MOAT_API int raise(int signo)
{
    MOAT_REAL real = {"raise", NULL};
    int (*function)(int);

    if (is_of_guest(signo))
        trap(signo);
    moat_real_get(&real, &function);
    return function(signo);
}

MOAT_API int gsignal(int signo)
{
    return raise(signo);
}

MOAT_API int kill(pid_t pid, int signo)
{
    MOAT_REAL real = {"kill", NULL};
    int (*function)(pid_t, int);

    if (is_of_guest(signo) && reaches_us(pid))
        trap(signo);
    moat_real_get(&real, &function);
    return function(pid, signo);
}

MOAT_API int killpg(pid_t group, int signo)
{
    MOAT_REAL real = {"killpg", NULL};
    int (*function)(pid_t, int);

    if (is_of_guest(signo) && (group == 0 || group == getpgrp()))
        trap(signo);
    moat_real_get(&real, &function);
    return function(group, signo);
}

MOAT_API int sigqueue(pid_t pid, int signo, const union sigval value)
{
    MOAT_REAL real = {"sigqueue", NULL};
    int (*function)(pid_t, int, union sigval);

    if (is_of_guest(signo) && reaches_us(pid))
        trap(signo);
    moat_real_get(&real, &function);
    return function(pid, signo, value);
}

MOAT_API int tgkill(pid_t pid, pid_t tid, int signo)
{
    MOAT_REAL real = {"tgkill", NULL};
    int (*function)(pid_t, pid_t, int);

    if (is_of_guest(signo) && reaches_us(pid))
        trap(signo);
    moat_real_get(&real, &function);
    return function(pid, tid, signo);
}

/* Each thread is one of the host's. */
MOAT_API int pthread_kill(pthread_t thread, int signo)
{
    MOAT_REAL real = {"pthread_kill", NULL};
    int (*function)(pthread_t, int);

    if (is_of_guest(signo))
        trap(signo);
    moat_real_get(&real, &function);
    return function(thread, signo);
}

MOAT_API int pthread_sigqueue(pthread_t thread, int signo,
                              const union sigval value)
{
    MOAT_REAL real = {"pthread_sigqueue", NULL};
    int (*function)(pthread_t, int, union sigval);

    if (is_of_guest(signo))
        trap(signo);
    moat_real_get(&real, &function);
    return function(thread, signo, value);
}

/* --- timers -----------------------------------------------------------------
 *
 * Their signal comes later, when the guest may be gone. With a handler it is
 * harmless. */

static bool would_end_the_host(int signo)
{
    struct sigaction action;

    return moat_libc_is_guest() && sigaction(signo, NULL, &action) == 0 &&
           (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

MOAT_API unsigned alarm(unsigned seconds)
{
    MOAT_REAL real = {"alarm", NULL};
    unsigned (*function)(unsigned);

    if (seconds != 0 && would_end_the_host(SIGALRM))
        trap(SIGALRM);
    moat_real_get(&real, &function);
    return function(seconds);
}

MOAT_API useconds_t ualarm(useconds_t value, useconds_t interval)
{
    MOAT_REAL real = {"ualarm", NULL};
    useconds_t (*function)(useconds_t, useconds_t);

    if (value != 0 && would_end_the_host(SIGALRM))
        trap(SIGALRM);
    moat_real_get(&real, &function);
    return function(value, interval);
}

static int signal_of(int which)
{
    if (which == (int)ITIMER_VIRTUAL)
        return SIGVTALRM;
    return which == (int)ITIMER_PROF ? SIGPROF : SIGALRM;
}

MOAT_API int setitimer(__itimer_which_t which, const struct itimerval *value,
                       struct itimerval *before)
{
    MOAT_REAL real = {"setitimer", NULL};
    int (*function)(int, const struct itimerval *, struct itimerval *);

    if (value != NULL &&
        (value->it_value.tv_sec != 0 || value->it_value.tv_usec != 0) &&
        would_end_the_host(signal_of((int)which)))
        trap(signal_of((int)which));
    moat_real_get(&real, &function);
    return function((int)which, value, before);
}
