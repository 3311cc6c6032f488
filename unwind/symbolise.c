/*
 * symbolise.c: asks for what lies at an address: the cache, the exported
 * symbols, then the files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/symbolise.h"

#include <link.h>
#include <string.h>

#include "unwind/lines.h"
#include "unwind/modules.h"
#include "unwind/objects.h"
#include "unwind/symbol_cache.h"
#include "unwind/walk_libunwind.h"
#include "unwind/walks.h"

/* Of the cache. */
pthread_mutex_t moat_symbols_lock = PTHREAD_MUTEX_INITIALIZER;

struct lookup {
    uintptr_t pc;
    bool with_lines;
    uint64_t identity; /* of the file, or 0        */
    bool identified;   /* the identity is known    */
    bool known;        /* it was in the cache      */
    struct moat_symbol *out;
};

static bool look_in_cache(const struct lookup *lookup)
{
    bool known;

    moat_lock(&moat_symbols_lock);
    known = moat_symbol_cache_find(lookup->pc, lookup->identity, lookup->out);
    moat_unlock(&moat_symbols_lock);
    return known;
}

static void keep_in_cache(const struct lookup *lookup)
{
    moat_lock(&moat_symbols_lock);
    moat_symbol_cache_store(lookup->pc, lookup->identity, lookup->out);
    moat_unlock(&moat_symbols_lock);
}

/* Called for the first object alone: the dynamic linker's iteration is used for
 * its lock, under which no file is unloaded. */
static int look_at_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct lookup *lookup = arg;
    uintptr_t pc = lookup->pc;

    (void)info;
    (void)size;
    lookup->identified = moat_object_identity(pc, &lookup->identity);
    lookup->known = lookup->identified && look_in_cache(lookup);
    if (!lookup->known)
        moat_module_describe(pc, lookup->out);
    return 1;
}

/* libunwind reads the file's full symbol table, if it has one: its answer is
 * better if it is nearer. */
static void ask_unwinder(uintptr_t pc, struct moat_symbol *out)
{
    char name[sizeof out->function];
    uintptr_t offset;

    bool named;

    moat_walk_begin();
    named = out->module[0] != '\0' &&
            moat_unwind_name(pc, name, sizeof name, &offset);
    moat_walk_end();
    if (!named)
        return;
    if (out->function[0] != '\0' && offset >= out->offset)
        return;
    memcpy(out->function, name, sizeof name);
    out->offset = offset;
}

static void ask_files(const struct lookup *lookup)
{
    moat_files_find(lookup->pc, lookup->identity, lookup->with_lines,
                    lookup->out);
    if (!moat_lines_available())
        ask_unwinder(lookup->pc, lookup->out);
    if (lookup->identified && lookup->with_lines)
        keep_in_cache(lookup);
}

void moat_symbolise(uintptr_t pc, enum moat_names names,
                    struct moat_symbol *out)
{
    struct lookup lookup = {
        .pc = pc, .with_lines = names == MOAT_NAMES_LINES, .out = out};

    memset(out, 0, sizeof *out);
    if (names == MOAT_NAMES_EXPORTS)
        moat_module_describe(pc, out);
    if (names <= MOAT_NAMES_EXPORTS)
        return;
    (void)dl_iterate_phdr(look_at_module, &lookup);
    if (!lookup.known)
        ask_files(&lookup);
}
