/*
 * crew.c: what of a thread is the kernel's, where guests have threads of their
 * own: its number, and its alternate stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/crew.h"

#include <stdatomic.h>

#include "sys/fork.h"
#include "sys/refusal.h"
#include "trap/altstack.h"
#include "trap/task.h"

struct words {
    struct moat_altstack_words altstack;
    int task;
};
_Static_assert(sizeof(struct words) <= sizeof(uintptr_t[MOAT_CARRIER_WORDS]),
               "carrier.h must have room for them");

/* The timer's signal is in vain while the thread-locals belong to neither. It
 * comes again (alarm.c). */
static void pass(uintptr_t *from, const uintptr_t *to)
{
    struct words *leaving = (struct words *)from;
    const struct words *coming = (const struct words *)to;

    leaving->task = moat_task_noted();
    moat_task_replace(0);
    atomic_signal_fence(memory_order_seq_cst);
    moat_altstack_replace(&leaving->altstack, &coming->altstack);
    atomic_signal_fence(memory_order_seq_cst);
    moat_task_replace(coming->task);
}

static bool begin(uintptr_t *words)
{
    static const struct moat_altstack_words none;
    struct words *mine = (struct words *)words;
    struct moat_altstack_words before;
    moat_status status;

    moat_altstack_replace(&before, &none);
    status = moat_altstack_attach();
    moat_altstack_replace(&mine->altstack, &before);
    mine->task = moat_fork_task();
    return status == MOAT_OK;
}

static void end(const uintptr_t *words)
{
    const struct words *mine = (const struct words *)words;
    struct moat_altstack_words before, ended;

    moat_altstack_replace(&before, &mine->altstack);
    moat_altstack_free();
    moat_altstack_replace(&ended, &before);
}

moat_status moat_crew_attach(void)
{
    static const struct moat_carrier_duties duties = {pass, begin, end,
                                                      moat_task_note_forked};
    const struct moat_signal_stack *own = moat_altstack_own();

    /* It would not find this one's stacks, nor this one its. */
    if (own->lower != NULL || own->upper != NULL)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "another copy of moat has attached the thread: with "
                           "MOAT_SWITCH=threads one may");
    return moat_crew_make(&duties);
}

bool moat_crew_has_passed_on(int signo, siginfo_t *info)
{
    return moat_crew != NULL &&
           moat_crew_pass_on(moat_task_noted(), signo, info);
}
