/*
 * symbolise.c: what lies at an address.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "unwind/unwind.h"

/* The dynamic linker knows exported names and the module's path. */
static void ask_linker(uintptr_t pc, struct moat_symbol *out)
{
    Dl_info info;

    if (dladdr((void *)pc, &info) == 0)
        return;
    if (info.dli_fname != NULL)
        (void)snprintf(out->module, sizeof out->module, "%s", info.dli_fname);
    if (info.dli_sname != NULL) {
        (void)snprintf(out->function, sizeof out->function, "%s",
                       info.dli_sname);
        out->offset = pc - (uintptr_t)info.dli_saddr;
    }
}

/* libunwind reads the file's full symbol table, where it has one: prefer its
 * answer if it is nearer. */
static void ask_unwinder(uintptr_t pc, struct moat_symbol *out)
{
    char name[sizeof out->function];
    uintptr_t offset;

    if (out->module[0] == '\0' ||
        !moat_unwind_name(pc, name, sizeof name, &offset))
        return;
    if (out->function[0] != '\0' && offset >= out->offset)
        return;
    memcpy(out->function, name, sizeof name);
    out->offset = offset;
}

void moat_symbolise(uintptr_t pc, struct moat_symbol *out)
{
    memset(out, 0, sizeof *out);
    ask_linker(pc, out);
    moat_lines_find(pc, out);
    if (!moat_lines_available())
        ask_unwinder(pc, out);
}
