/*
 * modules.c: finds the file that an address was loaded from, and the exported
 * symbol that it belongs to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/modules.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>

#include "sys/copy.h"

/* The parts of a file's dynamic section that are needed. */
struct dynamic {
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash; /* DT_GNU_HASH */
};

static bool find_object(uintptr_t pc, struct dl_find_object *out)
{
    return _dl_find_object((void *)pc, out) == 0;
}

uintptr_t moat_module_start(uintptr_t pc)
{
    struct dl_find_object object;

    return find_object(pc, &object) ? (uintptr_t)object.dlfo_map_start : 0;
}

/* glibc has relocated the pointers of a dynamic section that it could write to;
 * the kernel's vdso has a read-only one. */
static uintptr_t pointer_of(const struct link_map *map, const ElfW(Dyn) * entry)
{
    return entry->d_un.d_ptr < map->l_addr ? map->l_addr + entry->d_un.d_ptr
                                           : entry->d_un.d_ptr;
}

static bool read_dynamic(const struct link_map *map, struct dynamic *out)
{
    *out = (struct dynamic){NULL, NULL, NULL};
    if (map->l_ld == NULL)
        return false;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        uintptr_t pointer = pointer_of(map, entry);

        if (entry->d_tag == DT_SYMTAB)
            out->symbols = (const ElfW(Sym) *)pointer;
        else if (entry->d_tag == DT_STRTAB)
            out->names = (const char *)pointer;
        else if (entry->d_tag == DT_GNU_HASH)
            out->hash = (const uint32_t *)pointer;
    }
    return out->symbols != NULL && out->names != NULL && out->hash != NULL;
}

static bool is_at(const ElfW(Sym) * symbol, uintptr_t offset)
{
    return symbol->st_shndx != SHN_UNDEF && symbol->st_value <= offset &&
           ELF64_ST_TYPE(symbol->st_info) != STT_TLS &&
           (offset - symbol->st_value < symbol->st_size ||
            (symbol->st_size == 0 && offset == symbol->st_value));
}

/*
 * Finds the symbol that covers the offset; of several, the one that begins
 * last. Only the hash table leads to all defined symbols of a loaded file. It
 * consists of {number of buckets, first symbol, bloom words, shift}, the bloom
 * filter, the buckets, and the hash of each symbol from the first on; the
 * lowest bit of a hash ends a bucket's chain.
 */
static const ElfW(Sym) *
    find_symbol(const struct dynamic *dynamic, uintptr_t offset)
{
    uint32_t bucket_count = dynamic->hash[0], first = dynamic->hash[1];
    const uint32_t *buckets =
        dynamic->hash + 4 +
        dynamic->hash[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chains = buckets + bucket_count;
    const ElfW(Sym) *best = NULL;

    for (uint32_t i = 0; i < bucket_count; i++) {
        uint32_t index = buckets[i];

        if (index < first)
            continue; /* an empty bucket */
        do {
            const ElfW(Sym) *symbol = &dynamic->symbols[index];

            if (is_at(symbol, offset) &&
                (best == NULL || best->st_value < symbol->st_value))
                best = symbol;
        } while ((chains[index++ - first] & 1) == 0);
    }
    return best;
}

void moat_module_describe(uintptr_t pc, struct moat_symbol *out)
{
    struct dl_find_object object;
    const struct link_map *map;
    struct dynamic dynamic;
    const ElfW(Sym) * symbol;

    if (!find_object(pc, &object) || object.dlfo_link_map == NULL)
        return;
    map = object.dlfo_link_map;
    /* The program itself has no name there. */
    moat_copy_text(out->module, sizeof out->module,
                   map->l_name[0] != '\0' ? map->l_name
                                          : program_invocation_name);
    out->module_offset = pc - map->l_addr;
    if (!read_dynamic(map, &dynamic))
        return;
    symbol = find_symbol(&dynamic, pc - map->l_addr);
    if (symbol == NULL)
        return;
    moat_copy_text(out->function, sizeof out->function,
                   dynamic.names + symbol->st_name);
    out->offset = pc - map->l_addr - symbol->st_value;
}

static int count_changes(struct dl_phdr_info *info, size_t size, void *changes)
{
    (void)size;
    *(unsigned long long *)changes = info->dlpi_adds + info->dlpi_subs;
    return 1; /* the counts are the same in all objects */
}

unsigned long long moat_modules_changes(void)
{
    unsigned long long changes = 0;

    (void)dl_iterate_phdr(count_changes, &changes);
    return changes;
}
