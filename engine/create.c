/*
 * create.c: coroutines created, one or many in a call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/create.h"

#include <string.h>

#include "engine/attach.h"
#include "engine/borrow.h"
#include "engine/co_options.h"
#include "engine/engine.h"
#include "engine/left.h"
#include "engine/make.h"
#include "engine/nointr.h"
#include "engine/thread.h"
#include "stack/arena.h"
#include "sys/pages.h"
#include "sys/refusal.h"
#include "trap/altstack.h"
#include "trap/stack_owner.h"

/* A request. All of the caller's memory is read before anything is taken from a
 * pool, as that of a guest may fault. */
struct order {
    moat_entry entry;
    struct spec *spec;  /* the caller's, or `filled`                        */
    struct spec filled; /* from options                                     */
    void *user;         /* of all, unless there are `users`                 */
    void *const *users; /* NULL: none                                       */
    struct moat_home *home;
};

/* --- stacks -------------------------------------------------------------- */

/* The class of the last create is the likeliest; looking one up takes a lock.
 */
static moat_status find_class(struct moat_thread *thread, size_t usable_bytes,
                              size_t guard_bytes)
{
    moat_status status;

    if (thread->stack_class != NULL && thread->usable_bytes == usable_bytes &&
        thread->guard_bytes == guard_bytes)
        return MOAT_OK;
    thread->stack_class = NULL;
    status =
        moat_stack_class_get(usable_bytes, guard_bytes, &thread->stack_class);
    thread->usable_bytes = usable_bytes;
    thread->guard_bytes = guard_bytes;
    return status;
}

moat_status moat_create_find_class(struct moat_thread *thread,
                                   const struct spec *spec)
{
    const moat_co_options *options = &spec->options;
    struct moat_berth *berth;
    moat_status status;

    if (options->stack_kind != MOAT_STACK_COPIED)
        return find_class(thread, options->stack_bytes, options->guard_bytes);
    status =
        moat_copied_find(&thread->copied, &thread->pool, options->stack_bytes,
                         options->guard_bytes, &berth);
    return status == MOAT_OK ? find_class(thread, 0, 0) : status;
}

/* The engine may have been shut down since the spec was checked. */
moat_status moat_create_find_home(struct spec *spec, struct moat_home **out)
{
    moat_status status =
        moat_spec_limited(spec) ? moat_engine_need_deadlines() : MOAT_OK;

    if (status == MOAT_OK && spec->limits.syscalls != NULL)
        status = moat_engine_need_syscalls(&spec->syscalls);
    if (status != MOAT_OK)
        return status;
    return moat_home_find(&moat_thread_self()->homes, spec, out);
}

void moat_create_put_back(struct moat_pool *pool, struct moat_slot *slot)
{
    while (slot != NULL) {
        struct moat_slot *next = slot->next;

        moat_pool_put(pool, slot);
        slot = next;
    }
}

/* --- create -------------------------------------------------------------- */

/* Faults here if the handles cannot be stored later. */
static void touch(moat_co **out, size_t count)
{
    moat_co *volatile *handle = out;

    for (size_t i = 0; i < count; i++)
        handle[i] = handle[i];
}

static void *user_of(const struct order *order, size_t i)
{
    return order->users != NULL ? order->users[i] : order->user;
}

/* Returns how many it took. */
static size_t take_spares(const struct order *order, moat_co **out, size_t max)
{
    size_t count = 0;

    for (; count < max && order->home->spare != NULL; count++)
        out[count] = handle_of(
            moat_home_take(order->home, order->entry, user_of(order, count)));
    return count;
}

/* Adds to *made how many were made; on MOAT_OK at least one. */
static moat_status make_new(struct order *order, moat_co **out, size_t max,
                            size_t *made)
{
    struct moat_thread *thread = moat_thread_self();
    struct moat_slot *slot, *next;
    moat_status status = moat_create_find_class(thread, order->spec);

    if (status != MOAT_OK)
        return status;
    moat_thread_borrow(thread, order->spec, max);
    status = moat_pool_get(&thread->pool, thread->stack_class, max, &slot);
    if (status != MOAT_OK)
        return status;
    for (size_t i = 0; slot != NULL; slot = next, i++, ++*made) {
        struct co *co = moat_slot_entry(slot);

        next = slot->next;
        status = moat_make(co, order->home, order->spec, order->entry,
                           user_of(order, i));
        if (status != MOAT_OK) {
            moat_create_put_back(&thread->pool, slot);
            return status;
        }
        out[i] = handle_of(co);
    }
    return MOAT_OK;
}

