/*
 * line.c: a trap in one line, for logs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/line.h"

#include <string.h>

#include "report/text.h"

/* Compares the file's name without its folders. */
static bool is_module(const struct moat_symbol *symbol, const char *begin)
{
    const char *slash = strrchr(symbol->module, '/');
    const char *name = slash != NULL ? slash + 1 : symbol->module;

    return strncmp(name, begin, strlen(begin)) == 0;
}

/* Returns whether the function is part of how the trap came about: moat's, by
 * which a guest or moat-malloc raises one, and the C library's below abort. */
static bool is_way(const struct moat_symbol *symbol, moat_trap_kind kind)
{
    return strncmp(symbol->function, "moat_", 5) == 0 ||
           is_module(symbol, "libmoat") ||
           (kind == MOAT_TRAP_ABORT && is_module(symbol, "libc.so"));
}

/* Puts the innermost frame of the guest's own code. */
static void put_function(struct moat_description *report)
{
    for (size_t i = 0; i < report->ends.count; i++) {
        const moat_frame *frame = &report->ends.frames[i];

        if (frame->flags & MOAT_FRAME_ROOT)
            return;
        moat_frame_write_line(frame, report->names, &report->symbol,
                              report->line, sizeof report->line);
        if (is_way(&report->symbol, report->info.kind))
            continue;
        moat_text_put(&report->text, ", in %s", report->line);
        return;
    }
}

static const char *call_name(const moat_trap_info *info)
{
    return info->syscall_is_foreign ? "of another ABI"
                                    : moat_syscall_name(info->syscall_number);
}

void moat_report_put_line(struct moat_description *report)
{
    const moat_trap_info *info = &report->info;
    struct moat_text *text = &report->text;

    moat_report_put_title(text, report->co, info->kind);
    if (info->kind == MOAT_TRAP_SYSCALL)
        moat_text_put(text, ", %s", call_name(info));
    else if (info->limit != MOAT_LIMIT_NONE)
        moat_text_put(text, ", %s", moat_limit_str(info->limit));
    if (info->access != MOAT_ACCESS_NONE) {
        moat_text_put(text, ", ");
        moat_report_put_access(text, info);
    }
    if (report->lock_function != NULL)
        moat_text_put(text, ", the lock of %s may still be held",
                      report->lock_function);
    put_function(report);
}
