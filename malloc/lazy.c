/*
 * lazy.c: binds functions that would be bound at their first call.
 *
 * Such a call enters the dynamic linker on the caller's stack, where an
 * overflow of a guest's would happen inside. What dlopen loads is bound at once
 * (linker.c). The files that came with the program were loaded before, the C
 * library among them: their words for such functions are filled in here, when
 * this library is loaded, with what the dynamic linker would find. All of these
 * files search the program's scope.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <moat/malloc.h>

#include "malloc/owner.h"
#include "malloc/plt.h"

/* A file's tables, as its dynamic section names them. */
struct tables {
    const struct dl_phdr_info *info; /* NULL: not asked for */
    ElfW(Addr) base;
    const char *names;
    const ElfW(Sym) * symbols;
    const ElfW(Half) * versions;
    const char *needed; /* ElfW(Verneed) */
    size_t needed_count;
    const ElfW(Rela) * jumps;
    size_t jump_count;
    bool is_rela;
};

/* The dynamic linker has added the base where the section can be written. */
static const void *pointer(const struct tables *tables, ElfW(Addr) value)
{
    return (const void *)(value < tables->base ? tables->base + value : value);
}

static void read_entry(const ElfW(Dyn) * entry, struct tables *out)
{
    const void *table = pointer(out, entry->d_un.d_ptr);

    switch (entry->d_tag) {
    case DT_STRTAB:
        out->names = table;
        break;
    case DT_SYMTAB:
        out->symbols = table;
        break;
    case DT_VERSYM:
        out->versions = table;
        break;
    case DT_VERNEED:
        out->needed = table;
        break;
    case DT_VERNEEDNUM:
        out->needed_count = entry->d_un.d_val;
        break;
    case DT_JMPREL:
        out->jumps = table;
        break;
    case DT_PLTRELSZ:
        out->jump_count = entry->d_un.d_val / sizeof *out->jumps;
        break;
    case DT_PLTREL:
        out->is_rela = entry->d_un.d_val == DT_RELA;
        break;
    default:
        break;
    }
}

/* False: the file has no functions of that kind. */
static bool read_tables(const struct dl_phdr_info *info, struct tables *out)
{
    *out = (struct tables){.info = info, .base = info->dlpi_addr};
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const ElfW(Dyn) *entry =
            (const void *)(info->dlpi_addr + header->p_vaddr);

        if (header->p_type != PT_DYNAMIC)
            continue;
        for (; entry->d_tag != DT_NULL; entry++)
            read_entry(entry, out);
    }
    return out->is_rela && out->jumps != NULL && out->symbols != NULL &&
           out->names != NULL;
}

static bool is_own_code(const struct dl_phdr_info *info, uintptr_t address)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];

        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0 &&
            address - info->dlpi_addr - header->p_vaddr < header->p_memsz)
            return true;
    }
    return false;
}

static uintptr_t *slot_of(const struct tables *tables, size_t i)
{
    return (uintptr_t *)(tables->base + tables->jumps[i].r_offset);
}

static bool is_unbound(const struct tables *tables, size_t i)
{
    return moat_plt_is_jump(ELF64_R_TYPE(tables->jumps[i].r_info)) &&
           is_own_code(tables->info, *slot_of(tables, i)) &&
           moat_plt_binds(*slot_of(tables, i));
}

/* --- binding ---------------------------------------------------------------
 */

/* Returns the name of the version that a symbol needs; NULL: none. */
static const char *version_of(const struct tables *tables, size_t symbol)
{
    const char *at = tables->needed;
    unsigned number;

    if (tables->versions == NULL || at == NULL)
        return NULL;
    number = tables->versions[symbol] & 0x7fffu;
    for (size_t i = 0; i < tables->needed_count; i++) {
        const ElfW(Verneed) *need = (const void *)at;
        const char *aux_at = at + need->vn_aux;

        for (size_t j = 0; j < need->vn_cnt; j++) {
            const ElfW(Vernaux) *aux = (const void *)aux_at;

            if (aux->vna_other == number)
                return tables->names + aux->vna_name;
            aux_at += aux->vna_next;
        }
        at += need->vn_next;
    }
    return NULL;
}

