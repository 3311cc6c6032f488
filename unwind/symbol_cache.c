/*
 * symbol_cache.c: a fixed number of packed entries, as most strings are short.
 *
 * A symbol that does not fit is not kept. An entry is stale once the file at
 * its address has another identity; a file without one has no entries.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/symbol_cache.h"

#include <stddef.h>
#include <string.h>

#define ENTRIES     512u
#define ENTRY_BYTES ((size_t)1024) /* half a megabyte in all */

struct entry {
    uint64_t identity; /* 0: free */
    uintptr_t pc;
    uintptr_t offset, module_offset;
    int line;
    unsigned inlined_count;
    int call_lines[MOAT_INLINED_MAX];
    /* function, module, file, and for each inlined one function and file */
    char text[ENTRY_BYTES - 5 * sizeof(uint64_t) -
              MOAT_INLINED_MAX * sizeof(int)];
};
_Static_assert(sizeof(struct entry) == ENTRY_BYTES, "no padding is meant");

static struct entry entries[ENTRIES];

static struct entry *entry_of(uintptr_t pc)
{
    return &entries[(pc * UINT64_C(0x9e3779b97f4a7c15)) >> 55];
}
_Static_assert(ENTRIES == 1u << (64 - 55), "the hash has as many values");

struct text {
    char *at;
    size_t left;
    bool full;
};

static void put(struct text *text, const char *string)
{
    size_t bytes = strlen(string) + 1;

    if (bytes > text->left) {
        text->full = true;
        return;
    }
    memcpy(text->at, string, bytes);
    text->at += bytes;
    text->left -= bytes;
}

/* Reads what put wrote into a buffer of the same size. */
static void get(const char **at, char *to)
{
    size_t bytes = strlen(*at) + 1;

    memcpy(to, *at, bytes);
    *at += bytes;
}

bool moat_symbol_cache_find(uintptr_t pc, uint64_t identity,
                            struct moat_symbol *out)
{
    const struct entry *entry = entry_of(pc);
    const char *at = entry->text;

    if (entry->identity != identity || entry->pc != pc)
        return false;
    out->offset = entry->offset;
    out->module_offset = entry->module_offset;
    out->location.line = entry->line;
    out->inlined_count = entry->inlined_count;
    get(&at, out->function);
    get(&at, out->module);
    get(&at, out->location.file);
    for (unsigned i = 0; i < entry->inlined_count; i++) {
        get(&at, out->inlined[i].function);
        get(&at, out->inlined[i].call.file);
        out->inlined[i].call.line = entry->call_lines[i];
    }
    return true;
}

void moat_symbol_cache_store(uintptr_t pc, uint64_t identity,
                             const struct moat_symbol *symbol)
{
    struct entry *entry = entry_of(pc);
    struct text text = {entry->text, sizeof entry->text, false};

    put(&text, symbol->function);
    put(&text, symbol->module);
    put(&text, symbol->location.file);
    for (unsigned i = 0; i < symbol->inlined_count; i++) {
        put(&text, symbol->inlined[i].function);
        put(&text, symbol->inlined[i].call.file);
        entry->call_lines[i] = symbol->inlined[i].call.line;
    }
    entry->identity = text.full ? 0 : identity;
    entry->pc = pc;
    entry->offset = symbol->offset;
    entry->module_offset = symbol->module_offset;
    entry->line = symbol->location.line;
    entry->inlined_count = symbol->inlined_count;
}
