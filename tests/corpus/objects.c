/*
 * objects.c: finds the loaded objects and copies their variables.
 *
 * SPDX-License-Identifier: MIT
 */
#include "objects.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_OBJECTS 512
#define MAX_RANGES  (2 * MAX_OBJECTS)
/* glibc's record of a thread, at the thread pointer, has 2304 bytes in 2.36. */
#define THREAD_RECORD_BYTES ((size_t)2304)

/* Symbols that lie in the C library and in the dynamic linker even if their
 * other functions are replaced. */
void *__libc_malloc(size_t bytes);
struct module_offset {
    unsigned long module, offset;
};
void *__tls_get_addr(struct module_offset *where);

struct span {
    uintptr_t start, end;
};

/* Each from the first to the last segment. */
static struct span c_library, linker, runner;

/* Variables of the guest and their copy. */
struct kept {
    char *at, *copy;
    size_t bytes;
};

static struct kept kept[MAX_RANGES];
static size_t kept_count;

static struct span extent(const struct dl_phdr_info *info)
{
    struct span span = {UINTPTR_MAX, 0};

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD)
            continue;
        if (start < span.start)
            span.start = start;
        if (start + segment->p_memsz > span.end)
            span.end = start + segment->p_memsz;
    }
    return span;
}

static bool contains(const struct span *span, uintptr_t address)
{
    return address >= span->start && address < span->end;
}

static int find_c_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct span span = extent(info);

    (void)size;
    (void)arg;
    if (contains(&span, (uintptr_t)&__libc_malloc))
        c_library = span;
    if (contains(&span, (uintptr_t)&__tls_get_addr))
        linker = span;
    if (contains(&span, (uintptr_t)&objects_keep))
        runner = span;
    return 0;
}

bool objects_open(void)
{
    (void)dl_iterate_phdr(find_c_library, NULL);
    return c_library.end != 0 && linker.end != 0;
}

bool objects_is_linker(const void *code)
{
    return contains(&linker, (uintptr_t)code);
}

bool objects_is_c_library(const void *code)
{
    return contains(&c_library, (uintptr_t)code) || objects_is_linker(code);
}

/* Returns the calling thread's variables of an object, or NULL. */
static void *thread_variables(const struct dl_phdr_info *info)
{
    struct module_offset where = {info->dlpi_tls_modid, 0};

    return info->dlpi_tls_modid != 0 ? __tls_get_addr(&where) : NULL;
}

/* Memory in which the C library keeps references */

struct roots {
    struct heap_root *out;
    size_t count;
};

static void add_root(struct roots *roots, uintptr_t start, size_t bytes)
{
    uintptr_t aligned = (start + 7) & ~(uintptr_t)7;

    if (roots->count == OBJECTS_ROOTS || bytes < 16)
        return;
    roots->out[roots->count].words = (const uintptr_t *)aligned;
    roots->out[roots->count].count = (start + bytes - aligned) / 8;
    roots->count++;
}

static int add_roots(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct span span = extent(info);

    (void)size;
    if (span.start != c_library.start && span.start != linker.start)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0)
            add_root(arg, info->dlpi_addr + segment->p_vaddr, segment->p_memsz);
        if (segment->p_type == PT_TLS && thread_variables(info) != NULL)
            add_root(arg, (uintptr_t)thread_variables(info), segment->p_memsz);
    }
    return 0;
}

size_t objects_c_library_memory(struct heap_root *out)
{
    struct roots roots = {out, 0};

    (void)dl_iterate_phdr(add_roots, &roots);
    add_root(&roots, (uintptr_t)pthread_self(), THREAD_RECORD_BYTES);
    return roots.count;
}

/* The guest's objects */

struct family {
    const struct link_map *maps[MAX_OBJECTS];
    size_t count;
};

static bool is_in(const struct family *family, const struct link_map *map)
{
    for (size_t i = 0; i < family->count; i++) {
        if (family->maps[i] == map)
            return true;
    }
    return false;
}

