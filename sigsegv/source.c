/*
 * source.c: page faults by way of libsigsegv.
 *
 * The kernel calls moat's handler, which calls `fault`. That one notes siginfo
 * and context in a thread-local and calls libsigsegv's own handler, captured at
 * install, as if the kernel had. libsigsegv calls on_fault, which asks
 * libsigsegv's dispatcher: it holds one ticket per arena of stacks and one per
 * fault region. moat's handler stays the one that is installed, because
 * libsigsegv's own knows neither the context nor a previous handler.
 *
 * The dispatcher is a tree that is changed in place, and says nothing about
 * threads. So there are two of them: handlers read the active one; a writer
 * changes the idle one, makes it the active one, waits until no handler reads
 * the other (moat_source_wait), and changes that. moat calls watch and unwatch
 * one at a time.
 *
 * All other signals, the previous handlers and the removal are those of
 * moat_source_sigaction.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sigsegv.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <moat/sigsegv.h>
#include <moat/source.h>

/* A range and its ticket in each dispatcher. */
struct watched {
    struct watched *next;
    moat_source_range range;
    void *tickets[2];
};

/* The fault that this thread is handling; `info` is NULL between faults. */
struct visit {
    siginfo_t *info;
    void *ucontext;
    bool claimed;
};

static __thread struct visit visit __attribute__((tls_model("initial-exec")));

static sigsegv_dispatcher dispatchers[2];
static atomic_uint active;        /* which of them handlers read           */
static struct watched *ranges;    /* all of them                           */
static struct sigaction captured; /* libsigsegv's handler                  */
static atomic_bool capturing;     /* it is in the kernel's hands right now */

/* --- in the handler ------------------------------------------------------ */

/* The ticket's function: the address lies in a range of ours. */
static int on_area(void *address, void *arg)
{
    const struct watched *watched = arg;

    (void)address;
    visit.claimed =
        (watched->range.region != NULL &&
         moat_source_fix(watched->range.region, visit.info, visit.ucontext)) ||
        moat_source_deliver(visit.info, visit.ucontext);
    return 1;
}

/*
 * libsigsegv's handler asks here first, with `serious` 0. An answer of 0 would
 * make it set the default action. Without a visit the kernel called it itself:
 * in the moment of the capture the instruction is tried again, until moat's
 * handler stands; at any other somebody else has installed libsigsegv's
 * handler, and what it does is theirs.
 */
static int on_fault(void *address, int serious)
{
    (void)serious;
    if (visit.info == NULL)
        return atomic_load(&capturing);
    if (!sigsegv_dispatch(&dispatchers[atomic_load(&active)], address))
        visit.claimed = moat_source_deliver(visit.info, visit.ucontext);
    return 1;
}

static bool fault(void *siginfo, void *ucontext)
{
    visit.info = siginfo;
    visit.ucontext = ucontext;
    visit.claimed = false;
    captured.sa_sigaction(SIGSEGV, siginfo, ucontext);
    visit.info = NULL;
    return visit.claimed;
}

/* --- ranges -------------------------------------------------------------- */

static void *enter(unsigned side, struct watched *watched)
{
    return sigsegv_register(&dispatchers[side], (void *)watched->range.begin,
                            watched->range.bytes, on_area, watched);
}

/* Sends handlers to `side`; when it returns none is in the other. */
static void switch_to(unsigned side)
{
    atomic_store(&active, side);
    moat_source_wait();
}

static moat_status enter_both(struct watched *watched)
{
    unsigned busy = atomic_load(&active), idle = 1 - busy;

    watched->tickets[idle] = enter(idle, watched);
    if (watched->tickets[idle] == NULL)
        return MOAT_E_NOMEM;
    switch_to(idle);
    watched->tickets[busy] = enter(busy, watched);
    if (watched->tickets[busy] != NULL)
        return MOAT_OK;
    switch_to(busy);
    sigsegv_unregister(&dispatchers[idle], watched->tickets[idle]);
    return MOAT_E_NOMEM;
}

static void leave_both(const struct watched *watched)
{
    unsigned busy = atomic_load(&active), idle = 1 - busy;

    sigsegv_unregister(&dispatchers[idle], watched->tickets[idle]);
    switch_to(idle);
    sigsegv_unregister(&dispatchers[busy], watched->tickets[busy]);
}

static moat_status watch(const moat_source_range *range)
{
    struct watched *made = calloc(1, sizeof *made);
    moat_status status;

    if (made == NULL)
        return MOAT_E_NOMEM;
    made->range = *range;
    status = enter_both(made);
    if (status != MOAT_OK) {
        free(made);
        return status;
    }
    made->next = ranges;
    ranges = made;
    return MOAT_OK;
}

static void unwatch(const moat_source_range *range)
{
    struct watched **link = &ranges, *gone;

    while (*link != NULL && (*link)->range.begin != range->begin)
        link = &(*link)->next;
    gone = *link;
    if (gone == NULL)
        return;
    *link = gone->next;
    leave_both(gone);
    free(gone);
}

static void unwatch_all(void)
{
    while (ranges != NULL) {
        struct watched *gone = ranges;

        ranges = gone->next;
        leave_both(gone);
        free(gone);
    }
}

/* --- installation -------------------------------------------------------- */

/*
 * Learns libsigsegv's handler: it can only be read back from the kernel once
 * libsigsegv has installed it. moat's handler is put back at once.
 */
static moat_status capture(const struct sigaction *former)
{
    struct sigaction ours;

    if (sigaction(SIGSEGV, NULL, &ours) != 0)
        return MOAT_E_SYSTEM;
    atomic_store(&capturing, true);
    if (sigsegv_install_handler(on_fault) != 0 ||
        sigaction(SIGSEGV, &ours, &captured) != 0) {
        (void)sigaction(SIGSEGV, &ours, NULL);
        atomic_store(&capturing, false);
        return MOAT_E_SYSTEM;
    }
    atomic_store(&capturing, false);
    if ((captured.sa_flags & SA_SIGINFO) == 0)
        return MOAT_E_UNSUPPORTED;
    /* As the previous handler it would be called from itself. */
    if (former->sa_sigaction == captured.sa_sigaction)
        return MOAT_E_STATE;
    return MOAT_OK;
}

static moat_status install(void)
{
    struct sigaction former;
    moat_status status;

    if (sigaction(SIGSEGV, NULL, &former) != 0)
        return MOAT_E_SYSTEM;
    status = moat_source_sigaction.install();
    if (status != MOAT_OK)
        return status;
    status = capture(&former);
    if (status != MOAT_OK) {
        (void)moat_source_sigaction.remove();
        return status;
    }
    sigsegv_init(&dispatchers[0]);
    sigsegv_init(&dispatchers[1]);
    return MOAT_OK;
}

static moat_status check(void)
{
    return moat_source_sigaction.check();
}

/* libsigsegv is not told: sigsegv_deinstall_handler would set the default
 * action over whatever handler stands now, and its own is not installed. */
static moat_status remove_all(void)
{
    moat_status status = moat_source_sigaction.remove();

    unwatch_all();
    return status;
}

static const moat_source source = {
    .version = MOAT_SOURCE_VERSION,
    .name = "sigsegv",
    .install = install,
    .check = check,
    .remove = remove_all,
    .fault = fault,
    .watch = watch,
    .unwatch = unwatch,
};

const moat_source *moat_sigsegv_source(void)
{
    return &source;
}
