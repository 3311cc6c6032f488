/*
 * walk_libunwind.c: steps from code that has no unwind information in its file,
 * by separate debug information or by a guess; and names.
 *
 * libunwind is linked after libgcc_s: it has functions of the same names
 * (_Unwind_RaiseException and others), and if it comes first C++ exceptions
 * through a root frame crash.
 *
 * SPDX-License-Identifier: MIT
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "unwind/modules.h"
#include "unwind/walk_libunwind.h"

bool moat_unwind_available(void)
{
    return true;
}

/* libunwind numbers registers as unwind information does. */
static void regs_from_cursor(unw_cursor_t *cursor, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++) {
        unw_word_t value = 0;

        (void)unw_get_reg(cursor, (unw_regnum_t)i, &value);
        *moat_arch_dwarf_register(out, i) = value;
    }
}

/* --- libraries that come and go ------------------------------------------- */

/* Files loaded and unloaded when the cache was emptied last. */
static atomic_ullong changes_seen;

/* libunwind caches by address, and would take what it knows of an unloaded
 * library for true of another that is mapped there now. */
static void forget_if_changed(void)
{
    unsigned long long changes = moat_modules_changes();

    if (changes == atomic_load(&changes_seen))
        return;
    unw_flush_cache(unw_local_addr_space, 0, 0);
    atomic_store(&changes_seen, changes);
}

/* --- lookups -------------------------------------------------------------- */

static bool begin(unw_cursor_t *cursor, ucontext_t *context,
                  const moat_regs *regs, bool exact)
{
    forget_if_changed();
    moat_arch_context_from_regs(regs, context);
    return unw_init_local2(cursor, context,
                           exact ? UNW_INIT_SIGNAL_FRAME : 0) == 0;
}

bool moat_cursor_step_guessing(struct moat_cursor *cursor)
{
    unw_cursor_t theirs;
    ucontext_t context;
    moat_regs regs;

    moat_cursor_get(cursor, &regs);
    if (!begin(&theirs, &context, &regs, cursor->exact) ||
        unw_step(&theirs) <= 0)
        return false;
    regs_from_cursor(&theirs, &regs);
    moat_cursor_set(cursor, &regs, unw_is_signal_frame(&theirs) > 0);
    return true;
}

/* For a question about one address. */
static bool begin_at(unw_cursor_t *cursor, ucontext_t *context, uintptr_t pc,
                     bool exact)
{
    moat_regs regs;

    memset(&regs, 0, sizeof regs);
    regs.pc = pc;
    return begin(cursor, context, &regs, exact);
}

bool moat_unwind_same_procedure(uintptr_t pc, uintptr_t other)
{
    unw_cursor_t cursor;
    unw_proc_info_t info;
    ucontext_t context;

    return begin_at(&cursor, &context, pc, false) &&
           unw_get_proc_info(&cursor, &info) == 0 &&
           other - info.start_ip < info.end_ip - info.start_ip;
}

bool moat_unwind_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset)
{
    unw_cursor_t cursor;
    ucontext_t context;
    unw_word_t found;

    if (!begin_at(&cursor, &context, pc, true) ||
        unw_get_proc_name(&cursor, name, size, &found) != 0)
        return false;
    *offset = found;
    return true;
}
