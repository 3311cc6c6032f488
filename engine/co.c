/*
 * co.c: coroutines from create to destroy, and what can be asked of them.
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

static uintptr_t last_page_end(const struct moat_slot *slot)
{
    return (slot->base + MOAT_PAGE_BYTES - 1) & ~(MOAT_PAGE_BYTES - 1);
}

static moat_status scrub(const struct co *co)
{
    const struct moat_slot *slot = &co->activation.slot;
    uintptr_t high = last_page_end(slot);

    switch (co->activation.co.flags & MOAT_CO_SCRUB_MASK) {
    case MOAT_CO_SCRUB_ZERO:
        return moat_pages_zero(slot->limit, high);
    case MOAT_CO_SCRUB_DISCARD:
        return moat_pages_discard(slot->limit, high);
    default:
        return MOAT_OK;
    }
}

/* Back to the pool, for another. Zeroing waits until it is worth a system call;
 * dropping does not, for the memory is what it is about. A stack that cannot be
 * scrubbed must not be handed on: it is lost until the engine shuts down. */
static void give_stack(struct co *co)
{
    struct moat_thread *thread = moat_thread_self();
    struct moat_pool *pool = thread != NULL ? &thread->pool : NULL;
    struct moat_slot *slot = &co->activation.slot;
    unsigned scrubbing = co->activation.co.flags & MOAT_CO_SCRUB_MASK;

    if (scrubbing == MOAT_CO_SCRUB_DISCARD && scrub(co) != MOAT_OK)
        return;
    if (pool == NULL || scrubbing == MOAT_CO_SCRUB_ZERO ||
        moat_trim_stack_bytes() != 0)
        moat_pool_put_used(pool, slot, scrubbing == MOAT_CO_SCRUB_ZERO);
    else
        moat_pool_put(pool, slot);
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

/* Those that the inline function would take first, as it would. (In this file
 * the alias above has its name.) */
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

/* --- reset and destroy --------------------------------------------------- */

static bool is_stopped(const struct co *co)
{
    uint64_t state = co->activation.co.state;

    return state == co->activation.co.token || state == MOAT_MARK_DONE ||
           state == MOAT_MARK_TRAPPED;
}

moat_status moat_co_check_owner(const struct co *co)
{
    return co->owner == moat_thread_self() ? MOAT_OK : MOAT_E_THREAD;
}

static void end_annotations(struct co *co)
{
    const struct moat_slot *slot = &co->activation.slot;

    if (moat_annotate_active())
        moat_annotate_end(&cold_of(co)->fiber, slot->limit, slot->base);
}

static moat_entry guest_entry(const struct co *co)
{
    return moat_annotate_active() ? cold_of(co)->entry
                                  : co->activation.co.entry;
}

static moat_status reset(struct co *co)
{
    moat_status status;

    end_annotations(co);
    status = scrub(co);
    if (moat_annotate_active())
        moat_annotate_begin(&cold_of(co)->fiber);
    if (status == MOAT_OK)
        moat_resume_prepare(co, guest_entry(co));
    return status;
}

moat_status moat_co_reset(moat_co *handle)
{
    struct co *co = co_of(handle);
    moat_status status;

    if (co == NULL)
        return MOAT_E_INVAL;
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    if (!is_stopped(co) || moat_is_ending(co))
        return MOAT_E_STATE;
    status = moat_stack_reserve(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    moat_defers_run(co);
    moat_hold_enter();
    status = reset(co);
    moat_hold_end();
    return status;
}

/* A coroutine whose thread has ended belongs to whoever destroys it. */
static bool may_destroy(struct co *co)
{
    return co->activation.co.state != MOAT_MARK_FREE && is_stopped(co) &&
           (co->owner == moat_thread_self() ||
            !atomic_load(&co->owner->alive)) &&
           !moat_is_ending(co);
}

static void destroy(struct co *co)
{
    struct moat_thread *owner = co->owner;

    end_annotations(co);
    free(co->name);
    co->name = NULL;
    co->activation.co.state = MOAT_MARK_FREE;
    give_stack(co);
    moat_thread_release(owner);
}

void moat_co_destroy_slow(moat_co *handle)
{
    struct co *co = co_of(handle);

    if (co == NULL || !may_destroy(co)) {
#ifndef NDEBUG
        if (co != NULL)
            abort(); /* the caller's bug; release builds leave it alone */
#endif
        return;
    }
    moat_hold_require(MOAT_HOLD_BYTES);
    if (co->activation.co.state == co->activation.co.token)
        moat_cancel_for_destroy(co);
    moat_defers_run(co);
    moat_hold_enter();
    destroy(co);
    moat_hold_end();
}

extern __typeof__(moat_co_destroy_slow)
    destroy_outline __asm__("moat_co_destroy")
        __attribute__((alias("moat_co_destroy_slow"), visibility("default")));

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

/* --- questions ----------------------------------------------------------- */

moat_co *moat_co_current(void)
{
    struct moat_activation *activation = moat_trap_current();

    return activation != NULL ? &activation->co : NULL;
}

/* Of a coroutine whose mark says that it runs: does it, or one it resumed? Only
 * its own thread knows. */
static moat_co_state running_state(const moat_co *handle)
{
    if (co_of(handle)->owner != moat_thread_self() ||
        handle == moat_co_current())
        return MOAT_CO_RUNNING;
    return MOAT_CO_RESUMING;
}

moat_co_state moat_co_get_state(const moat_co *handle)
{
    if (handle == NULL)
        return MOAT_CO_INVALID;
    switch (handle->state) {
    case MOAT_MARK_RUNNING:
        return running_state(handle);
    case MOAT_MARK_DONE:
        return MOAT_CO_DONE;
    case MOAT_MARK_TRAPPED:
        return MOAT_CO_TRAPPED;
    case MOAT_MARK_FREE:
        return MOAT_CO_INVALID;
    default:
        return moat_arch_is_fresh(handle) ? MOAT_CO_FRESH : MOAT_CO_SUSPENDED;
    }
}

void *moat_co_user(const moat_co *handle)
{
    return handle != NULL ? co_of(handle)->user : NULL;
}

const char *moat_co_name(const moat_co *handle)
{
    const char *name = handle != NULL ? co_of(handle)->name : NULL;

    return name != NULL ? name : "";
}

static void describe_stack(const struct moat_slot *slot, uintptr_t sp,
                           moat_stack_info *out)
{
    out->base = slot->base;
    out->limit = slot->limit;
    out->guard = slot->guard;
    out->high_water = 0;
    out->used = slot->base - slot->limit;
    if (sp >= slot->limit && sp <= slot->base)
        out->used = slot->base - sp;
}

moat_status moat_stack_bounds(moat_stack_info *out)
{
    const struct moat_activation *activation = moat_trap_current();

    if (out == NULL)
        return MOAT_E_INVAL;
    if (activation == NULL)
        return MOAT_E_STATE;
    describe_stack(&activation->slot, (uintptr_t)__builtin_frame_address(0),
                   out);
    return MOAT_OK;
}

static uintptr_t stopped_sp(const struct co *co)
{
    switch (co->activation.co.state) {
    case MOAT_MARK_TRAPPED:
        return cold_of(co)->trap.regs.sp;
    case MOAT_MARK_DONE:
        return co->activation.slot.base;
    default:
        return co->activation.co.sp;
    }
}

moat_status moat_co_stack_info(const moat_co *handle, moat_stack_info *out)
{
    const struct co *co = co_of(handle);
    const struct moat_slot *slot;
    moat_stack_info info;
    uintptr_t lowest;
    moat_status status;

    if (co == NULL || out == NULL)
        return MOAT_E_INVAL;
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    if (!is_stopped(co))
        return MOAT_E_STATE;
    status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    slot = &co->activation.slot;
    status = moat_pages_lowest(slot->limit, last_page_end(slot), &lowest);
    moat_hold_end();
    if (status != MOAT_OK)
        return status;
    describe_stack(slot, stopped_sp(co), &info);
    info.high_water = lowest < slot->base ? slot->base - lowest : 0;
    *out = info;
    return MOAT_OK;
}
