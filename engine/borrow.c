/*
 * borrow.c: coroutines in memory that the host lends: nothing of theirs is
 * allocated, and they are no spares.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/borrow.h"

#include <string.h>

#include "engine/make.h"
#include "engine/options.h"
#include "engine/thread.h"
#include "stack/lent.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "trap/source.h"

#define MIN_USABLE_BYTES ((size_t)4 << 10)

/* Entry, cold part, and what the memory needs besides, wherever it begins. */
#define RECORD_BYTES (CO_ENTRY_BYTES + CO_COLD_BYTES + MOAT_LENT_BYTES)
_Static_assert(RECORD_BYTES <= MOAT_CO_RECORD_BYTES,
               "hosts reserve too little for the record");

/* --- sizes ---------------------------------------------------------------- */

static size_t name_bytes(const char *name)
{
    return name != NULL ? strlen(name) + 1 : 0;
}

/* Returns 0 if the sum is no size. */
static size_t sum_of(size_t usable_bytes, size_t guard_bytes, const char *name)
{
    size_t guard, sum;

    if (!moat_size_to_pages(guard_bytes, &guard) ||
        !moat_size_add(usable_bytes, MOAT_CO_RECORD_BYTES, &sum) ||
        !moat_size_add(sum, guard, &sum) ||
        !moat_size_add(sum, name_bytes(name), &sum))
        return 0;
    return sum;
}

size_t moat_co_size(size_t usable_bytes, const moat_co_options *options)
{
    if (usable_bytes < MIN_USABLE_BYTES)
        usable_bytes = MIN_USABLE_BYTES;
    if (options == NULL)
        return sum_of(usable_bytes, 0, NULL);
    return sum_of(usable_bytes, options->guard_bytes, options->name);
}

/* --- checks --------------------------------------------------------------- */

static moat_status check_size(const moat_co_options *options)
{
    size_t needed =
        sum_of(MIN_USABLE_BYTES, options->guard_bytes, options->name);

    if (options->stack_bytes < needed)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->stack_bytes is %u: memory of the "
                                  "caller's must have at least %u, see "
                                  "moat_co_size",
                                  options->stack_bytes, needed);
    return MOAT_OK;
}

/* A guard changes the protection of pages, so none may be shared with other
 * data. */
static moat_status check_guard(const moat_co_options *options)
{
    if (options->guard_bytes != 0 &&
        (uintptr_t)options->stack_memory % moat_page_bytes() != 0)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->stack_memory is %x: with a guard "
                                  "it must be a multiple of the page size, %u",
                                  (uintptr_t)options->stack_memory,
                                  moat_page_bytes());
    return MOAT_OK;
}

static moat_status check_place(const moat_co_options *options)
{
    uintptr_t begin = (uintptr_t)options->stack_memory, end;
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

    if (!moat_size_add(begin, options->stack_bytes, &end))
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->stack_memory is %x, bytes %u: it "
                                  "exceeds the address space",
                                  begin, options->stack_bytes);
    if (sp >= begin && sp < end)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->stack_memory is %x, bytes %u: the "
                                  "caller runs there",
                                  begin, options->stack_bytes);
    return MOAT_OK;
}

moat_status moat_borrow_check(const moat_co_options *options)
{
    moat_status status = check_guard(options);

    if (status == MOAT_OK)
        status = check_size(options);
    return status == MOAT_OK ? check_place(options) : status;
}

/* --- make and return ------------------------------------------------------ */

void moat_borrow_touch(const moat_co_options *options)
{
    uintptr_t begin = (uintptr_t)options->stack_memory;
    uintptr_t end = begin + options->stack_bytes, low;
    size_t bytes = sum_of(MIN_USABLE_BYTES, 0, options->name);

    for (low = moat_page_of(end - bytes); low < end; low += moat_page_bytes()) {
        volatile unsigned char *byte =
            (volatile unsigned char *)(low > begin ? low : begin);

        *byte = *byte;
    }
}

static struct moat_loan loan_of(const moat_co_options *options)
{
    const struct moat_loan loan = {
        .begin = (uintptr_t)options->stack_memory,
        .bytes = options->stack_bytes,
        .guard_bytes = options->guard_bytes,
        .name_bytes = name_bytes(options->name),
    };

    return loan;
}

/* A source of faults must know of the guard. */
static moat_status take(const struct moat_loan *loan, struct moat_slot **out)
{
    moat_status status = moat_lent_take(loan, out);

    if (status != MOAT_OK)
        return status;
    status = moat_trap_watch_arena(loan->begin, loan->bytes);
    if (status != MOAT_OK)
        moat_lent_return(*out, true);
    return status;
}

moat_status moat_borrow_make(const struct spec *filled, moat_entry entry,
                             void *user, struct co **out)
{
    const struct moat_loan loan = loan_of(&filled->options);
    struct moat_slot *slot;
    moat_status status = take(&loan, &slot);

    if (status != MOAT_OK)
        return status;
    *out = moat_slot_entry(slot);
    return moat_make(*out, &moat_thread_self()->homes.loose, filled, entry,
                     user);
}

bool moat_borrow_return(struct co *co)
{
    const struct moat_slot *slot = &co->slot;

    if (!moat_slot_is_lent(slot))
        return false;
    moat_trap_unwatch_arena(slot->arena->begin);
    moat_lent_return(slot, owner_of(co) == moat_thread_self());
    return true;
}
