/*
 * symbolise.c: what lies at an address.
 *
 * SPDX-License-Identifier: MIT
 */
#include <link.h>
#include <string.h>

#include "unwind/unwind.h"

struct question {
    uintptr_t pc;
    struct moat_symbol *out;
};

/* Called once: while the dynamic linker goes through its objects none is
 * unloaded. */
static int describe_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct question *question = arg;

    (void)info;
    (void)size;
    moat_module_describe(question->pc, question->out);
    return 1;
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

void moat_symbolise(uintptr_t pc, bool with_files, struct moat_symbol *out)
{
    struct question question = {pc, out};

    memset(out, 0, sizeof *out);
    if (!with_files) {
        moat_module_describe(pc, out);
        return;
    }
    (void)dl_iterate_phdr(describe_module, &question);
    moat_lines_find(pc, out);
    if (!moat_lines_available())
        ask_unwinder(pc, out);
}
