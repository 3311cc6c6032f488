/*
 * internal.h: what the files of the trap layer share, and nobody else sees.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_INTERNAL_H
#define MOAT_TRAP_INTERNAL_H

#include <moat/source.h>

#include "trap/trap.h"

/* Where a fault inside moat_trap_try goes; lies in the frame of the call. */
struct moat_probe {
    moat_co landing;
    sigset_t mask; /* of the thread, before the call */
};

/* Thread-local; the handler of the same thread is the only other reader. */
struct moat_trap_thread {
    bool attached;
    bool softened;            /* armed without SS_AUTODISARM               */
    stack_t alternate;        /* ours, as given to sigaltstack             */
    stack_t former;           /* what was there before                     */
    struct moat_probe *probe; /* of the innermost moat_trap_try            */
    unsigned visiting;        /* grace.c: 1 + the counter that has us in   */
};
extern __thread struct moat_trap_thread moat_trap_thread
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The handler of all signals. */
void moat_trap_on_signal(int signo, siginfo_t *info, void *ucontext);

/* Claims a signal for the running guest and redirects the context to its
 * resumer. False: not a guest's. Signal-safe: yes. */
bool moat_trap_deliver(int signo, siginfo_t *info, void *ucontext);

/* Stops the activation and redirects the context to its resumer; the record is
 * filled in. Signal-safe: yes. */
void moat_trap_land(struct moat_activation *activation, void *ucontext);

/* Where a fault in the innermost no-trap section goes; NULL: nowhere, or there
 * is no section. Signal-safe: yes. */
struct moat_recovery *
moat_trap_recovery(const struct moat_activation *activation);

/* Pure: what kind of trap is it? Signal-safe: yes. */
moat_trap_kind moat_trap_classify(int signo,
                                  const struct moat_arch_fault *fault,
                                  moat_region region, const moat_regs *regs,
                                  const struct moat_slot *slot);

/* policy.c: does the policy let the activation be trapped for this signal?
 * Signal-safe: yes. */
bool moat_policy_allows_fault(const struct moat_activation *activation,
                              const siginfo_t *info, const void *ucontext);

/* chain.c: the handler that was there before. `restart`: interrupted system
 * calls go on whatever that one asked for. */
moat_status moat_chain_install(int signo,
                               void (*handler)(int, siginfo_t *, void *),
                               bool restart);
moat_status moat_chain_check(int signo); /* Signal-safe: yes. */
moat_status moat_chain_remove(int signo);
void moat_chain_call(int signo, siginfo_t *info,
                     void *ucontext); /* Signal-safe: yes. */

/* grace.c: the handler as a visitor of shared data. Enter: false if the thread
 * is one already. Leave: no effect if it is none. Signal-safe: all but the
 * last. */
bool moat_grace_enter(void);
void moat_grace_leave(void);
void moat_grace_wait(void);

/* install.c: the installed source's `fault`; NULL: it has none. Signal-safe:
 * yes. */
bool (*moat_trap_source_fault(void))(void *, void *);

/* Blocks all signals of this thread that code does not bring upon itself. */
void moat_trap_block_async(sigset_t *before);

/* Tells the installed source of a range; serialised by the caller. */
moat_status moat_trap_watch(const moat_source_range *range);
void moat_trap_unwatch(const moat_source_range *range);

/* regions.c: does one repair the fault? Signal-safe: yes. */
bool moat_regions_fix(const siginfo_t *info, const void *ucontext);

/* Is the thread inside a handler that runs on the alternate stack? While one
 * does, the kernel has disarmed that stack (SS_AUTODISARM). Signal-safe: yes.
 */
bool moat_altstack_in_use(const void *ucontext);

/* Makes the kernel arm the alternate stack when the handler returns; arms it
 * now, for a handler that may never return. Signal-safe: yes. */
void moat_altstack_rearm_context(void *ucontext);
void moat_altstack_rearm(void);

#endif
