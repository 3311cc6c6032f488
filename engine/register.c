/*
 * register.c: registered code and fault regions: the public functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <stdlib.h>

#include <moat/moat.h>

#include "engine/engine.h"
#include "engine/nointr.h"
#include "engine/options.h"
#include "publish/publication.h"
#include "registry/code.h"
#include "registry/grace.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "sys/supply.h"
#include "trap/own_stacks.h"
#include "trap/regions.h"
#include "unwind/cfi.h"

/* --- code ----------------------------------------------------------------- */

/* The caller's memory, which may fault, is read before any lock is taken. */
static moat_status make(const moat_code *asked, struct moat_registered **out)
{
    moat_code code;
    struct moat_cfi cfi = {NULL, 0};
    moat_status status = moat_options_copy("code", &code, sizeof code, asked,
                                           offsetof(moat_code, file));

    if (status == MOAT_OK)
        status = moat_codes_check(&code);
    if (status == MOAT_OK)
        status = moat_cfi_make(&code, &cfi);
    code.eh_frame = cfi.bytes;
    code.eh_frame_bytes = cfi.size;
    if (status == MOAT_OK)
        status = moat_publication_make(&code, out);
    free(cfi.bytes);
    return status;
}

/* What a preparation has taken stays with it, so that the next attempt needs
 * less. Under the lock. */
static moat_status prepare(const struct moat_registered *code)
{
    moat_status status = moat_codes_prepare(code);

    return status == MOAT_OK ? moat_publication_prepare(code) : status;
}

/* The registry comes first, since it can refuse. Under the lock. */
static moat_status publish(struct moat_registered *code, moat_code_id *out)
{
    moat_status status = prepare(code);

    if (status == MOAT_OK)
        status = moat_codes_add(code, out);
    if (status != MOAT_OK)
        return status;
    status = moat_publication_open(code);
    if (status != MOAT_OK)
        moat_codes_remove(code);
    return status;
}

static moat_status prepare_alone(const struct moat_registered *code)
{
    moat_status status;

    do {
        moat_lock(&moat_codes_lock);
        status = prepare(code);
        moat_unlock(&moat_codes_lock);
    } while (moat_supply_fill(status));
    return status;
}

static moat_status supply_and_publish(struct moat_registered *code,
                                      moat_code_id *out)
{
    moat_status status = MOAT_E_NOMEM;

    do {
        if (!moat_publication_supply(code))
            continue;
        moat_lock(&moat_codes_lock);
        status = publish(code, out);
        moat_unlock(&moat_codes_lock);
    } while (moat_supply_fill(status));
    return status;
}

static moat_status add_code(const moat_code *asked, moat_code_id *out)
{
    struct moat_registered *code;
    moat_status status = moat_engine_ready();

    if (status == MOAT_OK)
        status = make(asked, &code);
    if (status != MOAT_OK)
        return status;
    status = prepare_alone(code);
    if (status == MOAT_OK)
        status = supply_and_publish(code, out);
    if (status != MOAT_OK)
        free(code);
    return status;
}

static moat_status withdraw(moat_code_id id)
{
    struct moat_registered *code;

    moat_lock(&moat_codes_lock);
    code = moat_codes_named(id);
    if (code != NULL) {
        moat_publication_close(code);
        moat_codes_remove(code);
    }
    moat_unlock(&moat_codes_lock);
    if (code == NULL)
        return moat_refuse_value(MOAT_E_INVAL, "id is %u: no registered code",
                                 id);
    free(code);
    return MOAT_OK;
}

moat_status moat_code_register(const moat_code *code, moat_code_id *out)
{
    moat_code_id id = 0;
    moat_status status;

    if (code == NULL || out == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           code == NULL ? "code is NULL" : "out is NULL");
    if (moat_grace_visiting())
        return MOAT_E_STATE;
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = add_code(code, &id);
    moat_sealed_end();
    if (status == MOAT_OK)
        *out = id; /* last: it may fault */
    return status;
}

moat_status moat_code_unregister(moat_code_id id)
{
    moat_status status;

    if (moat_grace_visiting())
        return MOAT_E_STATE;
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = withdraw(id);
    moat_sealed_end();
    return status;
}

/* --- stacks that guests have made ----------------------------------------- */

static moat_status check_stack(const void *lowest, size_t bytes,
                               struct moat_range *out)
{
    uintptr_t begin = (uintptr_t)lowest;

    if (begin == 0 || bytes == 0 || !moat_size_add(begin, bytes, &out->end))
        return moat_refuse_values(
            MOAT_E_INVAL, "lowest is %x and bytes %u: no range of addresses",
            begin, bytes);
    out->begin = begin;
    return MOAT_OK;
}

moat_status moat_stack_register(const void *lowest, size_t bytes,
                                moat_stack_id *out)
{
    struct moat_range stack;
    moat_stack_id id = 0;
    moat_status status;

    if (out == NULL)
        return moat_refuse(MOAT_E_INVAL, "out is NULL");
    status = check_stack(lowest, bytes, &stack);
    if (status == MOAT_OK)
        status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = moat_own_stacks_add(&stack, &id);
    moat_sealed_end();
    if (status == MOAT_OK)
        *out = id; /* last: it may fault */
    return status;
}

moat_status moat_stack_unregister(moat_stack_id id)
{
    moat_status status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);

    if (status != MOAT_OK)
        return status;
    status = moat_own_stacks_remove(id);
    moat_sealed_end();
    return status;
}

/* --- fault regions -------------------------------------------------------- */

static moat_status add_region(const moat_fault_region_options *asked,
                              moat_fault_region *out)
{
    moat_fault_region_options options;
    moat_status status = moat_options_copy("options", &options, sizeof options,
                                           asked, sizeof *asked);

    if (status == MOAT_OK)
        status = moat_engine_ready();
    return status == MOAT_OK ? moat_regions_add(&options, out) : status;
}

moat_status moat_fault_region_register(const moat_fault_region_options *options,
                                       moat_fault_region *out)
{
    moat_status status;

    if (options == NULL || out == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           options == NULL ? "options is NULL" : "out is NULL");
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = add_region(options, out);
    moat_sealed_end();
    return status;
}

moat_status moat_fault_region_unregister(moat_fault_region region)
{
    moat_status status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);

    if (status != MOAT_OK)
        return status;
    status = moat_regions_remove(region);
    moat_sealed_end();
    return status;
}
