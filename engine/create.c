/*
 * create.c: coroutines are made, one or many; those that a thread keeps ready.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "stack/size.h"

#define DEFAULT_STACK_BYTES ((size_t)256 << 10)
#define DEFAULT_GUARD_BYTES ((size_t)64 << 10)
#define MOST_BYTES          ((size_t)64 << 30)
#define FLAGS_KNOWN         ((uint64_t)(MOAT_CO_SCRUB_MASK | MOAT_CO_RECOVER_MASK))

/* --- options ------------------------------------------------------------- */

static moat_status resolve_size(size_t *bytes, size_t if_zero)
{
    if (*bytes == 0)
        *bytes = if_zero;
    if (*bytes > MOST_BYTES || !moat_size_to_pages(*bytes, bytes))
        return MOAT_E_INVAL;
    return MOAT_OK;
}

static moat_status resolve(const moat_co_options *asked, moat_co_options *out)
{
    static const moat_co_options defaults = MOAT_CO_OPTIONS_INIT;
    moat_status status = MOAT_OK;

    if (asked == NULL)
        asked = &defaults;
    if (asked->struct_size == sizeof *out)
        *out = *asked;
    else
        status = moat_options_copy(out, sizeof *out, asked, sizeof *asked);
    if (status != MOAT_OK)
        return status;
    if ((out->flags & ~FLAGS_KNOWN) != 0 ||
        (out->flags & MOAT_CO_SCRUB_MASK) == MOAT_CO_SCRUB_MASK ||
        (out->flags & MOAT_CO_RECOVER_MASK) == MOAT_CO_RECOVER_MASK ||
        (out->stack_bytes != 0 && out->stack_bytes < MOAT_PAGE_BYTES))
        return MOAT_E_INVAL;
    status = resolve_size(&out->stack_bytes, DEFAULT_STACK_BYTES);
    if (status != MOAT_OK)
        return status;
    return resolve_size(&out->guard_bytes, DEFAULT_GUARD_BYTES);
}

/* --- stacks -------------------------------------------------------------- */

/* The class of the last create is the likeliest; asking for it takes a lock. */
static moat_status find_class(struct moat_thread *thread,
                              const moat_co_options *options)
{
    moat_status status;

    if (thread->stack_class != NULL &&
        thread->usable_bytes == options->stack_bytes &&
        thread->guard_bytes == options->guard_bytes)
        return MOAT_OK;
    thread->stack_class = NULL;
    status = moat_stack_class_get(options->stack_bytes, options->guard_bytes,
                                  &thread->stack_class);
    thread->usable_bytes = options->stack_bytes;
    thread->guard_bytes = options->guard_bytes;
    return status;
}

/* --- spares --------------------------------------------------------------- */

size_t moat_spares_count(const struct moat_tls *tls)
{
    return *(const volatile uint64_t *)&tls->spares;
}

void moat_spares_drop(struct moat_thread *thread)
{
    moat_co *each = moat_tls.spare;

    moat_tls.spare = NULL;
    moat_tls.spares = 0;
    while (each != NULL) {
        moat_co *next = (moat_co *)each->resumer;

        moat_pool_put(&thread->pool, &co_of(each)->activation.slot);
        moat_thread_release(thread);
        each = next;
    }
}

/* Those that the inline function would take first, as it would. (In this file
 * the alias below has its name.) */
static size_t take_spares(moat_co **out, moat_entry entry, size_t count)
{
    size_t i;

    for (i = 0; i < count && moat_tls.spare != NULL; i++) {
        moat_co *co = moat_tls.spare;

        moat_tls.spare = (moat_co *)co->resumer;
        moat_tls.spares = co->resumer_fp - 1;
        co->entry = entry;
        co->state = co->token;
        out[i] = co;
    }
    return i;
}

/* --- create -------------------------------------------------------------- */

/* Does nothing of it outlive its guest's return? */
static bool is_plain(const moat_co_options *options)
{
    return options->name == NULL && options->user == NULL &&
           options->script == NULL && moat_trim_stack_bytes() == 0 &&
           options->stack_bytes == DEFAULT_STACK_BYTES &&
           options->guard_bytes == DEFAULT_GUARD_BYTES;
}

static void fill_in(struct co *co, struct moat_thread *thread, moat_entry entry,
                    const moat_co_options *options)
{
    co->owner = thread;
    co->user = options->user;
    co->activation.co.flags = (uint16_t)options->flags;
    if (!is_plain(options))
        co->activation.co.flags |= CO_SPECIAL;
    co->activation.policy = (uint8_t)(options->flags & MOAT_CO_RECOVER_MASK);
    co->defers = NULL;
    co->activation.co.token = thread->token;
    if (moat_annotate_active()) {
        /* An odd token fails the compare of the inline functions. */
        co->activation.co.token |= 1;
        moat_annotate_begin(&cold_of(co)->fiber);
    }
    moat_thread_take(thread);
    moat_resume_prepare(co, entry);
}

static void set_limits(struct co *co, const moat_limits *limits)
{
    co->activation.co.flags |= CO_LIMITED;
    co->activation.co.token |= 1;
    co->activation.co.state = co->activation.co.token;
    cold_of(co)->limits = *limits;
}

/* What is asked for: the options, and what those point to when it is checked.
 * All of the caller's memory is looked at before anything is taken from a pool:
 * that of a guest may fault. */
