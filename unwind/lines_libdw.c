/*
 * lines_libdw.c: symbol tables and line tables by elfutils' libdwfl.
 *
 * A session over /proc/self/maps is opened at the first question and kept; it
 * is renewed when a library was loaded or unloaded since, as another may lie
 * where one was, and opened anew where one was rebuilt under its old name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unwind/unwind.h"

static char *debuginfo_path; /* NULL: libdwfl's default search path */

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .debuginfo_path = &debuginfo_path,
};

/* The code of one unit, or a piece of it. */
struct range {
    Dwarf_Addr start, end;
    Dwarf_Die *unit; /* the module's */
};

/* Where the code of a module's units lies; hangs on the module. */
struct units {
    uint64_t identity; /* of the file when it was asked about first */
    Dwarf_Addr bias;   /* of the addresses in memory                */
    struct range *ranges;
    size_t count, room;
};

static Dwfl *session;
static unsigned long long session_changes; /* seen before it was renewed */

bool moat_lines_available(void)
{
    return true;
}

static void free_units(void **userdata)
{
    struct units *units = *userdata;

    if (units != NULL)
        free(units->ranges);
    free(units);
    *userdata = NULL;
}

static int free_each(Dwfl_Module *module, void **userdata, const char *name,
                     Dwarf_Addr start, void *arg)
{
    (void)module;
    (void)name;
    (void)start;
    (void)arg;
    free_units(userdata);
    return DWARF_CB_OK;
}

/* libdwfl hands over the same pointer here, by another type. */
static int free_removed(Dwfl_Module *module, void *userdata, const char *name,
                        Dwarf_Addr start, void *arg)
{
    return free_each(module, userdata, name, start, arg);
}

static void close_session(void)
{
    if (session == NULL)
        return;
    (void)dwfl_getmodules(session, free_each, NULL, 0);
    dwfl_end(session);
    session = NULL;
}

/* Has another file of the same name come to lie there since? */
static bool is_stale(Dwfl_Module *module, uint64_t identity)
{
    const struct units *units;
    void **userdata;

    (void)dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL,
                           NULL);
    units = *userdata;
    return units != NULL && units->identity != identity;
}

/* What is known of a file that is mapped where it was is kept. */
static void renew_session(void)
{
    bool reported;

    if (session != NULL)
        dwfl_report_begin(session);
    else if ((session = dwfl_begin(&callbacks)) == NULL)
        return;
    reported = dwfl_linux_proc_report(session, getpid()) == 0;
    if (dwfl_report_end(session, free_removed, NULL) != 0 || !reported)
        close_session();
}

static int count_changes(struct dl_phdr_info *info, size_t size, void *changes)
{
    (void)size;
    *(unsigned long long *)changes = info->dlpi_adds + info->dlpi_subs;
    return 1; /* all objects tell the same */
}

static Dwfl_Module *find_module(uintptr_t pc, uint64_t identity)
{
    unsigned long long changes = 0;
    Dwfl_Module *module;

    (void)dl_iterate_phdr(count_changes, &changes);
    if (session == NULL || changes != session_changes)
        renew_session();
    session_changes = changes;
    module = session != NULL ? dwfl_addrmodule(session, pc) : NULL;
    if (module == NULL || !is_stale(module, identity))
        return module;
    close_session();
    renew_session();
    return session != NULL ? dwfl_addrmodule(session, pc) : NULL;
}

static void find_function(Dwfl_Module *module, uintptr_t pc,
                          struct moat_symbol *symbol)
{
    GElf_Sym found;
    GElf_Off offset;
    const char *name =
        dwfl_module_addrinfo(module, pc, &offset, &found, NULL, NULL, NULL);

    if (name == NULL || *name == '\0')
        return;
    (void)snprintf(symbol->function, sizeof symbol->function, "%s", name);
    symbol->offset = offset;
}

/* --- units --------------------------------------------------------------- */

static bool add_range(struct units *units, const struct range *range)
{
    if (units->count == units->room) {
        size_t room = units->room > 0 ? 2 * units->room : 64;
        struct range *more =
            reallocarray(units->ranges, room, sizeof *units->ranges);

        if (more == NULL)
            return false;
        units->ranges = more;
        units->room = room;
    }
    units->ranges[units->count++] = *range;
    return true;
}

static void add_unit(struct units *units, Dwarf_Die *unit)
{
    struct range range = {.unit = unit};
    Dwarf_Addr base;
    ptrdiff_t next = 0;

    while ((next = dwarf_ranges(unit, next, &base, &range.start, &range.end)) >
           0) {
        /* Linkers put the code that they have dropped at 0 or 1. */
        if (range.start > 1 && !add_range(units, &range))
            return;
    }
}

/*
 * Of our own, and made once for a module: libdwfl finds a unit by
 * .debug_aranges alone, a section that clang does not write.
 */
