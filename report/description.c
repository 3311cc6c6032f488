/*
 * description.c: all that is known about a trapped coroutine.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/description.h"

#include <errno.h>
#include <sys/mman.h>

#include "engine/nointr.h"
#include "engine/room.h"
#include "sys/refusal.h"

/* In a build without an unwinder the trap record is all there is. */
static moat_status fill_in(struct moat_description *description,
                           uintptr_t from_sp)
{
    moat_status status =
        moat_backtrace_both_ends(description->co, from_sp, &description->ends);

    /* Known from the walk that was just made. */
    if (status == MOAT_OK)
        status =
            moat_co_lock_function(description->co, &description->lock_function);
    return status == MOAT_E_UNSUPPORTED ? MOAT_OK : status;
}

static moat_status map_description(const moat_co *co,
                                   const struct moat_outlet *outlet,
                                   const moat_trap_info *info,
                                   uintptr_t from_sp,
                                   struct moat_description **out)
{
    struct moat_description *description =
        mmap(NULL, sizeof *description, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_status status;

    if (description == MAP_FAILED)
        return MOAT_E_NOMEM;
    description->co = co;
    description->info = *info;
    moat_text_begin(&description->text, outlet, description->buffer,
                    sizeof description->buffer);
    status = fill_in(description, from_sp);
    if (status == MOAT_OK) {
        moat_scripts_read(&description->ends, &description->scripts);
        description->names = moat_names_possible();
        *out = description;
    } else {
        (void)munmap(description, sizeof *description);
    }
    return status;
}

moat_status moat_description_begin(const moat_co *co,
                                   const struct moat_outlet *outlet,
                                   uintptr_t from_sp,
                                   struct moat_description **out)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_status status;

    if (co == NULL)
        return moat_refuse(MOAT_E_INVAL, "co is NULL");
    if (outlet->put == NULL && outlet->fd < 0)
        return moat_refuse_value(MOAT_E_INVAL, "fd is %d: no descriptor",
                                 (uint64_t)outlet->fd);
    /* First: the dynamic linker needs some to find what reads the record. */
    status = moat_room_begin(MOAT_STACK_FOR_WALK);
    if (status != MOAT_OK)
        return status;
    status = moat_co_trap_info(co, &info);
    if (status == MOAT_OK)
        status = map_description(co, outlet, &info, from_sp, out);
    if (status != MOAT_OK)
        moat_nointr_end();
    return status;
}

moat_status moat_description_end(struct moat_description *description)
{
    moat_status status = moat_text_end(&description->text);
    int error = errno; /* of a write that failed */

    (void)munmap(description, sizeof *description);
    moat_nointr_end();
    errno = error;
    return status;
}
