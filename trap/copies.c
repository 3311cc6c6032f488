/*
 * copies.c: the alternate stacks of several copies of this library, linked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/copies.h"

#include <string.h>

#include "sys/memory.h"
#include "sys/size.h"

bool (*moat_copies_on_mend)(int signo, siginfo_t *info, void *ucontext);
void (*moat_copies_on_left)(uintptr_t low, uintptr_t high);
bool (*moat_copies_on_replace)(int signo, const struct sigaction *gone,
                               const struct sigaction *by);
bool (*moat_copies_on_pass)(int signo, const struct sigaction *installed,
                            struct sigaction *next);

static bool is_within(uintptr_t address, uintptr_t low, uintptr_t high)
{
    return address >= low && address < high;
}

/* --- what others learn of this copy --------------------------------------- */

static bool runs_guest_of(uintptr_t low, uintptr_t high)
{
    const struct co *co = moat_running();

    for (; co != NULL; co = resumer_of(co)) {
        if (is_within(co->control.resumer_sp, low, high))
            return true;
    }
    return false;
}

static bool mend(int signo, siginfo_t *info, void *ucontext)
{
    return moat_copies_on_mend != NULL &&
           moat_copies_on_mend(signo, info, ucontext);
}

static void left(uintptr_t low, uintptr_t high)
{
    if (moat_copies_on_left != NULL)
        moat_copies_on_left(low, high);
}

static bool replace(int signo, const struct sigaction *gone,
                    const struct sigaction *by)
{
    return moat_copies_on_replace != NULL &&
           moat_copies_on_replace(signo, gone, by);
}

static bool passes_to(int signo, const struct sigaction *installed,
                      struct sigaction *next)
{
    return moat_copies_on_pass != NULL &&
           moat_copies_on_pass(signo, installed, next);
}

void moat_copies_describe(struct moat_signal_stack *mine)
{
    mine->magic = MOAT_COPIES_MAGIC;
    mine->version = MOAT_COPIES_VERSION;
    mine->self = mine;
    mine->lower = mine->upper = NULL;
    mine->runs_guest_of = runs_guest_of;
    mine->mend = mend;
    mine->left = left;
    mine->replace = replace;
    mine->passes_to = passes_to;
}

/* --- links ---------------------------------------------------------------- */

static bool is_description(const struct moat_signal_stack *it,
                           uintptr_t address)
{
    return it->magic == MOAT_COPIES_MAGIC &&
           it->version == MOAT_COPIES_VERSION && (uintptr_t)it->self == address;
}

/* Returns whether a description would lie in the stack's last page, as those of
 * copies do. */
static bool fits_last_page(uintptr_t top)
{
    return (top - 1) / moat_page_bytes() ==
           (top + sizeof(struct moat_signal_stack) - 1) / moat_page_bytes();
}

/* Returns the description of a stack; NULL: it is not a copy's. The memory
 * above a stranger's stack need not be there. */
static struct moat_signal_stack *described(const stack_t *stack)
{
    uintptr_t at = (uintptr_t)stack->ss_sp + stack->ss_size;
    const struct moat_memory_part part = {at, sizeof(struct moat_signal_stack)};
    struct moat_signal_stack copy;
    size_t copied;

    if ((stack->ss_flags & SS_DISABLE) != 0 || stack->ss_size == 0 ||
        at % _Alignof(struct moat_signal_stack) != 0 || !fits_last_page(at))
        return NULL;
    if (moat_memory_read(&part, 1, &copy, &copied) != MOAT_OK ||
        copied != sizeof copy || !is_description(&copy, at))
        return NULL;
    return copy.self;
}

static struct moat_signal_stack *top_of(struct moat_signal_stack *each)
{
    while (each->upper != NULL)
        each = each->upper;
    return each;
}

void moat_copies_link(struct moat_signal_stack *mine)
{
    struct moat_signal_stack *top = top_of(mine);
    struct moat_signal_stack *before = described(&mine->former);

    if (before == NULL || top_of(before) == top)
        return;
    before = top_of(before);
    while (mine->lower != NULL)
        mine = mine->lower;
    mine->lower = before;
    before->upper = mine;
}

