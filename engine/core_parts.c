/*
 * core_parts.c: what of the process's memory goes into the core of one guest.
 *
 * As much as a debugger needs to unwind, to name what it finds and to list the
 * coroutines; docs/debugging.md has the rule. The heap is not in: it is the
 * other guests' too. What the debugger needs of it is picked out.
 *
 * Other threads go on meanwhile. Whatever they may change is read through
 * moat_core_read, and a word that makes no sense leads to a part that is
 * bounded, or to none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <link.h>
#include <string.h>

#include "arch/core.h"
#include "engine/core.h"
#include "stack/arena.h"
#include "stack/size.h"

/* The code around the fault, in case that no file has it. */
#define CODE_BYTES ((uintptr_t)256)

/* A thread's variables lie below its pointer, what its library keeps of it
 * above. */
#define BELOW_THREAD ((uintptr_t)16 << 10)
#define ABOVE_THREAD ((uintptr_t)4 << 10)

#define STRING_BYTES ((size_t)256)
#define LIBRARIES    4096

static uintptr_t lower(uintptr_t a, uintptr_t b)
{
    return a < b ? a : b;
}

static uintptr_t capped(uintptr_t start, uintptr_t end)
{
    return end - start < CORE_MAP_BYTES ? end : start + CORE_MAP_BYTES;
}

/* In whole pages: eu-stack takes every part for one that begins with a page, as
 * the kernel's do. What it does not read goes in by the byte. */
static void add_pages(struct core *core, uintptr_t start, uintptr_t end)
{
    start -= start % MOAT_PAGE_BYTES;
    moat_core_add(core, start, end + (0 - end) % MOAT_PAGE_BYTES);
}

static void add_string(struct core *core, const char *string,
                       void (*add)(struct core *, uintptr_t, uintptr_t))
{
    uintptr_t start = (uintptr_t)string;
    char copy[STRING_BYTES];
    const char *end;

    if (string == NULL || !moat_core_read(core, start, copy, sizeof copy))
        return;
    end = memchr(copy, '\0', sizeof copy);
    add(core, start,
        start + (end != NULL ? (size_t)(end - copy) + 1 : sizeof copy));
}

/* --- stacks -------------------------------------------------------------- */

/* From where a stack is in use: below sp is what a leaf function keeps there.
 * An overflow uses it all, and a stack pointer that was lost tells nothing. */
static uintptr_t used_from(const struct moat_slot *slot, uintptr_t sp)
{
    if (sp < slot->limit + MOAT_ARCH_RED_ZONE || sp > slot->base)
        return slot->limit;
    return sp - MOAT_ARCH_RED_ZONE;
}

static bool is_on(const struct moat_slot *slot, uintptr_t sp)
{
    return sp >= slot->limit && sp < slot->base;
}

/* The guest's own, whatever is left of it. */
static void add_guest(struct core *core)
{
    const struct moat_slot *slot = &core->co->activation.slot;
    const moat_regs *regs = &cold_of(core->co)->trap.regs;

    add_pages(core, used_from(slot, regs->sp), slot->base);
    if (regs->pc > CODE_BYTES)
        add_pages(core, regs->pc - CODE_BYTES, regs->pc + CODE_BYTES);
}

/* Those of the coroutines that wait for the caller, from the innermost on.
 * Gives where the thread's own stack was left: at the caller, if none does. */
static uintptr_t add_resumers(struct core *core)
{
    const struct moat_co *each = moat_co_current();
    uintptr_t sp = core->from_sp;

    while (each != NULL) {
        const struct moat_slot *slot = &co_of(each)->activation.slot;

        /* A service may run on the stack of one further out. */
        if (is_on(slot, core->from_sp))
            sp = lower(sp, core->from_sp);
        add_pages(core, used_from(slot, sp), slot->base);
        sp = each->resumer_sp;
        each = moat_resumer_of(each);
    }
    return sp;
}

/* --- mappings ------------------------------------------------------------ */

struct mappings {
    struct core *core;
    uintptr_t stack; /* in use from here on                           */
    struct core_map before;
    bool data; /* the one before is a module's data                   */
};

static bool is_file(const struct core_map *map)
{
    return map->path[0] == '/';
}

/* For NT_FILE: what a debugger finds again in a file. */
static void note_file(struct core *core, const struct core_map *map)
{
    size_t length = strlen(map->path) + 1;

    if (core->file_count == CORE_FILES_MAX ||
        length > sizeof core->names - core->names_used)
        return;
    core->files[core->file_count++] =
        (struct core_file){map->start, map->end, map->offset / MOAT_PAGE_BYTES};
    memcpy(core->names + core->names_used, map->path, length);
    core->names_used += length;
}

/* The first page of a program or library tells which build it is. */
static void add_header(struct core *core, const struct core_map *map)
{
    char magic[SELFMAG];

    if (map->offset == 0 && map->readable &&
        moat_core_read(core, map->start, magic, sizeof magic) &&
        memcmp(magic, ELFMAG, SELFMAG) == 0)
        add_pages(core, map->start, map->start + MOAT_PAGE_BYTES);
}

