/*
 * code.c: registered code, as the public functions have it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stddef.h>

#include "engine/internal.h"

/* One thread at a time registers or unregisters. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void moat_code_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void moat_code_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

/* The caller's memory, which may fault, is read before the lock is taken. */
static moat_status copy(const moat_code *asked, struct moat_registered **out)
{
    moat_code code;
    moat_status status =
        moat_options_copy(&code, sizeof code, asked, offsetof(moat_code, file));

    if (status == MOAT_OK)
        status = moat_codes_check(&code);
    return status == MOAT_OK ? moat_codes_make(&code, out) : status;
}

static moat_status publish(struct moat_registered *code, moat_code_id *out)
{
    moat_status status;

    moat_code_lock();
    status = moat_codes_add(code, out);
    if (status == MOAT_OK)
        moat_perf_map_add(moat_codes_copy(code));
    moat_code_unlock();
    return status;
}

static moat_status add(const moat_code *asked, moat_code_id *out)
{
    struct moat_registered *code;
    moat_status status = copy(asked, &code);

    if (status == MOAT_OK)
        status = moat_engine_ready();
    if (status != MOAT_OK)
        return status;
    status = publish(code, out);
    if (status != MOAT_OK)
        moat_codes_free(code);
    return status;
}

static moat_status withdraw(moat_code_id id)
{
    struct moat_registered *code;

    moat_code_lock();
    code = moat_codes_named(id);
    if (code != NULL)
        moat_codes_remove(code);
    moat_code_unlock();
    moat_codes_free(code);
    return code != NULL ? MOAT_OK : MOAT_E_INVAL;
}

moat_status moat_code_register(const moat_code *code, moat_code_id *out)
{
    moat_code_id id = 0;
    moat_status status;

    if (code == NULL || out == NULL)
        return MOAT_E_INVAL;
    if (moat_grace_visiting())
        return MOAT_E_STATE;
    status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    status = add(code, &id);
    moat_hold_end();
    if (status == MOAT_OK)
        *out = id; /* behind it all: it may fault */
    return status;
}

moat_status moat_code_unregister(moat_code_id id)
{
    moat_status status;

    if (moat_grace_visiting())
        return MOAT_E_STATE;
    status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    status = withdraw(id);
    moat_hold_end();
    return status;
}
