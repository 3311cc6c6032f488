/*
 * carrier.h: the threads on which the guests of one thread run.
 *
 * A carrier has a kernel's thread of its own, but the thread pointer of its
 * owner: the thread that attached. Of the owner and its carriers, its crew, one
 * runs at a time. So the thread-locals of the program, of the C library and of
 * this one are the owner's, whoever runs. What the kernel keeps for a thread is
 * the carrier's: its number, signal mask, alternate stack, CPU time.
 *
 * Each waits on a stack of its own, its base, never on one that the switch
 * belongs to: those may be freed, or begun anew, while it waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_CARRIER_H
#define MOAT_SWITCH_CARRIER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include <moat/status.h>

struct moat_crew;
struct moat_point;

/* Room for the words of a thread that floors below this one keep. */
#define MOAT_CARRIER_WORDS 16

/* What those floors do. None may fail but `begin`. */
struct moat_carrier_duties {
    /* The running thread of the crew passes its place on: stores its words in
     * `from` and loads those of `to`. */
    void (*pass)(uintptr_t *from, const uintptr_t *to);
    /* On a new carrier, while the one that runs waits: makes its words. */
    bool (*begin)(uintptr_t *words);
    /* The last act of a carrier, likewise. */
    void (*end)(const uintptr_t *words);
    /* In a forked child. */
    void (*forked)(void);
};

struct moat_carrier {
    struct moat_carrier *next; /* of the crew                                */
    struct moat_carrier *idle; /* the next one without a guest               */
    struct moat_crew *crew;
    atomic_uint word; /* not 0: it runs                                      */
    atomic_uint made; /* 1: it waits; 2: it could not be made                */
    atomic_int task;  /* the kernel's number; 0: it has ended                */
    bool ends;
    bool ran;     /* since its CPU time was read                             */
    uint64_t cpu; /* as it was read                                          */

    /* What it does when it comes to its base: lets `to` continue. */
    bool departs;
    const ucontext_t *to;
    struct moat_carrier *by;     /* there; NULL: any that is free            */
    struct moat_point *waits_at; /* it continues there; NULL: it is free     */
    bool waits_in_guest;         /* that is a guest's, which is suspended    */

    ucontext_t base;
    const ucontext_t *goes_to;
    uintptr_t words[MOAT_CARRIER_WORDS];
};

struct moat_crew {
    struct moat_carrier own; /* the owner                                    */
    struct moat_carrier *running;
    struct moat_carrier *all, *idle;
    struct moat_carrier *victim; /* the last that lost its guest             */
    size_t count;
    uint64_t serial; /* never reused; another one in a forked child          */
    const struct moat_carrier_duties *duties;
};

/* Of this thread; NULL: it is not attached. */
extern __thread struct moat_crew *moat_crew
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Makes the crew of this thread, without carriers; ends it. It does not matter
 * which of the crew calls: the owner returns. */
moat_status moat_crew_make(const struct moat_carrier_duties *duties);
void moat_crew_end(void);

/* Returns the crew of this thread, which is attached. In a forked child it has
 * been told of that. */
struct moat_crew *moat_crew_of_process(void);

/* Lets the owner continue in place of the carrier that runs. */
void moat_crew_come_home(void);

/* In a forked child: the thread that runs is the only one. */
void moat_crew_after_fork(void);

/* Returns the CPU time of the whole crew, or of this thread if it has none.
 * Signal-safe: yes. */
uint64_t moat_crew_cpu_ns(void);

/* The thread that runs is woken by this signal while it waits, for
 * moat_crew_pass_on. */
void moat_crew_let_in(int signo);

/* Returns whether a waiting thread of the crew has received the signal, and
 * passes it on to the one that runs. `running` is the number of that one; 0:
 * none does. Uses no thread-locals. Signal-safe: yes. */
bool moat_crew_pass_on(int running, int signo, siginfo_t *info);

#endif
