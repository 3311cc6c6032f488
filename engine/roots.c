/*
 * roots.c: the memory in which coroutines, and those who wait for them, keep
 * pointers.
 *
 * A collector stops other threads with a signal, at any instruction, and scans
 * the stack that it finds each of them on. What is visited here is the rest, so
 * it must be right in the middle of a switch, too (record.md has the order of
 * the writes). There the thread is still on the stack that it leaves, or
 * already on the one that it enters, and scanning that one makes good for words
 * that are stale. The other one's words have been written, or not yet replaced.
 *
 * Nothing here takes a lock: the thread that holds it may have been stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/roots.h>

#include "engine/coroutine.h"
#include "engine/defers.h"
#include "engine/state.h"
#include "engine/thread.h"
#include "stack/lent.h"
#include "sys/page.h"
#include "sys/refusal.h"
#include "trap/altstack.h"
#include "trap/own_stacks.h"

#define WORD sizeof(uintptr_t)

struct visitor {
    moat_root_visit visit;
    void *arg;
};

/* --- ranges --------------------------------------------------------------- */

static void visit(const struct visitor *roots, uintptr_t low, uintptr_t high)
{
    low &= ~(uintptr_t)(WORD - 1);
    high &= ~(uintptr_t)(WORD - 1);
    if (low < high)
        roots->visit((void *)low, (void *)high, roots->arg);
}

static void visit_word(const struct visitor *roots, const void *word)
{
    visit(roots, (uintptr_t)word, (uintptr_t)word + WORD);
}

/* AddressSanitizer may keep locals in a fake stack. A function that has such a
 * frame keeps its address on the real one. */
static MOAT_NO_SANITIZE void visit_fake(const struct visitor *roots,
                                        uintptr_t low, uintptr_t high,
                                        void *fake_stack)
{
    uintptr_t begin, end;

    for (; low + WORD <= high; low += WORD) {
        if (moat_annotate_fake_frame(fake_stack, *(const uintptr_t *)low,
                                     &begin, &end))
            visit(roots, begin, end);
    }
}

/* Where the used part of a stack begins, red zone included. If the
 * stack pointer is elsewhere, all of the stack counts as used. */
static uintptr_t used_from(uintptr_t limit, uintptr_t base, uintptr_t sp)
{
    if (sp < limit || sp > base || sp - limit <= MOAT_ARCH_RED_ZONE)
        return limit;
    return (sp - MOAT_ARCH_RED_ZONE) & ~(uintptr_t)(WORD - 1);
}

/* A guest that waits on a stack that it has made and registered uses that, too.
 */
static void visit_stack(const struct visitor *roots, const struct co *co,
                        uintptr_t sp, void *fake_stack)
{
    uintptr_t low = used_from(co->slot.limit, co->slot.base, sp), high;
    struct moat_range own;

    if (moat_is_away(co)) {
        if (moat_copied_image(co, &low, &high))
            visit(roots, low, high);
        return;
    }
    visit(roots, low, co->slot.base);
    if (moat_own_stacks_find(sp, &own))
        visit(roots, used_from(own.begin, own.end, sp), own.end);
    if (fake_stack != NULL)
        visit_fake(roots, low, co->slot.base, fake_stack);
}

/* The registers that the switch keeps, of the coroutine and of its resumer. */
static void visit_own_registers(const struct visitor *roots,
                                const struct co *co)
{
#define OWN(field, resumers) visit_word(roots, &co->control.field);
    /* clang-format off */
    MOAT_ARCH_KEPT_MAP(OWN)
    /* clang-format on */
}

static void visit_resumer_registers(const struct visitor *roots,
                                    const struct co *co)
{
#define RESUMERS(field, resumers) visit_word(roots, &co->control.resumers);
    /* clang-format off */
    MOAT_ARCH_KEPT_MAP(RESUMERS)
    /* clang-format on */
}

static void *fake_stack_of(const struct co *co)
{
    return moat_annotate_active() ? cold_of(co)->fiber.fake_stack : NULL;
}

static void *resumers_fake_stack(const struct co *co)
{
    return moat_annotate_active() ? cold_of(co)->fiber.resumer.fake_stack
                                  : NULL;
}

/* --- one coroutine, by its state ------------------------------------------ */

static void visit_suspended(const struct visitor *roots, const struct co *co)
{
    if (co->control.token == 0 || moat_arch_is_fresh(&co->control))
        return;
    visit_own_registers(roots, co);
    visit_stack(roots, co, moat_switch_sp(&co->control), fake_stack_of(co));
}

