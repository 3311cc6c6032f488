/*
 * alarm.h: the timer of a thread, and the words that the files around limits
 * share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_ALARM_H
#define MOAT_TRAP_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/status.h>

#include "sys/clock.h"
#include "sys/timer.h"
#include "trap/coroutine.h"

struct moat_aside;

/* The state of watch.c, which explains the words. */
struct moat_watch {
    volatile bool on;        /* inline resumes are allowed                    */
    volatile bool entering;  /* a resume that is not inline is on its way, or
                                has not come back                             */
    volatile unsigned looks; /* at as many more signals one may be on its way */
    unsigned class;          /* chosen by the shortest limit                  */
    unsigned longer;         /* looks since then that had a longer one        */
    struct co *volatile stamped; /* entered at stamped_at; NULL: nothing is
                                    known                                    */
    volatile uint64_t stamped_at, stamped_cpu;
    volatile uint64_t fuel; /* so many resumes between two looks, 1 or more   */
    uint64_t looked_at;
    uint64_t setting_ns; /* what a setting of the timer takes                */
};

/* Until it was measured. */
#define MOAT_WATCH_SETTING_NS 500u

/* Small words first: a program has few bytes for the thread-local variables of
 * libraries that it loads. */
struct moat_alarm {
    bool has_timer;
    bool was_blocked;        /* the signal was, before the timer was made    */
    volatile bool handling;  /* the handler of its signal runs ...           */
    volatile bool missed;    /* ... and was interrupted by another           */
    unsigned waited;         /* signals in a row that found a resume half
                                done                                         */
    volatile unsigned fired; /* how often it has, modulo 2^32                */
    int task;                /* that the timer signals                       */
    uint64_t own_fuel; /* for moat_tls.fuel if the system cannot clear words */
    struct moat_timer timer;
    volatile uint64_t armed_at; /* what the timer is set for; it may fire
                                   earlier, not later                     */
    struct moat_aside *volatile asides; /* innermost first                   */
    struct moat_watch watch;
    struct moat_limit_passed passed; /* the limit found last                 */
};

/* Thread-local; the handler of the same thread is the only other reader. */
extern __thread struct moat_alarm moat_alarm
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A trap record's limit is the one that was found to have passed. */
static inline void moat_alarm_note(struct moat_trap_record *record)
{
    record->passed = moat_alarm.passed;
}

/* The signal that the timers send; 0: limits are not possible. */
void moat_alarm_use_signal(int signo);

/* Makes the thread's timer, unless it has one. MOAT_E_SYSTEM with EINVAL also
 * in a process that shares the thread's memory (task.h): the timer is not its
 * own, and one of its own would replace the thread's. */
moat_status moat_alarm_make(void);

/* Returns whether a child of a raw fork system call takes the words here for
 * its own, as the system cannot clear words. If there is a timer. */
bool moat_alarm_survives_fork(void);

/* Unblocks the signal of this thread's timer, if it has one. */
void moat_alarm_unblock(void);

/* Sets the timer. False: it is gone, as in a child of a raw fork system call.
 * Signal-safe: yes. */
bool moat_alarm_set(uint64_t at);

/* Sets the timer; makes another one if it is gone. */
moat_status moat_alarm_set_surely(uint64_t at);

/* In the timer's handler: the next signals come to the thread of the crew that
 * runs, without another one passing them on. */
void moat_alarm_follow(void);

/* Frees this thread's timer. */
void moat_alarm_end(void);

/* In a forked child, which inherits no timer. */
void moat_alarm_after_fork(void);

#endif
