/*
 * away.c: two guests that share a stack (MOAT_STACK_COPIED). The one that has
 * it stops the process, by a SIGQUIT to its own thread; the other one's frames
 * are copied away.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

static void *waiter(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void *stopper(moat_co *self, void *input)
{
    (void)self;
    (void)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
    return input;
}

static moat_co *create(moat_entry entry, const char *name)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.stack_kind = MOAT_STACK_COPIED;
    options.name = name;
    return moat_co_create(&co, entry, &options) == MOAT_OK ? co : NULL;
}

int main(void)
{
    moat_co *waits = create(waiter, "waiter"),
            *stops = create(stopper, "stopper");
    moat_event event;

    return waits == NULL || stops == NULL ||
           moat_co_resume(waits, NULL, &event) != MOAT_OK ||
           moat_co_resume(stops, NULL, &event) != MOAT_OK;
}
