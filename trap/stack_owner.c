/*
 * stack_owner.c: on whose stack the thread is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/stack_owner.h"

#include "stack/lent.h"
#include "sys/page.h"
#include "sys/readable.h"
#include "trap/altstack.h"
#include "trap/own_stacks.h"

static __thread struct {
    uintptr_t limit, base; /* zeros: unknown                                  */
    bool has_fibers;       /* the host was seen on another stack              */
} host __attribute__((tls_model("initial-exec")));

void moat_host_stack_note(uintptr_t limit, uintptr_t base)
{
    host.limit = limit;
    host.base = base;
    host.has_fibers = false;
}

static bool is_threads(uintptr_t sp)
{
    return sp - host.limit < host.base - host.limit;
}

/* A handler's stack is not a fiber's. */
void moat_host_stack_visit(uintptr_t sp)
{
    if (host.base != 0 && !is_threads(sp) && !moat_altstack_contains(sp))
        host.has_fibers = true;
}

/* A guest that has overflowed is still on its stack. */
static bool is_on(const struct moat_slot *slot, uintptr_t sp)
{
    return sp - slot->guard <= slot->base - slot->guard;
}

/* Returns the coroutine in whose slot the address lies; NULL: none. */
static struct co *slot_owner(uintptr_t address)
{
    const struct moat_slot *slot = moat_slot_at(address);

    return slot != NULL ? moat_slot_entry(slot) : NULL;
}

/* While it leaves, and until the resumer's next step, its stack pointer is that
 * of the record, or below it in a handler. */
void moat_stack_settle(struct co *running, uintptr_t sp)
{
    if (running != NULL && running->control.state == running->control.token &&
        is_on(&running->slot, sp) &&
        is_on(&running->slot, running->control.sp) && sp > running->control.sp)
        running->control.state = MOAT_MARK_RUNNING;
}

static const struct co *outermost(const struct co *co)
{
    while (resumer_of(co) != NULL)
        co = resumer_of(co);
    return co;
}

static struct co *on_chain(struct co *co, uintptr_t sp)
{
    while (co != NULL && !is_on(&co->slot, sp))
        co = resumer_of(co);
    return co;
}

/* --- stacks in use -------------------------------------------------------- */

/* The host's frames end where it resumed. Below that it has none, unless it was
 * entered anew: from a fiber, or by a longjmp. */
static bool host_uses(uintptr_t resumed_at, uintptr_t sp)
{
    if (is_threads(resumed_at) && sp >= resumed_at - MOAT_ARCH_RED_ZONE)
        return true;
    return moat_arch_is_stack_in_use(sp);
}

/* The frames of a suspended coroutine end where it yielded; one that runs for
 * another fiber of the host may be anywhere. */
static bool other_uses(const struct co *other, uintptr_t sp)
{
    uintptr_t state, token, stopped_at;

    /* Another thread may give the memory of a free slot back. */
    if (!moat_arch_peek((uintptr_t)&other->control.state, &state) ||
        !moat_arch_peek((uintptr_t)&other->control.token, &token) ||
        !moat_arch_peek((uintptr_t)&other->control.sp, &stopped_at))
        return false;
    if (moat_is_entered_state(state))
        return moat_arch_is_stack_in_use(sp);
    return state == token && sp >= stopped_at - MOAT_ARCH_RED_ZONE;
}

/* Returns whether the stack is known to be in use, other than by `running` and
 * those that resumed it. */
static bool is_used_by_another(const struct co *running, uintptr_t sp)
{
    uintptr_t resumed_at = outermost(running)->control.resumer_sp;
    const struct co *other = slot_owner(sp);
    uintptr_t word;

    if (other != NULL)
        return other_uses(other, sp);
    if (host.base == 0 || moat_altstack_contains(sp))
        return false;
    if (is_threads(sp))
        return host_uses(resumed_at, sp);
    /* No mark distinguishes a fiber's stack from other memory, least of all in
     * the fiber's first function. A load that faults must not be tried first:
     * the host's handler may have called this one with the signal blocked. */
    sp &= ~(sizeof word - 1);
    return (host.has_fibers || !is_threads(resumed_at)) &&
           moat_memory_can_read(sp) && moat_arch_peek(sp, &word);
}

/* --- who ------------------------------------------------------------------ */

struct co *moat_stack_owner(struct co *running, uintptr_t sp)
{
    struct moat_range stack;
    struct co *co;

    if (is_on(&running->slot, sp))
        return running;
    co = on_chain(resumer_of(running), sp);
    if (co != NULL)
        return co;
    if (moat_own_stacks_find(sp, &stack))
        return running;
    return is_used_by_another(running, sp) ? NULL : running;
}

bool moat_stack_is_left(const struct co *running, uintptr_t sp)
{
    struct moat_range stack;

    if (is_on(&running->slot, sp))
        return false;
    if (on_chain(resumer_of(running), sp) != NULL)
        return true;
    return is_threads(sp) &&
           is_threads(outermost(running)->control.resumer_sp) &&
           !moat_own_stacks_find(sp, &stack);
}

bool moat_stack_host_is_lost(const struct co *running)
{
    return moat_altstack_is_reused(outermost(running)->control.resumer_sp);
}

bool moat_stack_is_on(const struct co *co, uintptr_t sp)
{
    return is_on(&co->slot, sp);
}

/* --- bounds --------------------------------------------------------------- */

static bool find_slot(const struct moat_slot *slot, uintptr_t *limit,
                      uintptr_t *base)
{
    *limit = slot->limit;
    *base = slot->base;
    return true;
}

bool moat_stack_find(const struct co *running, uintptr_t sp, uintptr_t *limit,
                     uintptr_t *base)
{
    struct moat_range stack;
    const struct co *other;

    /* First: it may be a part of the guest's stack. */
    if (moat_own_stacks_find(sp, &stack)) {
        *limit = stack.begin;
        *base = stack.end;
        return true;
    }
    if (is_on(&running->slot, sp))
        return find_slot(&running->slot, limit, base);
    other = slot_owner(sp);
    if (other != NULL)
        return find_slot(&other->slot, limit, base);
    *limit = host.limit;
    *base = host.base;
    return is_threads(sp);
}

bool moat_stack_is_same(uintptr_t one, uintptr_t other)
{
    const struct co *owner = slot_owner(one);

    return owner != NULL ? owner == slot_owner(other)
                         : is_threads(one) && is_threads(other);
}

/* A guard below the stack cannot be read, or is not there. */
static bool can_be_read(uintptr_t begin, uintptr_t end)
{
    size_t page = moat_page_bytes();
    uintptr_t word;

    for (uintptr_t at = (end - 1) & ~(page - 1); at + page > begin;
         at -= page) {
        if (!moat_arch_peek(at, &word))
            return false;
    }
    return true;
}

bool moat_stack_has(const struct co *running, uintptr_t sp, size_t bytes)
{
    uintptr_t limit, base;

    if (moat_stack_find(running, sp, &limit, &base))
        return sp >= limit && sp - limit >= bytes;
    return bytes == 0 ||
           (sp > bytes && moat_memory_is_mapped(sp - bytes, bytes) &&
            can_be_read(sp - bytes, sp));
}