static void add_file(struct mappings *maps, const struct core_map *map)
{
    const struct core_map *before = &maps->before;

    note_file(maps->core, map);
    add_header(maps->core, map);
    /* Of a program or library, that is: what maps the whole of a file so, as
     * libdw does, reads it. */
    maps->data =
        map->private && map->readable && map->writable && map->offset != 0;
    if (!maps->data)
        return;
    /* What was read-only from the end of relocation on lies in front of it. */
    if (before->end == map->start && before->private && before->readable &&
        !before->executable)
        add_pages(maps->core, before->start,
                  capped(before->start, before->end));
    add_pages(maps->core, map->start, capped(map->start, map->end));
}

static void add_anonymous(struct mappings *maps, const struct core_map *map)
{
    bool data = maps->data && maps->before.end == map->start && map->private &&
                map->readable && map->writable && map->path[0] == '\0';

    /* What of a module's data its file does not hold comes behind the rest. */
    if (data || strcmp(map->path, "[vdso]") == 0)
        add_pages(maps->core, map->start, capped(map->start, map->end));
    maps->data = data;
}

static bool lies_in(const struct core_map *map, uintptr_t address)
{
    return address >= map->start && address < map->end;
}

static void see_map(const struct core_map *map, void *arg)
{
    struct mappings *maps = arg;
    struct core *core = maps->core;
    uintptr_t thread = moat_arch_thread_pointer();

    if (is_file(map))
        add_file(maps, map);
    else
        add_anonymous(maps, map);
    if (lies_in(map, thread))
        add_pages(core, thread - lower(thread - map->start, BELOW_THREAD),
                  thread + lower(map->end - thread, ABOVE_THREAD));
    /* The frames between may be on it too, where a service runs. */
    if (lies_in(map, maps->stack)) {
        uintptr_t from = maps->stack - MOAT_ARCH_RED_ZONE;

        if (lies_in(map, core->from_sp))
            from = lower(from, core->from_sp);
        add_pages(core, from, capped(from, map->end));
    }
    maps->before = *map;
    maps->before.path = is_file(map) ? "/" : "";
}

/* --- the dynamic linker's list ------------------------------------------- */

/* The libraries that are loaded, by which a debugger finds their files. */
static void add_libraries(struct core *core)
{
    struct link_map map, *at = _r_debug.r_map;

    for (int i = 0; i < LIBRARIES && at != NULL; i++, at = map.l_next) {
        if (!moat_core_read(core, (uintptr_t)at, &map, sizeof map))
            return;
        add_pages(core, (uintptr_t)at, (uintptr_t)at + sizeof map);
        add_string(core, map.l_name, add_pages);
    }
}

/* --- all coroutines ------------------------------------------------------ */

static void add_other_stack(struct core *core, const struct moat_slot *slot,
                            uintptr_t sp)
{
    uintptr_t from = used_from(slot, sp);

    if (slot->base - from > CORE_OTHER_BYTES - core->other_bytes)
        return;
    core->other_bytes += slot->base - from;
    moat_core_add(core, from, slot->base);
}

/* `co` is a copy of the entry whose cold part is at `cold`. */
static void add_other(struct core *core, const struct co *co, uintptr_t cold)
{
    const moat_co *control = &co->activation.co;
    const struct moat_slot *slot = &co->activation.slot;
    struct moat_trap_record trap;

    if (control->state == MOAT_MARK_FREE || control->token == 0)
        return;
    add_string(core, co->name, moat_core_add);
    switch (control->state) {
    case MOAT_MARK_DONE:
    case MOAT_MARK_RUNNING: /* where, its thread knows */
        return;
    case MOAT_MARK_TRAPPED:
        if (!moat_core_read(core, cold, &trap, sizeof trap))
            return;
        moat_core_add(core, cold, cold + sizeof trap);
        if (slot->base != core->co->activation.slot.base) /* it is in */
            add_other_stack(core, slot, trap.regs.sp);
        return;
    default:
        add_other_stack(core, slot, control->sp);
    }
}

/* All control records, before any stack: a list of coroutines is complete. */
static void add_records(struct core *core, const struct moat_arena *arena)
{
    uintptr_t bytes = atomic_load(&arena->taken) * CO_ENTRY_BYTES;

    moat_core_add(core, (uintptr_t)arena, (uintptr_t)arena + sizeof *arena);
    moat_core_add(core, arena->entries, arena->entries + bytes);
}

static void add_others(struct core *core, const struct moat_arena *arena)
{
    size_t taken = atomic_load(&arena->taken);
    struct co co;

    for (size_t i = 0; i < taken && !moat_core_is_full(core); i++) {
        if (moat_core_read(core, arena->entries + i * CO_ENTRY_BYTES, &co,
                           sizeof co))
            add_other(core, &co, arena->cold + i * CO_COLD_BYTES);
    }
}

void moat_core_collect(struct core *core)
{
    struct mappings maps = {.core = core};
    const struct moat_arena *arenas = atomic_load(&moat_arenas);
    moat_status status;

    add_guest(core);
    maps.stack = add_resumers(core);
    status = moat_maps_visit(core->maps, sizeof core->maps, see_map, &maps);
    if (core->status == MOAT_OK)
        core->status = status;
    add_libraries(core);
    for (const struct moat_arena *each = arenas; each; each = each->next)
        add_records(core, each);
    for (const struct moat_arena *each = arenas; each; each = each->next)
        add_others(core, each);
    moat_core_sort(core);
}
