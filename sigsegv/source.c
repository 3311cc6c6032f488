/*
 * source.c: page faults through libsigsegv.
 *
 * The kernel calls moat's handler, which calls `fault`. `fault` stores siginfo
 * and context in a thread-local and calls libsigsegv's handler, which was
 * captured at installation, as the kernel would. libsigsegv calls on_fault,
 * which looks the address up in libsigsegv's dispatcher. The dispatcher has one
 * ticket per arena of stacks and one per fault region. moat's handler remains
 * installed, because libsigsegv's handler knows neither the context nor a
 * previous handler.
 *
 * The dispatcher is a tree that is modified in place, without a promise about
 * threads. So there are two. Handlers read the active one. A writer modifies
 * the idle one, makes it active, waits until no handler reads the other
 * (moat_source_wait), and modifies that. moat serialises the calls of watch and
 * unwatch.
 *
 * moat_source_sigaction handles all other signals, the previous handlers and
 * the removal.
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
static atomic_uint active;        /* the dispatcher that handlers read       */
static struct watched *ranges;    /* all watched ranges                      */
static struct sigaction captured; /* libsigsegv's handler                    */
static atomic_bool capturing;     /* libsigsegv's handler is being installed */

/* --- in the handler ------------------------------------------------------ */

/* Called by the dispatcher for an address in a watched range. */
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
 * libsigsegv's handler calls this first, with `serious` 0. If it returned 0,
 * the handler would set the default action. Without a visit, the kernel called
 * libsigsegv's handler directly. During the capture the instruction is retried
 * until moat's handler is back. At any other time another part of the program
 * has installed libsigsegv's handler, and the fault is not moat's.
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

/* Switches handlers to `side`. On return none reads the other side. */
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
 * Captures libsigsegv's handler, which can only be read back from the kernel
 * after libsigsegv has installed it. Restores moat's handler at once.
 */
static moat_status capture(const struct sigaction *former)
{
    struct sigaction ours;

    if (sigaction(SIGSEGV, NULL, &ours) != 0)
        return moat_error_note(MOAT_E_SYSTEM, "sigaction has failed: %e", 0, 0);
    atomic_store(&capturing, true);
    if (sigsegv_install_handler(on_fault) != 0 ||
        sigaction(SIGSEGV, &ours, &captured) != 0) {
        (void)sigaction(SIGSEGV, &ours, NULL);
        atomic_store(&capturing, false);
        return moat_error_note(MOAT_E_SYSTEM, "sigaction has failed: %e", 0, 0);
    }
    atomic_store(&capturing, false);
    if ((captured.sa_flags & SA_SIGINFO) == 0)
        return moat_error_note(MOAT_E_UNSUPPORTED,
                               "options->source: this libsigsegv does not take "
                               "siginfo",
                               0, 0);
    /* Otherwise it would be its own previous handler. */
    if (former->sa_sigaction == captured.sa_sigaction)
        return MOAT_E_STATE;
    return MOAT_OK;
}

static moat_status install(void)
{
    struct sigaction former;
    moat_status status;

    if (sigaction(SIGSEGV, NULL, &former) != 0)
        return moat_error_note(MOAT_E_SYSTEM, "sigaction has failed: %e", 0, 0);
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

/* Does not call sigsegv_deinstall_handler: it would replace the current handler
 * by the default action, and libsigsegv's own is not installed. */
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

const moat_source *moat_source_linked(void)
{
    return moat_sigsegv_source();
}
