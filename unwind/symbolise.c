/*
 * symbolise.c: what lies at an address.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>

#include "unwind/row.h"
#include "unwind/symbol_cache.h"

/* Neither libdwfl nor the cache has a locking of its own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void moat_symbols_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void moat_symbols_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

/* libunwind reads the file's full symbol table, where it has one: prefer its
 * answer if it is nearer. */
static void ask_unwinder(uintptr_t pc, struct moat_symbol *out)
{
    char name[sizeof out->function];
    uintptr_t offset;

    if (out->module[0] == '\0' ||
        !moat_unwind_name(pc, name, sizeof name, &offset))
        return;
    if (out->function[0] != '\0' && offset >= out->offset)
        return;
    memcpy(out->function, name, sizeof name);
    out->offset = offset;
}

static void find(uintptr_t pc, uint64_t identity, struct moat_symbol *out)
{
    moat_module_describe(pc, out);
    moat_lines_find(pc, identity, out);
    if (!moat_lines_available())
        ask_unwinder(pc, out);
}

void moat_symbolise(uintptr_t pc, bool with_files, struct moat_symbol *out)
{
    uint64_t identity = 0;

    memset(out, 0, sizeof *out);
    if (!with_files) {
        moat_module_describe(pc, out);
        return;
    }
    moat_symbols_lock();
    if (!moat_object_identity(pc, &identity)) {
        find(pc, identity, out);
    } else if (!moat_symbol_cache_find(pc, identity, out)) {
        find(pc, identity, out);
        moat_symbol_cache_store(pc, identity, out);
    }
    moat_symbols_unlock();
}