/* A definition, with the file that it is in. */
struct definition {
    void *address;            /* NULL: none                                 */
    const ElfW(Sym) * symbol; /* NULL: what a function of the file has chosen
                                 for this CPU                               */
    struct tables tables;
};

static struct definition describe(void *address)
{
    struct definition out = {.address = address};
    struct link_map *file = NULL;
    Dl_info info;

    if (address == NULL ||
        dladdr1(address, &info, (void **)&out.symbol, RTLD_DL_SYMENT) == 0 ||
        dladdr1(address, &info, (void **)&file, RTLD_DL_LINKMAP) == 0 ||
        file == NULL) {
        out.address = NULL;
        return out;
    }
    out.tables.base = file->l_addr;
    for (const ElfW(Dyn) *entry = file->l_ld; entry->d_tag != DT_NULL; entry++)
        read_entry(entry, &out.tables);
    return out;
}

/* A definition without a version stands for every version. dlvsym passes it
 * over, a relocation does not. */
static bool has_no_version(const struct definition *found)
{
    const struct tables *tables = &found->tables;

    return found->symbol != NULL &&
           (tables->versions == NULL ||
            (tables->versions[found->symbol - tables->symbols] & 0x7fff) <= 1);
}

/* A program that is not position-independent may have a stub for the address of
 * a function of another file. A search then finds the stub, which leads to the
 * word to fill in. */
static bool is_stub(const struct definition *found)
{
    return found->symbol != NULL && found->symbol->st_shndx == SHN_UNDEF;
}

/* Finds what a relocation would. False: that is not clear. */
static bool find(const char *name, const char *version, void **out)
{
    struct definition first = describe(dlsym(RTLD_DEFAULT, name));

    if (first.address != NULL && is_stub(&first))
        return false;
    if (version != NULL && (first.address == NULL || !has_no_version(&first)))
        first = describe(dlvsym(RTLD_DEFAULT, name, version));
    *out = first.address;
    return first.address == NULL || !is_stub(&first);
}

/* A function that is defined nowhere fails at its call, as without this
 * library. If the file can do without it, a relocation writes 0. */
static void bind_one(const struct tables *tables, size_t i)
{
    size_t number = ELF64_R_SYM(tables->jumps[i].r_info);
    const ElfW(Sym) *symbol = &tables->symbols[number];
    void *found;

    if (find(tables->names + symbol->st_name, version_of(tables, number),
             &found) &&
        (found != NULL || ELF64_ST_BIND(symbol->st_info) == STB_WEAK))
        *(void *volatile *)slot_of(tables, i) = found;
}

static int bind_file(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct tables tables;

    (void)bytes;
    (void)arg;
    if (!read_tables(info, &tables))
        return 0;
    for (size_t i = 0; i < tables.jump_count; i++) {
        if (is_unbound(&tables, i))
            bind_one(&tables, i);
    }
    return 0;
}

__attribute__((constructor)) static void bind_all(void)
{
    (void)dl_iterate_phdr(bind_file, NULL);
}

/* --- what is left ----------------------------------------------------------
 */

/* The program comes first, and has no name here. */
static int find_unbound(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    const char **out = arg;
    struct tables tables;

    (void)bytes;
    if (!read_tables(info, &tables))
        return 0;
    for (size_t i = 0; i < tables.jump_count; i++) {
        if (is_unbound(&tables, i)) {
            *out = info->dlpi_name != NULL && info->dlpi_name[0] != '\0'
                       ? info->dlpi_name
                       : "the program";
            return 1;
        }
    }
    return 0;
}

moat_status moat_malloc_check(const char **out)
{
    const char *unbound = NULL;

    (void)dl_iterate_phdr(find_unbound, &unbound);
    if (out != NULL)
        *out = unbound;
    return unbound == NULL
               ? MOAT_OK
               : moat_error_note(MOAT_E_UNSUPPORTED,
                                 "a file has functions that are bound late: "
                                 "link it with -z now, or set LD_BIND_NOW=1",
                                 0, 0);
}
