/*
 * debugger.h: object files in memory, announced to debuggers by the interface
 * that gdb and lldb have for JIT compilers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_PUBLISH_DEBUGGER_H
#define MOAT_PUBLISH_DEBUGGER_H

#include <stddef.h>

#include <moat/status.h>

struct moat_debugger_entry;

/* Takes memory for the next entry from the supply. Under moat_codes_lock.
 * MOAT_E_NOMEM. */
moat_status moat_debugger_prepare(void);

/* Under moat_codes_lock. NULL: no memory. The image stays as long as the
 * entry. */
struct moat_debugger_entry *moat_debugger_add(const void *image, size_t bytes);
void moat_debugger_remove(struct moat_debugger_entry *entry);

#endif