static void visit_trapped(const struct visitor *roots, const struct co *co)
{
    const struct moat_trap_record *trap = moat_trap_record_of(co);
    uintptr_t fpu = (uintptr_t)trap->fpu;

    visit(roots, (uintptr_t)&trap->regs,
          (uintptr_t)&trap->regs + sizeof trap->regs);
    visit(roots, fpu, fpu + sizeof trap->fpu);
    visit_stack(roots, co, moat_trapped_sp(co), NULL);
}

static struct co *co_in(uintptr_t word)
{
    return co_of((moat_co *)(word & ~(uintptr_t)1));
}

/*
 * A thread has a chain of coroutines, each resumed by the next, that begins
 * with the one that it runs; and one for each that it has parked. `parked` is
 * NULL for the first. Returns the beginning; NULL: the chain is empty, or the
 * thread has ended.
 */
static struct co *first_of(const struct moat_thread *thread,
                           const struct moat_parked *parked)
{
    if (!atomic_load_explicit(&thread->alive, memory_order_relaxed))
        return NULL;
    return co_in(parked != NULL ? parked->current : thread->tls->current);
}

static const struct moat_parked *next_of(const struct moat_thread *thread,
                                         const struct moat_parked *parked)
{
    return parked != NULL ? parked->next : thread->parked;
}

static struct co *resumed_in(struct co *chain, const struct co *co)
{
    while (chain != NULL && resumer_of(chain) != co)
        chain = resumer_of(chain);
    return chain;
}

/* Returns the coroutine that `co` has resumed and waits for; NULL: none. */
static struct co *resumed_by(const struct co *co)
{
    const struct moat_parked *parked = NULL;
    struct co *found;

    do {
        found = resumed_in(first_of(owner_of(co), parked), co);
        parked = next_of(owner_of(co), parked);
    } while (found == NULL && parked != NULL);
    return found;
}

/* Returns whether its thread runs it, or has parked it in the middle. */
static bool is_first(const struct co *co)
{
    const struct moat_parked *parked = NULL;
    bool found;

    do {
        found = first_of(owner_of(co), parked) == co;
        parked = next_of(owner_of(co), parked);
    } while (!found && parked != NULL);
    return found;
}

static bool is_on_stack_of(const struct co *co)
{
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

    return sp >= co->slot.guard && sp < co->slot.base;
}

/* The stack that the caller is on is the caller's to scan. A thread that runs
 * this coroutine and is elsewhere is about to enter it, so that its registers
 * are in the record; or it is in a signal handler on the alternate stack, or
 * has parked it, so that its stack pointer is nowhere. */
static void visit_current(const struct visitor *roots, const struct co *co)
{
    if (co == moat_running() && is_on_stack_of(co))
        return;
    visit_own_registers(roots, co);
    visit_stack(roots, co, 0, NULL);
}

static void visit_running(const struct visitor *roots, const struct co *co)
{
    const struct co *resumed = resumed_by(co);
    bool alive =
        atomic_load_explicit(&owner_of(co)->alive, memory_order_relaxed);

    if (resumed != NULL) {
        visit_resumer_registers(roots, resumed);
        visit_stack(roots, co, moat_switch_resumer_sp(&resumed->control),
                    resumers_fake_stack(resumed));
    } else if (!alive || is_first(co)) {
        visit_current(roots, co);
    } else {
        /* In a host call, which has stored the stack pointer. */
        visit_stack(roots, co, co->control.sp, fake_stack_of(co));
    }
}

static void visit_by_state(const struct visitor *roots, const struct co *co)
{
    switch (co->control.state) {
    case MOAT_MARK_RUNNING:
    case MOAT_MARK_TIMED:
        visit_running(roots, co);
        break;
    case MOAT_MARK_TRAPPED:
        visit_trapped(roots, co);
        break;
    case MOAT_MARK_DONE:
        break;
    default:
        visit_suspended(roots, co);
        break;
    }
}

/* `user`, and what the library has allocated itself: a check for leaks asks for
 * the roots, too. */
static void visit_pointers(const struct visitor *roots, const struct co *co)
{
    _Static_assert(offsetof(struct co, defers) - offsetof(struct co, name) ==
                       sizeof(void *),
                   "name and defers are not neighbours");

    visit(roots, (uintptr_t)&co->control.user,
          (uintptr_t)(&co->control.user + 1));
    visit(roots, (uintptr_t)&co->name, (uintptr_t)(&co->defers + 1));
    moat_defers_visit(co, roots->visit, roots->arg);
}

static void visit_one(const struct visitor *roots, const struct co *co)
{
    visit_by_state(roots, co);
    visit_pointers(roots, co);
}

moat_status moat_co_visit_roots(moat_co *co, moat_root_visit each, void *arg)
{
    const struct visitor roots = {each, arg};

    if (co == NULL || each == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           co == NULL ? "co is NULL" : "visit is NULL");
    if (co->state != MOAT_MARK_FREE)
        visit_one(&roots, co_of(co));
    return MOAT_OK;
}