static bool is_shared_with_host(const struct link_map *map)
{
    uintptr_t dynamic = (uintptr_t)map->l_ld;

    return contains(&c_library, dynamic) || contains(&linker, dynamic) ||
           contains(&runner, dynamic);
}

static const struct link_map *loaded_as(const struct link_map *map,
                                        const char *name)
{
    while (map->l_prev != NULL)
        map = map->l_prev;
    for (; map != NULL; map = map->l_next) {
        const char *slash = strrchr(map->l_name, '/');

        if (strcmp(slash != NULL ? slash + 1 : map->l_name, name) == 0)
            return map;
    }
    return NULL;
}

static void add_family(struct family *family, const struct link_map *map)
{
    const char *names = NULL;

    if (map == NULL || is_in(family, map) || is_shared_with_host(map) ||
        family->count == MAX_OBJECTS)
        return;
    family->maps[family->count++] = map;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_STRTAB)
            names = (const char *)entry->d_un.d_ptr;
    }
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_NEEDED && names != NULL)
            add_family(family, loaded_as(map, names + entry->d_un.d_val));
    }
}

/* ---- Keeping and restoring -------------------------------------------------
 */

static bool keep_range(uintptr_t at, size_t bytes)
{
    struct kept *range = &kept[kept_count];

    if (bytes == 0)
        return true;
    if (kept_count == MAX_RANGES)
        return false;
    range->at = (char *)at;
    range->bytes = bytes;
    range->copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (range->copy == MAP_FAILED)
        return false;
    memcpy(range->copy, range->at, bytes);
    kept_count++;
    return true;
}

/* Returns the end of the part that is read-only after relocation, if the
 * segment begins with it; else the segment's start. */
static uintptr_t writable_from(const struct dl_phdr_info *info, uintptr_t start)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *relro = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + relro->p_vaddr;

        if (relro->p_type == PT_GNU_RELRO && from <= start &&
            from + relro->p_memsz > start)
            return (from + relro->p_memsz) & ~(uintptr_t)0xfff;
    }
    return start;
}

static bool is_of(const struct family *family, const struct dl_phdr_info *info)
{
    for (size_t i = 0; i < family->count; i++) {
        if (family->maps[i]->l_addr == info->dlpi_addr &&
            strcmp(family->maps[i]->l_name, info->dlpi_name) == 0)
            return true;
    }
    return false;
}

/* Returns nonzero if there is no memory. */
static int keep_object(struct dl_phdr_info *info, size_t size, void *family)
{
    bool done = true;

    (void)size;
    for (int i = 0; is_of(family, info) && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        uintptr_t from = writable_from(info, start);

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0 &&
            start + segment->p_memsz > from)
            done = done && keep_range(from, start + segment->p_memsz - from);
        if (segment->p_type == PT_TLS && thread_variables(info) != NULL)
            done = done && keep_range((uintptr_t)thread_variables(info),
                                      segment->p_memsz);
    }
    return !done;
}

bool objects_keep(void *guest)
{
    static struct family family;
    struct link_map *map = NULL;

    if (dlinfo(guest, RTLD_DI_LINKMAP, &map) != 0)
        return false;
    add_family(&family, map);
    return dl_iterate_phdr(keep_object, &family) == 0;
}

void objects_restore(void)
{
    for (size_t i = 0; i < kept_count; i++) {
        /* Unchanged parts are not written, so that their pages stay shared. */
        for (size_t at = 0, part; at < kept[i].bytes; at += part) {
            part = kept[i].bytes - at < 4096 ? kept[i].bytes - at : 4096;
            if (memcmp(kept[i].at + at, kept[i].copy + at, part) != 0)
                memcpy(kept[i].at + at, kept[i].copy + at, part);
        }
    }
}

static int count_loaded(struct dl_phdr_info *info, size_t size, void *loaded)
{
    (void)size;
    *(unsigned long long *)loaded = info->dlpi_adds;
    return 1;
}

unsigned long long objects_loaded(void)
{
    unsigned long long loaded = 0;

    (void)dl_iterate_phdr(count_loaded, &loaded);
    return loaded;
}