static moat_status find_home(struct order *order)
{
    struct moat_homes *homes = &moat_thread_self()->homes;

    if (order->spec != &order->filled)
        return moat_create_find_home(order->spec, &order->home);
    order->home = moat_homes_choose(homes, &order->filled);
    if (order->home->spec != NULL)
        order->spec = spec_of(order->home->spec);
    return MOAT_OK;
}

static moat_status take_and_make(struct order *order, moat_co **out, size_t max,
                                 size_t *made)
{
    moat_status status = find_home(order);
    size_t taken;

    if (status != MOAT_OK)
        return status;
    taken = take_spares(order, out, max);
    *made += taken;
    if (taken != 0)
        return MOAT_OK;
    return make_new(order, out, max, made);
}

static bool is_lent(const struct order *order)
{
    return order->spec->options.stack_kind == MOAT_STACK_CALLER;
}

static moat_status borrow(const struct order *order, moat_co **out)
{
    struct co *co;
    moat_status status =
        moat_borrow_make(order->spec, order->entry, order->user, &co);

    if (status == MOAT_OK)
        *out = handle_of(co);
    return status;
}

moat_status moat_create_alike(const struct co *co, struct co **out)
{
    struct order order = {
        .entry = moat_co_entry(handle_of(co)),
        .spec = spec_of(co->control.home->spec),
        .user = co->control.user,
    };
    moat_co *made;
    size_t count = 0;
    moat_status status = take_and_make(&order, &made, 1, &count);

    if (status == MOAT_OK)
        *out = co_of(made);
    return status;
}

/* Makes `max` at most. */
static moat_status create(struct order *order, const moat_co_options *asked,
                          moat_co **out, size_t max, size_t *made)
{
    void *users[MOAT_MAX_RANGES];
    moat_status status = MOAT_OK;

    if (order->users != NULL)
        order->users = memcpy(users, order->users, max * sizeof *users);
    touch(out, max);
    if (order->spec == NULL) {
        status = moat_spec_fill(&order->filled, asked);
        order->spec = &order->filled;
    }
    /* None is asked for: the options are only checked. */
    if (status == MOAT_OK && max != 0)
        status = is_lent(order) ? borrow(order, out)
                                : take_and_make(order, out, max, made);
    moat_spec_clear(&order->filled);
    return status;
}

/* Hosts with fibers of their own come here on other stacks than the thread's. A
 * guest of another copy of this library is not such a fiber. */
static void note_host_stack(void)
{
    const struct moat_thread *thread = moat_thread_self();
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

    /* Asked first, as it is nearly always so. */
    if (thread != NULL && sp >= thread->own_stack.limit &&
        sp < thread->own_stack.base)
        return;
    if (moat_running() == NULL && !moat_copies_run_guests(moat_altstack_own()))
        moat_host_stack_visit(sp);
}

/* Makes what the calls that create have in common ready. No deadline stops a
 * guest until moat_sealed_end. */
moat_status moat_create_begin(void)
{
    moat_status status = moat_left_check();

    if (status == MOAT_OK)
        status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = moat_thread_ready();
    note_host_stack();
    moat_altstack_settle();
    if (status == MOAT_OK)
        moat_thread_tidy(moat_thread_self());
    else
        moat_sealed_end();
    return status;
}

static moat_status create_uninterrupted(struct order *order,
                                        const moat_co_options *asked,
                                        moat_co **out, size_t max, size_t *made)
{
    moat_status status = moat_create_begin();

    if (status != MOAT_OK)
        return status;
    order->filled.name = NULL;
    status = create(order, asked, out, max, made);
    moat_sealed_end();
    return status;
}

/* --- from options --------------------------------------------------------- */

/* Takes a spare of options that came lately. Only on the host's stack, where no
 * deadline can stop it between two steps. */
static struct co *take_recent(moat_entry entry, const moat_co_options *asked)
{
    struct moat_thread *thread = moat_thread_self();
    struct moat_home *home;

