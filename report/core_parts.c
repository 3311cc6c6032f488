/*
 * core_parts.c: selects the memory that goes into the core file of one guest.
 *
 * It is as much as a debugger needs to unwind, to name frames and to list the
 * coroutines; docs/debugging.md has the rule. The heap is left out, since the
 * other guests share it; the few objects on it that a debugger needs are added
 * one by one.
 *
 * Other threads continue meanwhile. Everything they may change is read through
 * moat_core_read, and a nonsensical word leads to a part of bounded size, or to
 * none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <link.h>
#include <string.h>

#include "arch/core.h"
#include "engine/copied.h"
#include "report/core.h"
#include "stack/lent.h"
#include "sys/maps.h"
#include "sys/size.h"
#include "trap/own_stacks.h"

/* Bytes of code on both sides of the fault, in case no file has them. */
#define CODE_BYTES ((uintptr_t)256)

/* A thread's variables lie below its thread pointer, its library's data above.
 */
#define BELOW_THREAD ((uintptr_t)16 << 10)
#define ABOVE_THREAD ((uintptr_t)4 << 10)

#define STRING_BYTES ((size_t)256)
#define LIBRARIES    (4 << 10)

static uintptr_t lower(uintptr_t a, uintptr_t b)
{
    return a < b ? a : b;
}

static uintptr_t capped(uintptr_t start, uintptr_t end)
{
    return end - start < CORE_MAP_BYTES ? end : start + CORE_MAP_BYTES;
}

/* In whole pages, since eu-stack expects each part to begin with a page, as the
 * kernel's do. Parts that it does not read are added by the byte. */
static void add_pages(struct core *core, uintptr_t start, uintptr_t end)
{
    start -= start % moat_page_bytes();
    moat_core_add(core, start, end + (0 - end) % moat_page_bytes());
}

static void add_private_pages(struct core *core, uintptr_t start, uintptr_t end)
{
    start -= start % moat_page_bytes();
    moat_core_add_private(core, start, end + (0 - end) % moat_page_bytes());
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

/* Returns the lowest address in use: a leaf function keeps data below sp. After
 * an overflow, or if the stack pointer was lost, all of the stack counts. */
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

/* The one that the guest made for itself, if it was on it. */
static void add_own_stack(struct core *core, uintptr_t sp)
{
    struct moat_range own;

    if (is_on(&core->co->slot, sp) || !moat_own_stacks_find(sp, &own))
        return;
    if (sp >= own.begin + MOAT_ARCH_RED_ZONE)
        sp -= MOAT_ARCH_RED_ZONE;
    add_private_pages(core, sp, capped(sp, own.end));
}

/* The guest's own stack, whatever is left of it. */
static void add_guest(struct core *core)
{
    const struct moat_slot *slot = &core->co->slot;
    uintptr_t pc = cold_of(core->co)->trap.regs.pc;
    uintptr_t sp = moat_trapped_sp(core->co);

    add_private_pages(core, used_from(slot, sp), slot->base);
    add_own_stack(core, sp);
    if (pc > CODE_BYTES)
        add_pages(core, pc - CODE_BYTES, pc + CODE_BYTES);
}

/* Adds the stacks of the coroutines that wait for the caller, from the
 * innermost on. Returns where the thread's own stack was left: at the caller,
 * if no coroutine waits. */
static uintptr_t add_resumers(struct core *core)
{
    const struct moat_co *each = moat_co_current();
    uintptr_t sp = core->from_sp;

    while (each != NULL) {
        const struct moat_slot *slot = &co_of(each)->slot;

        /* A host call may run on the stack of one further out. */
        if (is_on(slot, core->from_sp))
            sp = lower(sp, core->from_sp);
        add_private_pages(core, used_from(slot, sp), slot->base);
        sp = each->resumer_sp;
        each = (const moat_co *)resumer_of(co_of(each));
    }
    return sp;
}

/* --- mappings ------------------------------------------------------------ */

struct mappings {
    struct core *core;
    uintptr_t stack; /* in use from here on                           */
    struct moat_map before;
    bool data; /* the one before is a module's data                   */
};

static bool is_file(const struct moat_map *map)
{
    return map->path[0] == '/';
}

/* Its contents are the pages that this process has, or zeros. */
static bool is_anonymous(const struct moat_map *map)
{
    return map->private &&
           (map->path[0] == '\0' || strcmp(map->path, "[stack]") == 0 ||
            strncmp(map->path, "[anon:", 6) == 0);
}

/* For NT_FILE: a debugger reads these mappings from their files. */
static void note_file(struct core *core, const struct moat_map *map)
{
    size_t length = strlen(map->path) + 1;

    if (core->file_count == CORE_FILES_MAX ||
        length > sizeof core->names - core->names_used)
        return;
    core->files[core->file_count++] = (struct core_file){
        map->start, map->end, map->offset / moat_page_bytes()};
    memcpy(core->names + core->names_used, map->path, length);
    core->names_used += length;
}

/* The first page of a program or library identifies the build. */
static void add_header(struct core *core, const struct moat_map *map)
{
    char magic[SELFMAG];

    if (map->offset == 0 && map->readable &&
        moat_core_read(core, map->start, magic, sizeof magic) &&
        memcmp(magic, ELFMAG, SELFMAG) == 0)
        add_pages(core, map->start, map->start + moat_page_bytes());
}

static void add_file(struct mappings *maps, const struct moat_map *map)
{
    const struct moat_map *before = &maps->before;

    note_file(maps->core, map);
    add_header(maps->core, map);
    /* A program's or library's data. A private writable mapping from offset 0
     * is a file that was mapped to be read, as libdw does it. */
    maps->data =
        map->private && map->readable && map->writable && map->offset != 0;
    if (!maps->data)
        return;
    /* The data that became read-only after relocation lies in front of it. */
    if (before->end == map->start && before->private && before->readable &&
        !before->executable)
        add_pages(maps->core, before->start,
                  capped(before->start, before->end));
    add_pages(maps->core, map->start, capped(map->start, map->end));
}

static void add_anonymous(struct mappings *maps, const struct moat_map *map)
{
    bool data = maps->data && maps->before.end == map->start &&
                is_anonymous(map) && map->readable && map->writable;

    /* Zero-initialised data follows the data that the file holds. */
    if (data)
        add_private_pages(maps->core, map->start, capped(map->start, map->end));
    else if (strcmp(map->path, "[vdso]") == 0)
        add_pages(maps->core, map->start, capped(map->start, map->end));
    maps->data = data;
}

static bool lies_in(const struct moat_map *map, uintptr_t address)
{
    return address >= map->start && address < map->end;
}

static void see_map(const struct moat_map *map, void *arg)
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
    /* During a host call the frames in between may be on it, too. */
    if (lies_in(map, maps->stack)) {
        uintptr_t from = maps->stack - MOAT_ARCH_RED_ZONE;

        if (lies_in(map, core->from_sp))
            from = lower(from, core->from_sp);
        if (is_anonymous(map))
            add_private_pages(core, from, capped(from, map->end));
        else
            add_pages(core, from, capped(from, map->end));
    }
    maps->before = *map;
    maps->before.path = is_file(map) ? "/" : "";
}

