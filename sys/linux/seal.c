/*
 * seal.c: sealed sections, by the cancellation state and the signal mask of the
 * thread (pthread_setcancelstate(3), pthread_sigmask(3)).
 *
 * All state is thread-local and shared only with this thread's handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/seal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <moat/co.h>

static __thread struct {
    volatile unsigned open;   /* sections of all kinds                       */
    volatile unsigned masked; /* the outermost that blocks signals, and those
                                 inside it                                   */
    volatile unsigned locks;  /* held, or waited for                         */
    volatile uintptr_t stack; /* whose code opened them: a coroutine's, or 0 */
    int cancel_state;         /* before the outermost section                */
    sigset_t mask;            /* before the outermost that blocks signals    */
} sections __attribute__((tls_model("initial-exec")));

/* The signals by which the CPU and a system-call filter answer an instruction.
 * The kernel kills a thread that raises one while it is blocked. */
static const int raised_by_code[] = {SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
                                     SIGTRAP, SIGABRT, SIGSYS};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void block_the_others(sigset_t *before)
{
    sigset_t set;

    (void)sigfillset(&set);
    for (size_t i = 0; i < COUNT(raised_by_code); i++)
        (void)sigdelset(&set, raised_by_code[i]);
    (void)pthread_sigmask(SIG_BLOCK, &set, before);
}

/* Names the stack that the thread is on. */
static uintptr_t this_stack(void)
{
    return (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT) & ~(uintptr_t)1;
}

static void allow_cancellation(void)
{
    int ours;

    (void)pthread_setcancelstate(sections.cancel_state, &ours);
}

/* No section spans a switch: those of another stack were left by a longjmp of
 * the host's, out of a handler. It restores the signal mask if the host wants
 * that, but never the cancellation state. */
static void forget_left_ones(void)
{
    if (sections.open == 0 || sections.stack == this_stack())
        return;
    sections.locks = 0;
    sections.masked = 0;
    sections.open = 0;
    allow_cancellation();
}

void moat_uncancellable_begin(void)
{
    int before;

    forget_left_ones();
    /* First, for a handler that comes in between. */
    if (sections.open == 0)
        sections.stack = this_stack();
    atomic_signal_fence(memory_order_seq_cst);
    if (sections.open++ != 0)
        return;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    sections.cancel_state = before;
}

/* Sections end after what they had changed: a guest that is stopped in between
 * changes it once more. */
void moat_uncancellable_end(void)
{
    if (sections.open == 1)
        allow_cancellation();
    atomic_signal_fence(memory_order_seq_cst);
    sections.open--;
}

/* Bound when the library is loaded: the dynamic linker takes more stack than a
 * guest may have left. */
static int (*const volatile set_type)(int, int *) = pthread_setcanceltype;

int moat_cancellation_defer(void)
{
    int before = PTHREAD_CANCEL_DEFERRED;

    (void)set_type(PTHREAD_CANCEL_DEFERRED, &before);
    return before;
}

void moat_cancellation_restore(int type)
{
    int before;

    (void)set_type(type, &before);
}

/* Until the kernel has written the mask it contains SIGKILL, which no mask
 * does: moat_seal_break then knows that nothing has been blocked yet. */
static void mask_begin(void)
{
    if (sections.masked != 0) {
        sections.masked++;
        return;
    }
    (void)sigfillset(&sections.mask);
    atomic_signal_fence(memory_order_seq_cst);
    sections.masked = 1;
    block_the_others(&sections.mask);
}

void moat_seal(void)
{
    moat_uncancellable_begin();
    if (sections.masked != 0 || MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0)
        mask_begin();
}

void moat_seal_on_any_stack(void)
{
    moat_uncancellable_begin();
    mask_begin();
}

/* Sections that were open before the outermost one that blocks signals do not
 * count in `masked`: when they end it is 0. */
void moat_unseal(void)
{
    if (sections.masked == 1)
        (void)pthread_sigmask(SIG_SETMASK, &sections.mask, NULL);
    if (sections.masked != 0)
        sections.masked--;
    moat_uncancellable_end();
}

void moat_seal_note_lock(void)
{
    sections.locks++;
}

void moat_seal_note_unlock(void)
{
    sections.locks--;
}

bool moat_seal_locks_held(void)
{
    return sections.locks != 0 && sections.stack == this_stack();
}

bool moat_seal_break(uint64_t *mask)
{
    bool known =
        sections.masked != 0 && sigismember(&sections.mask, SIGKILL) == 0;

    sections.masked = 0;
    if (known)
        memcpy(mask, &sections.mask, sizeof *mask);
    return known;
}

bool moat_seal_landed(void)
{
    if (sections.open == 0)
        return false;
    sections.open = 0;
    allow_cancellation();
    return true;
}