static const struct units *units_of(Dwfl_Module *module, uint64_t identity)
{
    void **userdata;
    struct units *units;
    Dwarf_Die *unit = NULL;
    Dwarf_Addr bias;

    (void)dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL,
                           NULL);
    if (*userdata != NULL)
        return *userdata;
    *userdata = units = calloc(1, sizeof *units);
    if (units == NULL)
        return NULL;
    units->identity = identity;
    while ((unit = dwfl_module_nextcu(module, unit, &bias)) != NULL) {
        units->bias = bias;
        add_unit(units, unit);
    }
    return units;
}

/* One after the other: beside what a question to a unit costs it is nothing. */
static Dwarf_Die *find_unit(const struct units *units, Dwarf_Addr address)
{
    for (size_t i = 0; i < units->count; i++) {
        const struct range *range = &units->ranges[i];

        if (range->start <= address && address < range->end)
            return range->unit;
    }
    return NULL;
}

/* --- lines --------------------------------------------------------------- */

static void set_place(struct moat_place *place, const char *file, int line)
{
    if (file == NULL || line <= 0)
        return;
    (void)snprintf(place->file, sizeof place->file, "%s", file);
    place->line = line;
}

static Dwarf_Word number(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;

    (void)dwarf_formudata(dwarf_attr(die, name, &attribute), &value);
    return value;
}

static const char *linkage_name(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;

    return dwarf_formstring(
        dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
}

/* As symbols are named: C++ functions mangled. */
static const char *name_of(Dwarf_Die *die)
{
    const char *name = linkage_name(die);

    return name != NULL ? name : dwarf_diename(die);
}

static bool begins_with(const char *name, const char *prefix)
{
    return name != NULL && strncmp(name, prefix, strlen(prefix)) == 0;
}

/* The switch, and what the C++ wrapper puts around it: no news to a reader. */
static bool is_moats(Dwarf_Die *die)
{
    return begins_with(dwarf_diename(die), "moat_") ||
           begins_with(linkage_name(die), "_ZN4moat") ||
           begins_with(linkage_name(die), "_ZNK4moat");
}

/* The scopes around an address as they are nested in the code.
 * (dwarf_getscopes leaves the code at the first inlined function, for the place
 * of its definition.) */
static int innermost_scopes(Dwarf_Die *unit, Dwarf_Addr address,
                            Dwarf_Die **out)
{
    Dwarf_Die *lexical = NULL;
    int count = dwarf_getscopes(unit, address, &lexical);

    *out = NULL;
    if (count > 0)
        count = dwarf_getscopes_die(&lexical[0], out);
    free(lexical);
    return count;
}

static void find_call(Dwarf_Die *unit, Dwarf_Die *inlined,
                      struct moat_place *place)
{
    Dwarf_Files *files;

    *place = (struct moat_place){.line = 0};
    if (dwarf_getsrcfiles(unit, &files, NULL) == 0)
        set_place(
            place,
            dwarf_filesrc(files, number(inlined, DW_AT_call_file), NULL, NULL),
            (int)number(inlined, DW_AT_call_line));
}

/*
 * One step outwards. What is inlined of moat's headers counts as its caller's
 * code; so does that for which no room is left, but for the outermost call.
 */
static void add_inlined(struct moat_symbol *symbol, Dwarf_Die *unit,
                        Dwarf_Die *die)
{
    struct moat_inlined *inlined = symbol->inlined;
    unsigned count = symbol->inlined_count;
    const char *name = name_of(die);

    if (name != NULL && count < MOAT_INLINED_MAX && !is_moats(die)) {
        (void)snprintf(inlined[count].function, sizeof inlined[count].function,
                       "%s", name);
        symbol->inlined_count = ++count;
    }
    find_call(unit, die, count > 0 ? &inlined[count - 1].call : &symbol->place);
}

static void find_inlined(Dwarf_Die *unit, Dwarf_Addr address,
                         struct moat_symbol *symbol)
{
    Dwarf_Die *scopes;
    int count = innermost_scopes(unit, address, &scopes);

    for (int i = 0; i < count; i++) { /* innermost first */
        if (dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine)
            add_inlined(symbol, unit, &scopes[i]);
    }
    free(scopes);
}

static void find_line(Dwfl_Module *module, uintptr_t pc, uint64_t identity,
                      struct moat_symbol *symbol)
{
    const struct units *units = units_of(module, identity);
    Dwarf_Addr address = units != NULL ? pc - units->bias : 0;
    Dwarf_Die *unit = units != NULL ? find_unit(units, address) : NULL;
    Dwarf_Line *line = unit != NULL ? dwarf_getsrc_die(unit, address) : NULL;
    int row = 0;

    if (line == NULL)
        return;
    (void)dwarf_lineno(line, &row);
    set_place(&symbol->place, dwarf_linesrc(line, NULL, NULL), row);
    find_inlined(unit, address, symbol);
}

void moat_lines_find(uintptr_t pc, uint64_t identity,
                     struct moat_symbol *symbol)
{
    Dwfl_Module *module;

    /* An address that no file is mapped at would open a session each time. */
    module = symbol->module[0] != '\0' ? find_module(pc, identity) : NULL;
    if (module == NULL)
        return;
    find_function(module, pc, symbol);
    find_line(module, pc, identity, symbol);
}
