/*
 * handle.c: handles of the dynamic linker that a guest passes.
 *
 * The dynamic linker takes its lock, then follows the handle: a bad one would
 * leave the lock held. A handle of glibc's is the address of the file's
 * link_map, so it is looked for in the lists of all namespaces, which the
 * dynamic linker keeps for debuggers.
 *
 * A file that another thread closes between the check and the call is not
 * noticed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/handle.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>

#include <moat/moat.h>

#include "malloc/libc_call.h"
#include "malloc/touch.h"

struct handle_call {
    struct moat_libc_call call;
    const void *handle;
    bool found;
};

static bool is_in(const struct link_map *files, const void *handle)
{
    while (files != NULL && files != handle)
        files = files->l_next;
    return files != NULL;
}

#if __GLIBC_PREREQ(2, 35)
/* Of a program's dynamic section. The symbol _r_debug may be the program's own
 * copy, which is too short for a list of namespaces. */
static const struct r_debug_extended *spaces_of(const ElfW(Dyn) * entry)
{
    while (entry->d_tag != DT_NULL && entry->d_tag != DT_DEBUG)
        entry++;
    return (const struct r_debug_extended *)entry->d_un.d_ptr;
}

static bool is_loaded(const void *handle)
{
    const struct r_debug_extended *space = spaces_of(_r_debug.r_map->l_ld);

    if (space == NULL)
        return is_in(_r_debug.r_map, handle);
    if (space->base.r_version < 2)
        return is_in(space->base.r_map, handle);
    while (space != NULL && !is_in(space->base.r_map, handle))
        space = space->r_next;
    return space != NULL;
}
#else
/* There is no list of namespaces, so a handle that dlmopen has returned cannot
 * be told from a bad one. */
static bool is_loaded(const void *handle)
{
    return is_in(_r_debug.r_map, handle) || handle != NULL;
}
#endif

/* Called with the lock without which the lists do not change. */
static int look(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct handle_call *each = arg;

    (void)info;
    (void)bytes;
    each->found = is_loaded(each->handle);
    return 1;
}

static void look_run(struct moat_libc_call *call)
{
    (void)dl_iterate_phdr(look, call);
}

void moat_handle_check(void *handle)
{
    struct handle_call each = {
        .call = {.run = look_run}, .handle = handle, .found = false};

    moat_touch_in(handle, sizeof(struct link_map));
    moat_libc_call(&each.call);
    /* It is memory, but what the dynamic linker finds there leads nowhere. */
    if (!each.found)
        moat_trap_raise_as(MOAT_TRAP_MEMORY, 0);
}
