/*
 * fortified.c: handlers that are left by siglongjmp, in a program built with
 * _FORTIFY_SOURCE. The C library aborts it if the jump goes up a stack and no
 * alternate stack explains that.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <moat/moat.h>

#define ROUNDS 1000

static sigjmp_buf way_out;
static int *volatile nowhere;

static void leave(int signo)
{
    siglongjmp(way_out, signo);
}

static int install(int signo, int flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = leave;
    action.sa_flags = flags;
    return sigaction(signo, &action, NULL);
}

static void jump_out(void)
{
    if (sigsetjmp(way_out, 1) == 0)
        (void)raise(SIGUSR1);
}

/* moat calls this handler, which was installed before its own. */
static void jump_out_of_fault(void)
{
    if (sigsetjmp(way_out, 1) == 0)
        *nowhere = 1;
}

static void *jump_then_fault(moat_co *self, void *input)
{
    (void)self;
    jump_out();
    *nowhere = 1;
    return input;
}

static int traps(void)
{
    moat_event event;
    moat_co *co;
    int right;

    if (moat_co_create(&co, jump_then_fault, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 0;
    right = event.kind == MOAT_EVENT_TRAP;
    moat_co_destroy(co);
    return right;
}

int main(void)
{
    static const int flags[] = {0, SA_ONSTACK, SA_ONSTACK | SA_NODEFER};

    if (install(SIGSEGV, SA_ONSTACK) != 0 || moat_thread_attach() != MOAT_OK)
        return 2;
    for (int i = 0; i < ROUNDS; i++) {
        if (install(SIGUSR1, flags[i % 3]) != 0)
            return 2;
        jump_out();
        jump_out_of_fault();
        if (!traps() || moat_engine_check() != MOAT_OK) {
            (void)printf("round %d: not contained\n", i);
            return 1;
        }
    }
    return 0;
}
