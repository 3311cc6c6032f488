/*
 * code.c: registered code, as the public functions have it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "engine/internal.h"
#include "unwind/publication.h"

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

_Static_assert(sizeof(struct moat_publication) <=
                   MOAT_CODES_USER_WORDS * sizeof(uint64_t),
               "a registration has no room for its publication");

static struct moat_publication *publication_of(struct moat_registered *code)
{
    return moat_codes_user(code);
}

/* The room that is needed was seen in the caller's memory: it must still be
 * that of the copy. */
static moat_status make_all(const moat_code *asked,
                            struct moat_registered **out)
{
    size_t room = moat_publication_room(asked);
    moat_status status = moat_codes_make(asked, room, out);
    const moat_code *code;

    if (status != MOAT_OK)
        return status;
    code = moat_codes_copy(*out);
    if (moat_publication_room(code) > room) {
        moat_codes_free(*out);
        return MOAT_E_INVAL;
    }
    moat_publication_make(code, moat_codes_room(*out), publication_of(*out));
    return MOAT_OK;
}

/* The caller's memory, which may fault, is read before anything is held. */
static moat_status make(const moat_code *asked, struct moat_registered **out)
{
    moat_code code;
    struct moat_cfi cfi = {NULL, 0};
    moat_status status =
        moat_options_copy(&code, sizeof code, asked, offsetof(moat_code, file));

    if (status == MOAT_OK)
        status = moat_codes_check(&code);
    if (status == MOAT_OK)
        status = moat_cfi_make(&code, &cfi);
    code.eh_frame = cfi.bytes;
    code.eh_frame_bytes = cfi.size;
    if (status == MOAT_OK)
        status = make_all(&code, out);
    free(cfi.bytes);
    return status;
}

/* First of all it is known here, which finds out whether there is room. */
static moat_status publish(struct moat_registered *code, moat_code_id *out)
{
    moat_status status = moat_codes_add(code, out);

    if (status != MOAT_OK)
        return status;
    status = moat_publication_open(moat_codes_copy(code), publication_of(code));
    if (status != MOAT_OK) {
        moat_codes_remove(code);
        return status;
    }
    moat_perf_map_add(moat_codes_copy(code));
    moat_jitdump_add(moat_codes_copy(code));
    return MOAT_OK;
}

static moat_status add(const moat_code *asked, moat_code_id *out)
{
    struct moat_registered *code;
    moat_status status = moat_engine_ready();

    if (status == MOAT_OK)
        status = make(asked, &code);
    if (status != MOAT_OK)
        return status;
    moat_code_lock();
    status = publish(code, out);
    moat_code_unlock();
    if (status != MOAT_OK)
        moat_codes_free(code);
    return status;
}

static moat_status withdraw(moat_code_id id)
{
    struct moat_registered *code;

    moat_code_lock();
    code = moat_codes_named(id);
    if (code != NULL) {
        moat_publication_close(moat_codes_copy(code), publication_of(code));
        moat_codes_remove(code);
    }
    moat_code_unlock();
    if (code == NULL)
        return MOAT_E_INVAL;
    moat_codes_free(code);
    return MOAT_OK;
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