struct order {
    moat_entry entry;
    moat_co_options options;
    moat_limits limits;
    moat_script script;
    bool limited;
    char *name;                      /* the first one's */
    void *users[MOAT_ADVICE_RANGES]; /* those of the next that are made */
};

static moat_status check(struct order *order)
{
    const moat_co_options *options = &order->options;
    moat_status status = MOAT_OK;

    order->limited = false;
    if (options->limits != NULL)
        status =
            moat_limits_check(options->limits, &order->limits, &order->limited);
    if (status == MOAT_OK && options->script != NULL)
        status = moat_script_check(options->script, &order->script);
    order->name = NULL;
    if (status == MOAT_OK && options->name != NULL &&
        (order->name = strdup(options->name)) == NULL)
        status = MOAT_E_NOMEM;
    return status;
}

/* May be read and written. */
static void touch(moat_co **out, size_t count)
{
    moat_co *volatile *place = out;

    for (size_t i = 0; i < count; i++)
        place[i] = place[i];
}

static void look(struct order *order, void *const *users, moat_co **out,
                 size_t most)
{
    if (users != NULL)
        memcpy(order->users, users, most * sizeof *users);
    touch(out, most);
}

/* The last one gets the order's own copy. */
static moat_status set_name(struct co *co, struct order *order, bool last)
{
    co->name = order->name;
    if (last)
        order->name = NULL;
    else if (order->name != NULL && (co->name = strdup(order->name)) == NULL)
        return MOAT_E_NOMEM;
    return MOAT_OK;
}

static moat_status make(struct co *co, struct moat_thread *thread,
                        struct order *order, bool last)
{
    const moat_co_options *options = &order->options;
    moat_status status = set_name(co, order, last);

    if (status != MOAT_OK)
        return status;
    fill_in(co, thread, order->entry, options);
    if (order->limited)
        set_limits(co, &order->limits);
    if (options->script != NULL)
        moat_script_set(co, &order->script);
    return MOAT_OK;
}

static void put_all(struct moat_pool *pool, struct moat_slot *slot)
{
    while (slot != NULL) {
        struct moat_slot *next = slot->next;

        moat_pool_put(pool, slot);
        slot = next;
    }
}

/* Counts those that are made. On MOAT_OK one at least. */
static moat_status take_and_make(struct order *order, bool has_users,
                                 moat_co **out, size_t most, size_t *made)
{
    struct moat_thread *thread = moat_thread_self();
    struct moat_slot *slot, *next;
    moat_status status = find_class(thread, &order->options);

    if (status == MOAT_OK)
        status = moat_pool_get(&thread->pool, thread->stack_class, most, &slot);
    if (status != MOAT_OK)
        return status;
    for (size_t i = 0; slot != NULL; slot = next, i++, ++*made) {
        struct co *co = moat_slot_entry(slot);

        next = slot->next;
        if (has_users)
            order->options.user = order->users[i];
        status = make(co, thread, order, next == NULL);
        if (status != MOAT_OK) {
            put_all(&thread->pool, slot);
            return status;
        }
        slot->next = NULL;
        out[i] = handle_of(co);
    }
    return MOAT_OK;
}

/* Makes some, `most` at most. */
static moat_status create(struct order *order, void *const *users,
                          moat_co **out, size_t most, size_t *made)
{
    moat_status status;

    look(order, users, out, most);
    status = check(order);
    if (status == MOAT_OK)
        status = take_and_make(order, users != NULL, out, most, made);
    free(order->name);
    return status;
}

/* The engine's own part, which no deadline cuts. */
static moat_status create_held(struct order *order, void *const *users,
                               moat_co **out, size_t most, size_t *made)
{
    moat_status status = moat_hold_begin(MOAT_HOLD_BYTES);

    if (status != MOAT_OK)
        return status;
    status = moat_thread_ready();
    moat_altstack_harden();
    if (status == MOAT_OK)
        status = create(order, users, out, most, made);
    moat_hold_end();
    return status;
}

moat_status moat_co_create_slow(moat_co **out, moat_entry entry,
                                const moat_co_options *asked)
{
    struct order order;
    size_t made = 0;
    moat_status status;

    if (out == NULL || entry == NULL)
        return MOAT_E_INVAL;
    order.entry = entry;
    status = resolve(asked, &order.options);
    if (status != MOAT_OK)
        return status;
    return create_held(&order, NULL, out, 1, &made);
}

/* The same symbol as the inline function's, for foreign-function interfaces. */
extern __typeof__(moat_co_create_slow) create_outline __asm__("moat_co_create")
    __attribute__((alias("moat_co_create_slow"), visibility("default")));

/* Some at a time, so that others wait for none of the locks for long, and a
 * deadline comes; and *done is right whenever one cuts it. */
moat_status moat_co_create_n(moat_co **out, moat_entry entry,
                             const moat_co_options *asked, void *const *users,
                             size_t count, size_t *done)
{
    struct order order;
    moat_status status;

    if (out == NULL || entry == NULL || done == NULL)
        return MOAT_E_INVAL;
    *done = 0;
    order.entry = entry;
    status = resolve(asked, &order.options);
    if (asked == NULL && users == NULL && moat_trap_current() == NULL)
        *done = take_spares(out, entry, count);
    while (status == MOAT_OK && *done < count) {
        size_t most = count - *done;

        status = create_held(
            &order, users != NULL ? users + *done : NULL, out + *done,
            most < MOAT_ADVICE_RANGES ? most : MOAT_ADVICE_RANGES, done);
    }
    return status;
}
