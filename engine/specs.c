/*
 * specs.c: specs of the host, and the spares that it orders in advance.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/co_options.h"
#include "engine/create.h"
#include "engine/engine.h"
#include "engine/make.h"
#include "engine/nointr.h"
#include "stack/arena.h"
#include "sys/pages.h"
#include "sys/refusal.h"
#include "sys/size.h"

/* --- specs ---------------------------------------------------------------- */

static moat_status fill(struct spec *filled, const moat_co_options *asked)
{
    moat_status status = moat_spec_fill(filled, asked);

    if (status == MOAT_OK && filled->options.stack_kind == MOAT_STACK_CALLER)
        status = moat_refuse(MOAT_E_INVAL,
                             "options->stack_kind is MOAT_STACK_CALLER: a "
                             "spec's coroutines would lie in the same memory");
    return status;
}

static moat_status make(moat_spec **out, const moat_co_options *asked)
{
    struct spec filled, *spec;
    moat_status status = moat_engine_ready();

    if (status == MOAT_OK)
        status = fill(&filled, asked);
    if (status != MOAT_OK)
        return status;
    status = moat_spec_new(&filled, &spec);
    if (status == MOAT_OK)
        *out = &spec->head;
    moat_spec_clear(&filled);
    return status;
}

moat_status moat_spec_create(moat_spec **out, const moat_co_options *options)
{
    moat_status status;

    if (out == NULL)
        return moat_refuse(MOAT_E_INVAL, "out is NULL");
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    /* Faults here if the handle cannot be stored later. */
    *(moat_spec *volatile *)out = *out;
    status = make(out, options);
    moat_sealed_end();
    return status;
}

void moat_spec_destroy(moat_spec *handle)
{
    if (handle == NULL)
        return;
    moat_stack_require(MOAT_STACK_FOR_ENTRY);
    moat_sealed_enter();
    moat_thread_retire(spec_of(handle));
    moat_sealed_end();
}

/* --- spares in advance ---------------------------------------------------- */

/* At most `max`; at least one on MOAT_OK. */
static moat_status add_some(struct moat_home *home, size_t max)
{
    const struct spec *spec = spec_of(home->spec);
    struct moat_thread *thread = home->owner;
    struct moat_slot *slot, *next;
    moat_status status = moat_create_find_class(thread, spec);

    if (status != MOAT_OK)
        return status;
    moat_thread_borrow(thread, spec, max);
    status = moat_pool_get(&thread->pool, thread->stack_class, max, &slot);
    if (status != MOAT_OK)
        return status;
    for (; slot != NULL; slot = next) {
        struct co *co = moat_slot_entry(slot);

        next = slot->next;
        status = moat_make(co, home, spec, NULL, NULL);
        if (status != MOAT_OK) {
            moat_create_put_back(&thread->pool, slot);
            return status;
        }
        moat_home_put(home, co);
    }
    return MOAT_OK;
}

static void touch(uintptr_t low, uintptr_t high)
{
    size_t page = moat_page_bytes();

    for (low &= ~(page - 1); low < high; low += page) {
        volatile unsigned char *byte = (volatile unsigned char *)low;

        *byte = *byte;
    }
}

/* What the first frames of an ordinary guest write to; of the cold part, what a
 * resume under a limit does. */
static void warm(const struct co *co)
{
    const struct moat_slot *slot = &co->slot;
    size_t room = slot->base - slot->limit;
    size_t warm_bytes = 2 * moat_page_bytes();
    uintptr_t cold = (uintptr_t)cold_of(co);

    if (!moat_is_copied(co))
        touch(slot->base - (room < warm_bytes ? room : warm_bytes), slot->base);
    if (co->traits & (CO_LIMITED | CO_ACCOUNTED))
        touch(cold, cold + sizeof(struct co_cold));
}

static void warm_all(const struct moat_home *home)
{
    for (const moat_co *spare = home->spare; spare != NULL;
         spare = (const moat_co *)spare->resumer)
        warm(co_of(spare));
}

static moat_status stock(struct moat_home *home, size_t count)
{
    size_t lacking;

    if (home->max != 0)
        home->max = count > MOAT_MAX_SPARES ? count : MOAT_MAX_SPARES;
    home->prepared = count;
    if (home->spares >= count)
        return MOAT_OK;
    lacking = count - home->spares;
    return add_some(home,
                    lacking < MOAT_MAX_RANGES ? lacking : MOAT_MAX_RANGES);
}

/* A sanitizer has to be told of each coroutine when it is created. */
static moat_status prepare_some(struct spec *spec, size_t count, bool *ready)
{
    struct moat_home *home;
    moat_status status = moat_create_find_home(spec, &home);

    *ready = moat_annotate_active();
    if (status != MOAT_OK || *ready)
        return status;
    status = stock(home, count);
    *ready = home->spares >= count;
    if (*ready)
        warm_all(home);
    return status;
}

/* In groups, as moat_co_create_n. */
moat_status moat_spec_prepare(moat_spec *handle, size_t count)
{
    bool ready = false;
    moat_status status =
        handle != NULL ? MOAT_OK : moat_refuse(MOAT_E_INVAL, "spec is NULL");

    while (status == MOAT_OK && !ready) {
        status = moat_create_begin();
        if (status != MOAT_OK)
            return status;
        status = prepare_some(spec_of(handle), count, &ready);
        moat_sealed_end();
    }
    return status;
}
