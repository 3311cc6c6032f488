/*
 * lines_libdw.c: symbol tables and line tables by elfutils' libdwfl.
 *
 * A session over /proc/self/maps is opened at the first lookup and kept. It is
 * renewed when a library was loaded or unloaded since, as another may be mapped
 * where one was, and opened anew when one was rebuilt under its old name.
 *
 * libdwfl does no locking, and loads a library to ask a debuginfo server, so a
 * lock around it could be waited for by a plugin's constructor for which it
 * waits itself. Instead a thread takes a session for itself, one that rests or
 * a new one. A few may rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/copy.h"
#include "sys/memory.h"
#include "unwind/modules.h"

static char *debuginfo_path; /* NULL: libdwfl's default search path */

/* The standard search ends at a debuginfod server if the environment names one:
 * a report would wait for it, with a lock held, and on a stack of no known
 * size. Files in directories by build ID are found without that. */
static int find_debuginfo(Dwfl_Module *module, void **userdata,
                          const char *name, Dwarf_Addr base, const char *file,
                          const char *link, GElf_Word sum, char **found)
{
    const char *servers = getenv("DEBUGINFOD_URLS");

    return (servers == NULL || *servers == '\0' ? dwfl_standard_find_debuginfo
                                                : dwfl_build_id_find_debuginfo)(
        module, userdata, name, base, file, link, sum, found);
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = find_debuginfo,
    .debuginfo_path = &debuginfo_path,
};

/* The code of one compilation unit, or a part of it. */
struct range {
    Dwarf_Addr start, end;
    Dwarf_Die *unit; /* the module's */
};

/* Where the code of a module's units lies; kept as the module's user data. */
struct units {
    uint64_t identity; /* of the file at the first lookup   */
    Dwarf_Addr bias;   /* of the addresses in memory        */
    struct range *ranges;
    size_t count, room;
};

struct session {
    Dwfl *dwfl;                 /* NULL: it could not be opened */
    unsigned long long changes; /* seen before it was renewed   */
};

#define MAX_RESTING 4

static _Atomic(struct session *) resting[MAX_RESTING];

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

/* libdwfl passes the same pointer here, by another type. */
static int free_removed(Dwfl_Module *module, void *userdata, const char *name,
                        Dwarf_Addr start, void *arg)
{
    return free_each(module, userdata, name, start, arg);
}

static void close_session(struct session *session)
{
    if (session->dwfl == NULL)
        return;
    (void)dwfl_getmodules(session->dwfl, free_each, NULL, 0);
    dwfl_end(session->dwfl);
    session->dwfl = NULL;
}

/* NULL: no memory. */
static struct session *take_session(void)
{
    for (size_t i = 0; i < MAX_RESTING; i++) {
        struct session *session = atomic_exchange(&resting[i], NULL);

        if (session != NULL)
            return session;
    }
    return calloc(1, sizeof(struct session));
}

static void rest_session(struct session *session)
{
    for (size_t i = 0; i < MAX_RESTING; i++) {
        struct session *none = NULL;

        if (atomic_compare_exchange_strong(&resting[i], &none, session))
            return;
    }
    close_session(session);
    free(session);
}

/* Returns whether another file of the same name has been mapped there since. */
static bool is_stale(Dwfl_Module *module, uint64_t identity)
{
    const struct units *units;
    void **userdata;

    (void)dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL,
                           NULL);
    units = *userdata;
    return units != NULL && units->identity != identity;
}

/* Keeps what is known of files that are mapped where they were. */
static void renew_session(struct session *session)
{
    Dwfl *dwfl = session->dwfl;
    bool reported;

    if (dwfl != NULL)
        dwfl_report_begin(dwfl);
    else if ((dwfl = session->dwfl = dwfl_begin(&callbacks)) == NULL)
        return;
    reported = dwfl_linux_proc_report(dwfl, getpid()) == 0;
    if (dwfl_report_end(dwfl, free_removed, NULL) != 0 || !reported)
        close_session(session);
}

