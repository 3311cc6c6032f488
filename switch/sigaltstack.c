/*
 * sigaltstack.c: the backend of _setjmp and _longjmp.
 *
 * Neither can begin on another stack. A signal handler can: the kernel calls it
 * on the alternate stack, which is the coroutine's for that moment. There it
 * stores a buffer and returns, and a jump to that buffer comes back to its
 * frame, on the coroutine's stack and outside the handler. Nothing has run on
 * that stack in between.
 *
 * No other signal is delivered meanwhile, and the thread's alternate stack and
 * mask are restored. The signal is moat's until the engine is shut down.
 *
 * _FORTIFY_SOURCE would have each jump checked: it must lead up the same stack.
 *
 * SPDX-License-Identifier: MIT
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "arch/arch.h"
#include "switch/sigaltstack.h"

/* Hardly a program uses the timer that sends it, debuggers pass it on, and as
 * it is not a real-time signal there is always room for one. */
#define ENTRY_SIGNAL SIGVTALRM

/* Of a handler, and of the words at the end of each stack. */
#define ENTRY_BYTES ((size_t)512)

struct entry {
    jmp_buf buffer;
    void *limit; /* of the stack, and its bytes                              */
    size_t bytes;
    void (*first)(moat_co *co);
    moat_co *co;
    volatile sig_atomic_t made;
};

static __thread struct entry *entering
    __attribute__((tls_model("initial-exec")));

/* The second return of _setjmp is on behalf of a resume, which has the entry in
 * its frame. A signal from elsewhere finds no entry. */
static void on_entry(int signo)
{
    struct entry *volatile entry = entering;

    (void)signo;
    if (entry == NULL)
        return;
    if (_setjmp(entry->buffer) == 0)
        entry->made = 1;
    else
        entry->first(entry->co);
}

/* --- the signal ------------------------------------------------------------
 */

static struct sigaction former; /* before the first entry, if `installed`     */
static _Atomic bool installed;

/* Each time, as the program may have set a handler of its own since. */
static void install(const sigset_t *all)
{
    struct sigaction action = {.sa_handler = on_entry, .sa_flags = SA_ONSTACK};
    struct sigaction before;

    action.sa_mask = *all;
    if (sigaction(ENTRY_SIGNAL, &action, &before) != 0)
        abort();
    if (before.sa_handler != on_entry && !atomic_exchange(&installed, true))
        former = before;
}

void moat_switch_shut_down(void)
{
    if (atomic_exchange(&installed, false))
        (void)sigaction(ENTRY_SIGNAL, &former, NULL);
}

/* --- the entry -------------------------------------------------------------
 */

/* The signal is pending until it is unblocked. None of these calls is a
 * cancellation point. */
static void receive(struct entry *entry, const sigset_t *all)
{
    sigset_t others = *all;

    (void)sigdelset(&others, ENTRY_SIGNAL);
    entering = entry;
    if (pthread_kill(pthread_self(), ENTRY_SIGNAL) != 0 ||
        pthread_sigmask(SIG_SETMASK, &others, NULL) != 0 || !entry->made)
        abort();
    entering = NULL;
}

/* With all signals blocked. Returns false on an alternate stack, which cannot
 * be exchanged. */
static bool make_here(struct entry *entry, const sigset_t *all)
{
    stack_t stack = {.ss_sp = entry->limit, .ss_size = entry->bytes}, before;

    install(all);
    if (sigaltstack(&stack, &before) != 0)
        return false;
    receive(entry, all);
    if (sigaltstack(&before, NULL) != 0)
        abort();
    return true;
}

static void *on_thread(void *arg)
{
    sigset_t all;

    (void)sigfillset(&all);
    if (!make_here(arg, &all))
        abort();
    return NULL;
}

/* The buffer leads there from any thread. */
static void make_elsewhere(struct entry *entry)
{
    pthread_t thread;
    int state;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    if (pthread_create(&thread, NULL, on_thread, entry) != 0 ||
        pthread_join(thread, NULL) != 0)
        abort();
    (void)pthread_setcancelstate(state, &state);
}

static void make(struct entry *entry)
{
    int saved_errno = errno;
    sigset_t all, mask;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_BLOCK, &all, &mask) != 0)
        abort();
    if (!make_here(entry, &all))
        make_elsewhere(entry);
    if (pthread_sigmask(SIG_SETMASK, &mask, NULL) != 0)
        abort();
    errno = saved_errno;
}

/* The kernel's frame, and the handler's. */
static size_t entry_bytes(void)
{
    return getauxval(AT_MINSIGSTKSZ) + ENTRY_BYTES;
}

size_t moat_switch_least_stack(void)
{
    return entry_bytes() + MOAT_ARCH_FIRST_FRAME_BYTES;
}

void moat_point_swap(struct moat_point *here, struct moat_point *there)
{
    here->front.top = MOAT_ARCH_STACK_POINTER();
    if (_setjmp(here->buffer) == 0)
        _longjmp(there->buffer, 1);
}

void moat_point_start(struct moat_point *here, uintptr_t base,
                      void (*first)(moat_co *co), moat_co *co)
{
    size_t bytes = entry_bytes();
    struct entry entry = {.limit = (void *)(base - bytes),
                          .bytes = bytes,
                          .first = first,
                          .co = co};

    make(&entry);
    here->front.top = MOAT_ARCH_STACK_POINTER();
    if (_setjmp(here->buffer) == 0)
        _longjmp(entry.buffer, 1);
}

void moat_point_go(struct moat_point *there)
{
    _longjmp(there->buffer, 1);
}