/* --- all coroutines ------------------------------------------------------- */

static void visit_arena(const struct visitor *roots,
                        const struct moat_arena *arena)
{
    size_t taken = atomic_load_explicit(&arena->taken, memory_order_acquire);

    for (size_t i = 0; i < taken; i++) {
        const struct co *co = moat_arena_entry(arena, i);

        if (co->control.state != 0 && co->control.state != MOAT_MARK_FREE)
            visit_one(roots, co);
    }
}

static void visit_list(const struct visitor *roots,
                       _Atomic(struct moat_arena *) *list)
{
    const struct moat_arena *arena =
        atomic_load_explicit(list, memory_order_acquire);

    for (; arena != NULL; arena = arena->next)
        visit_arena(roots, arena);
}

/* --- hosts' stacks -------------------------------------------------------- */

static struct co *outermost_of(struct co *chain)
{
    while (chain != NULL && resumer_of(chain) != NULL)
        chain = resumer_of(chain);
    return chain;
}

/* The stack pointer lies elsewhere if the host resumed on a stack of its own,
 * or if the thread was stopped before the resume stored it: then it is still on
 * the host's stack. */
static void visit_host(const struct visitor *roots,
                       const struct moat_thread *thread, const struct co *co)
{
    uintptr_t sp = moat_switch_resumer_sp(&co->control), low;

    visit_resumer_registers(roots, co);
    if (sp < thread->own_stack.limit || sp >= thread->own_stack.base)
        return;
    low = used_from(thread->own_stack.limit, thread->own_stack.base, sp);
    visit(roots, low, thread->own_stack.base);
    if (resumers_fake_stack(co) != NULL)
        visit_fake(roots, low, thread->own_stack.base, resumers_fake_stack(co));
}

/* Returns whether the thread's stack is known, if it waits. */
static bool visit_hosts_of(const struct visitor *roots,
                           const struct moat_thread *thread)
{
    const struct moat_parked *parked = NULL;
    bool known = true;

    do {
        const struct co *co = outermost_of(first_of(thread, parked));

        if (co != NULL) {
            visit_host(roots, thread, co);
            known = thread->own_stack.base != 0;
        }
        parked = next_of(thread, parked);
    } while (parked != NULL);
    return known;
}

static moat_status visit_hosts(const struct visitor *roots)
{
    moat_status status = MOAT_OK;

    for (const struct moat_thread *each = moat_threads(); each != NULL;
         each = each->next) {
        if (!visit_hosts_of(roots, each))
            status = moat_refuse(MOAT_E_SYSTEM,
                                 "the bounds of an attached thread's stack are "
                                 "not known");
    }
    return status;
}

moat_status moat_visit_roots(moat_root_visit each, void *arg)
{
    const struct visitor roots = {each, arg};

    if (each == NULL)
        return moat_refuse(MOAT_E_INVAL, "visit is NULL");
    visit_list(&roots, &moat_arenas);
    visit_list(&roots, &moat_lents);
    return visit_hosts(&roots);
}

/* --- which stack is it? --------------------------------------------------- */

static bool is_in(const struct moat_pages *pages, uintptr_t address)
{
    return address >= pages->low && address < pages->high;
}

/* This thread's is known before it is on the list, on which it may be put by
 * the code that was interrupted. */
static bool find_altstack(uintptr_t address, struct moat_pages *out)
{
    moat_altstack_bounds(out);
    if (is_in(out, address))
        return true;
    for (const struct moat_thread *each = moat_threads(); each != NULL;
         each = each->next) {
        *out = each->altstack;
        if (atomic_load_explicit(&each->alive, memory_order_relaxed) &&
            is_in(out, address))
            return true;
    }
    return false;
}

static void describe(uintptr_t guard, const struct moat_pages *stack,
                     uintptr_t address, moat_stack_info *out)
{
    out->base = stack->high;
    out->limit = stack->low;
    out->guard = guard;
    out->used = stack->high - address;
    out->high_water = 0;
}

moat_status moat_stack_at(uintptr_t address, moat_stack_info *out)
{
    const struct moat_slot *slot;
    struct moat_pages pages;
    struct moat_range own;

    if (out == NULL)
        return moat_refuse(MOAT_E_INVAL, "out is NULL");
    slot = moat_slot_at(address);
    if (slot != NULL) {
        moat_stack_describe(slot, address, out);
    } else if (moat_own_stacks_find(address, &own)) {
        pages = (struct moat_pages){own.begin, own.end};
        describe(own.begin, &pages, address, out);
    } else if (find_altstack(address, &pages)) {
        describe(pages.low - moat_page_bytes(), &pages, address, out);
    } else {
        return MOAT_E_STATE;
    }
    return MOAT_OK;
}