static Dwfl_Module *module_at(const struct session *session, uintptr_t pc)
{
    return session->dwfl != NULL ? dwfl_addrmodule(session->dwfl, pc) : NULL;
}

static Dwfl_Module *find_module(struct session *session, uintptr_t pc,
                                uint64_t identity)
{
    unsigned long long changes = moat_modules_changes();
    Dwfl_Module *module;

    if (session->dwfl == NULL || changes != session->changes)
        renew_session(session);
    session->changes = changes;
    module = module_at(session, pc);
    if (module == NULL || !is_stale(module, identity))
        return module;
    close_session(session);
    renew_session(session);
    return module_at(session, pc);
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
    moat_copy_text(symbol->function, sizeof symbol->function, name);
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

/* Made once for a module. libdwfl itself finds a unit by .debug_aranges alone,
 * a section that clang does not write. */
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

/* A linear search: it is cheap compared with a lookup in the unit. */
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

static void set_place(struct moat_location *place, const char *file, int line)
{
    if (file == NULL || line <= 0)
        return;
    moat_copy_text(place->file, sizeof place->file, file);
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

/* Functions are named as in a symbol table: C++ functions mangled. */
static const char *name_of(Dwarf_Die *die)
{
    const char *name = linkage_name(die);

    return name != NULL ? name : dwarf_diename(die);
}

static bool begins_with(const char *name, const char *prefix)
{
    return name != NULL && strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Returns whether it is the switch, or what the C++ wrapper puts around it,
 * which a reader need not see. */
static bool is_moats(Dwarf_Die *die)
{
    return begins_with(dwarf_diename(die), "moat_") ||
           begins_with(linkage_name(die), "_ZN4moat") ||
           begins_with(linkage_name(die), "_ZNK4moat");
}

/* Finds the scopes around an address as they are nested in the code.
 * (dwarf_getscopes alone goes on, from the first inlined function, with the
 * scopes around its definition.) */
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
                      struct moat_location *place)
{
    Dwarf_Files *files;

    *place = (struct moat_location){.line = 0};
    if (dwarf_getsrcfiles(unit, &files, NULL) == 0)
        set_place(
            place,
            dwarf_filesrc(files, number(inlined, DW_AT_call_file), NULL, NULL),
            (int)number(inlined, DW_AT_call_line));
}

/* Takes one step outwards. What is inlined from moat's headers counts as its
 * caller's code; so does that for which no room is left, except that the
 * outermost call is kept. */
static void add_inlined(struct moat_symbol *symbol, Dwarf_Die *unit,
                        Dwarf_Die *die)
{
    struct moat_inlined *inlined = symbol->inlined;
    unsigned count = symbol->inlined_count;
    const char *name = name_of(die);

    if (name != NULL && count < MOAT_INLINED_MAX && !is_moats(die)) {
        moat_copy_text(inlined[count].function, sizeof inlined[count].function,
                       name);
        symbol->inlined_count = ++count;
    }
    find_call(unit, die,
              count > 0 ? &inlined[count - 1].call : &symbol->location);
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
    set_place(&symbol->location, dwarf_linesrc(line, NULL, NULL), row);
    find_inlined(unit, address, symbol);
}

/* The most that libdw is expected to take for one program file. Without memory
 * it ends the process, or an assertion of its own fails. */
#define LINES_BYTES ((size_t)64 << 20)

void moat_files_find(uintptr_t pc, uint64_t identity, bool with_lines,
                     struct moat_symbol *symbol)
{
    struct session *session;
    Dwfl_Module *module;

    /* An address outside of all files would open a session each time. */
    if (symbol->module[0] == '\0' || (session = take_session()) == NULL)
        return;
    module = find_module(session, pc, identity);
    if (module != NULL) {
        find_function(module, pc, symbol);
        if (with_lines && moat_memory_is_left(LINES_BYTES))
            find_line(module, pc, identity, symbol);
    }
    rest_session(session);
}