/* --- the dynamic linker's list ------------------------------------------- */

/* The list of loaded libraries, by which a debugger finds their files. */
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

/* A list that is read while it changes might have no end. */
#define MAX_LENT ((size_t)1 << 20)

static void add_other_stack(struct core *core, const struct moat_slot *slot,
                            uintptr_t sp)
{
    uintptr_t from = used_from(slot, sp);

    if (slot->base - from > CORE_OTHER_BYTES - core->other_bytes)
        return;
    core->other_bytes += slot->base - from;
    moat_core_add_private(core, from, slot->base);
}

/* `co` is a copy of the entry whose cold part is at `cold`. */
static void add_other(struct core *core, const struct co *co, uintptr_t cold)
{
    const moat_co *control = &co->control;
    const struct moat_slot *slot = &co->slot;
    struct moat_trap_record trap;

    if (control->state == MOAT_MARK_FREE || control->token == 0)
        return;
    add_string(core, co->name, moat_core_add);
    if (moat_is_away(co)) /* others' frames are on its stack */
        return;
    switch (control->state) {
    case MOAT_MARK_DONE:
    case MOAT_MARK_TIMED:
    case MOAT_MARK_RUNNING: /* only its thread knows where */
        return;
    case MOAT_MARK_TRAPPED:
        if (!moat_core_read(core, cold, &trap, sizeof trap))
            return;
        moat_core_add(core, cold, cold + sizeof trap);
        if (slot->base != core->co->slot.base) /* already added */
            add_other_stack(core, slot,
                            trap.in_host_call ? control->sp : trap.regs.sp);
        return;
    default:
        add_other_stack(core, slot, moat_switch_sp(control));
    }
}

/* All control records come before any stack: the list of coroutines must be
 * complete. */
static void add_records(struct core *core, uintptr_t at,
                        const struct moat_arena *arena)
{
    uintptr_t bytes = atomic_load(&arena->taken) * CO_ENTRY_BYTES;

    moat_core_add(core, at, at + sizeof *arena);
    moat_core_add_private(core, arena->entries, arena->entries + bytes);
}

static void add_others(struct core *core, uintptr_t at,
                       const struct moat_arena *arena)
{
    size_t taken = atomic_load(&arena->taken);
    struct co co;

    (void)at;
    for (size_t i = 0; i < taken && !moat_core_is_full(core); i++) {
        if (moat_core_read(core, arena->entries + i * CO_ENTRY_BYTES, &co,
                           sizeof co))
            add_other(core, &co, arena->cold + i * CO_COLD_BYTES);
    }
}

/* Other threads may take lent memory back meanwhile, and write to it: what is
 * read need not be a description any more. */
static bool read_lent(struct core *core, uintptr_t at, struct moat_arena *copy)
{
    return moat_core_read(core, at, copy, sizeof *copy) && copy->lent &&
           copy->capacity == 1 && atomic_load(&copy->taken) == 1;
}

static void for_each_arena(struct core *core,
                           void (*add)(struct core *, uintptr_t,
                                       const struct moat_arena *))
{
    const struct moat_arena *each = atomic_load(&moat_arenas);
    uintptr_t at = (uintptr_t)atomic_load(&moat_lents);
    struct moat_arena lent;

    for (; each != NULL; each = each->next)
        add(core, (uintptr_t)each, each);
    for (size_t i = 0; i < MAX_LENT && at != 0; i++) {
        if (!read_lent(core, at, &lent))
            return;
        add(core, at, &lent);
        at = (uintptr_t)lent.next;
    }
}

void moat_core_collect(struct core *core)
{
    struct mappings maps = {.core = core};
    moat_status status;

    add_guest(core);
    maps.stack = add_resumers(core);
    status = moat_maps_visit(core->maps, sizeof core->maps, see_map, &maps);
    if (core->status == MOAT_OK)
        core->status = status;
    add_libraries(core);
    for_each_arena(core, add_records);
    for_each_arena(core, add_others);
    moat_core_sort(core);
}
