/*
 * lines_libdw.c: symbol tables and line tables by elfutils' libdwfl.
 *
 * A session over /proc/self/maps is opened at the first question and kept; an
 * address that it does not know (a library loaded since) opens a new one, once.
 * libdwfl has no locking of its own: one lock serialises all questions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <pthread.h>
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

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Dwfl *session;

bool moat_lines_available(void)
{
    return true;
}

void moat_lines_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void moat_lines_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

static Dwfl *open_session(void)
{
    Dwfl *dwfl = dwfl_begin(&callbacks);

    if (dwfl == NULL)
        return NULL;
    if (dwfl_linux_proc_report(dwfl, getpid()) == 0 &&
        dwfl_report_end(dwfl, NULL, NULL) == 0)
        return dwfl;
    dwfl_end(dwfl);
    return NULL;
}

static Dwfl_Module *find_module(uintptr_t pc)
{
    Dwfl_Module *module = NULL;

    if (session != NULL)
        module = dwfl_addrmodule(session, pc);
    if (module != NULL)
        return module;
    if (session != NULL)
        dwfl_end(session);
    session = open_session();
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

static void set_line(struct moat_symbol *symbol, const char *file, int line)
{
    if (file == NULL)
        return;
    (void)snprintf(symbol->file, sizeof symbol->file, "%s", file);
    symbol->line = line;
}

static void read_number(Dwarf_Die *die, unsigned name, Dwarf_Word *out)
{
    Dwarf_Attribute attribute;

    (void)dwarf_formudata(dwarf_attr(die, name, &attribute), out);
}

/* The scopes around pc as they are nested in the code. (dwarf_getscopes leaves
 * the code at the first inlined function, for the place of its definition.) */
static int innermost_scopes(Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die **out)
{
    Dwarf_Die *lexical = NULL;
    int count = unit != NULL ? dwarf_getscopes(unit, pc, &lexical) : 0;

    *out = NULL;
    if (count > 0)
        count = dwarf_getscopes_die(&lexical[0], out);
    free(lexical);
    return count;
}

/*
 * The function is named by its symbol, so the line must be that function's too:
 * where pc is in code inlined into it, the line of the outermost such call.
 */
static bool find_inlining_call(Dwfl_Module *module, uintptr_t pc,
                               struct moat_symbol *symbol)
{
    Dwarf_Addr bias;
    Dwarf_Die *unit = dwfl_module_addrdie(module, pc, &bias);
    Dwarf_Die *scopes;
    int count = innermost_scopes(unit, pc - bias, &scopes);
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;

    for (int i = 0; i < count; i++) { /* innermost first */
        if (dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine) {
            read_number(&scopes[i], DW_AT_call_file, &file);
            read_number(&scopes[i], DW_AT_call_line, &line);
        }
    }
    free(scopes);
    if (line == 0 || dwarf_getsrcfiles(unit, &files, NULL) != 0)
        return false;
    set_line(symbol, dwarf_filesrc(files, file, NULL, NULL), (int)line);
    return true;
}

static void find_line(Dwfl_Module *module, uintptr_t pc,
                      struct moat_symbol *symbol)
{
    Dwfl_Line *line = dwfl_module_getsrc(module, pc);
    const char *file;
    int number = 0;

    if (line == NULL || find_inlining_call(module, pc, symbol))
        return;
    file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
    set_line(symbol, file, number);
}

void moat_lines_find(uintptr_t pc, struct moat_symbol *symbol)
{
    Dwfl_Module *module;

    moat_lines_lock();
    /* An address that no file is mapped at would open a session each time. */
    module = symbol->module[0] != '\0' ? find_module(pc) : NULL;
    if (module != NULL) {
        find_function(module, pc, symbol);
        find_line(module, pc, symbol);
    }
    moat_lines_unlock();
}