/* Whichever copy restores this stack restores the one before it instead. */
static void pass_on_former(struct moat_signal_stack *mine)
{
    struct moat_signal_stack *each = top_of(mine);

    for (; each != NULL; each = each->lower) {
        if (each != mine && each->former.ss_sp == mine->stack.ss_sp)
            each->former = mine->former;
    }
}

void moat_copies_unlink(struct moat_signal_stack *mine)
{
    pass_on_former(mine);
    if (mine->upper != NULL)
        mine->upper->lower = mine->lower;
    if (mine->lower != NULL)
        mine->lower->upper = mine->upper;
    mine->lower = mine->upper = NULL;
    mine->magic = 0;
}

/* --- questions ------------------------------------------------------------ */

/* As the kernel has it: the lowest address is outside, the top inside. */
static bool contains(const stack_t *stack, uintptr_t address)
{
    return address - (uintptr_t)stack->ss_sp - 1 < stack->ss_size;
}

struct moat_signal_stack *moat_copies_find(struct moat_signal_stack *mine,
                                           uintptr_t address)
{
    struct moat_signal_stack *each = mine != NULL ? top_of(mine) : NULL;

    while (each != NULL && !contains(&each->stack, address))
        each = each->lower;
    return each;
}

static bool is_alone(const struct moat_signal_stack *mine)
{
    return mine == NULL || (mine->upper == NULL && mine->lower == NULL);
}

bool moat_copies_run_inside(const struct moat_signal_stack *mine,
                            const struct co *co, const void *ucontext)
{
    const struct moat_slot *slot = &co->slot;
    const struct moat_signal_stack *each;
    uintptr_t sp;

    if (is_alone(mine))
        return false;
    sp = moat_arch_sp_from_context(ucontext);
    if (is_within(sp, slot->guard, slot->base))
        return false;
    each = top_of((struct moat_signal_stack *)mine);
    for (; each != NULL; each = each->lower) {
        if (each != mine && each->runs_guest_of(slot->guard, slot->base))
            return true;
    }
    return false;
}

bool moat_copies_run_guests(const struct moat_signal_stack *mine)
{
    const struct moat_signal_stack *each;

    if (is_alone(mine))
        return false;
    each = top_of((struct moat_signal_stack *)mine);
    for (; each != NULL; each = each->lower) {
        if (each != mine && each->runs_guest_of(0, UINTPTR_MAX))
            return true;
    }
    return false;
}

bool moat_copies_mend(const struct moat_signal_stack *mine, int signo,
                      siginfo_t *info, void *ucontext)
{
    const struct moat_signal_stack *each;

    if (is_alone(mine))
        return false;
    each = top_of((struct moat_signal_stack *)mine);
    for (; each != NULL; each = each->lower) {
        if (each != mine && each->mend(signo, info, ucontext))
            return true;
    }
    return false;
}

bool moat_copies_pass(const struct moat_signal_stack *mine, int signo,
                      const struct sigaction *installed, struct sigaction *next)
{
    const struct moat_signal_stack *each;

    if (is_alone(mine))
        return false;
    each = top_of((struct moat_signal_stack *)mine);
    for (; each != NULL; each = each->lower) {
        if (each != mine && each->passes_to(signo, installed, next))
            return true;
    }
    return false;
}

void moat_copies_tell_left(const struct moat_signal_stack *mine, uintptr_t low,
                           uintptr_t high)
{
    const struct moat_signal_stack *each;

    if (is_alone(mine))
        return;
    each = top_of((struct moat_signal_stack *)mine);
    for (; each != NULL; each = each->lower) {
        if (each != mine)
            each->left(low, high);
    }
}

/* --- the end of this copy ------------------------------------------------- */

static const struct moat_signal_stack *noted;

void moat_copies_note(const struct moat_signal_stack *mine)
{
    noted = NULL;
    if (mine != NULL)
        noted = mine->upper != NULL ? mine->upper : mine->lower;
}

bool moat_copies_replace(int signo, const struct sigaction *gone,
                         const struct sigaction *by)
{
    const struct moat_signal_stack *each =
        noted != NULL ? top_of((struct moat_signal_stack *)noted) : NULL;

    for (; each != NULL; each = each->lower) {
        if (each->replace(signo, gone, by))
            return true;
    }
    return false;
}