    if (thread == NULL || MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0)
        return NULL;
    if (asked == NULL)
        return moat_home_take(&thread->homes.usual, entry, NULL);
    /* A heap has to be looked at. */
    home =
        asked->heap == NULL ? moat_homes_recent(&thread->homes, asked) : NULL;
    return home != NULL ? moat_home_take(home, entry, asked->user) : NULL;
}

/* Before any lock: a guest that lends memory which is not there traps here. */
static moat_status take_loan(const moat_co_options *options)
{
    moat_status status = moat_borrow_check(options);

    if (status == MOAT_OK)
        moat_borrow_touch(options);
    return status;
}

static moat_status create_one(moat_co **out, moat_entry entry,
                              const moat_co_options *asked)
{
    struct order order = {.entry = entry};
    const moat_co_options *options = &order.filled.options;
    size_t made = 0;
    moat_status status = moat_co_options_resolve(asked, &order.filled.options);

    if (status == MOAT_OK && options->stack_kind == MOAT_STACK_CALLER)
        status = take_loan(options);
    if (status != MOAT_OK)
        return status;
    order.user = options->user;
    return create_uninterrupted(&order, asked, out, 1, &made);
}

moat_status moat_co_create_slow(moat_co **out, moat_entry entry,
                                const moat_co_options *asked)
{
    struct co *co;

    if (out == NULL || entry == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           out == NULL ? "out is NULL" : "entry is NULL");
    co = take_recent(entry, asked);
    if (co == NULL)
        return create_one(out, entry, asked);
    *out = handle_of(co);
    return MOAT_OK;
}

static moat_status check_shared(const moat_co_options *options)
{
    if (options->stack_kind == MOAT_STACK_CALLER)
        return moat_refuse(MOAT_E_INVAL,
                           "options->stack_kind is MOAT_STACK_CALLER: several "
                           "coroutines would lie in the same memory");
    return MOAT_OK;
}

/* Made in groups: other threads wait only briefly for the locks, and a deadline
 * can stop the caller between two groups, where *done is exact. */
moat_status moat_co_create_n(moat_co **out, moat_entry entry,
                             const moat_co_options *asked, void *const *users,
                             size_t count, size_t *done)
{
    struct order order = {.entry = entry};
    moat_status status;

    if (out == NULL || entry == NULL || done == NULL)
        return moat_refuse(MOAT_E_INVAL, out == NULL     ? "out is NULL"
                                         : entry == NULL ? "entry is NULL"
                                                         : "done is NULL");
    *done = 0;
    status = moat_co_options_resolve(asked, &order.filled.options);
    if (status == MOAT_OK)
        status = check_shared(&order.filled.options);
    if (status != MOAT_OK)
        return status;
    order.user = order.filled.options.user;
    do {
        size_t max = count - *done;

        order.spec = NULL;
        order.users = users != NULL ? users + *done : NULL;
        status = create_uninterrupted(
            &order, asked, out + *done,
            max < MOAT_MAX_RANGES ? max : MOAT_MAX_RANGES, done);
    } while (status == MOAT_OK && *done < count);
    return status;
}

/* --- from a spec ---------------------------------------------------------- */

static struct co *take_from(struct spec *spec, moat_entry entry, void *user)
{
    struct moat_home *home;

    if (moat_thread_self() == NULL || MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0)
        return NULL;
    home = moat_home_lookup(spec);
    return home != NULL ? moat_home_take(home, entry, user) : NULL;
}

moat_status moat_co_create_from_slow(moat_co **out, moat_spec *handle,
                                     moat_entry entry, void *user)
{
    struct spec *spec = spec_of(handle);
    struct order order = {.entry = entry, .spec = spec, .user = user};
    size_t made = 0;
    struct co *co;

    if (out == NULL || spec == NULL || entry == NULL)
        return moat_refuse(MOAT_E_INVAL, out == NULL    ? "out is NULL"
                                         : spec == NULL ? "spec is NULL"
                                                        : "entry is NULL");
    co = take_from(spec, entry, user);
    if (co == NULL)
        return create_uninterrupted(&order, NULL, out, 1, &made);
    *out = handle_of(co);
    return MOAT_OK;
}
