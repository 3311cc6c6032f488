/*
 * table.c: prints the names in a table for debuggers, in its order: moat's, or
 * moat-sched's if it is built with SCHED.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#ifdef SCHED
#    include <moat/sched_debug.h>
#    define TABLE   moat_sched_debug
#    define VERSION MOAT_SCHED_DEBUG_VERSION
#else
#    include <moat/debug.h>
#    define TABLE   moat_debug
#    define VERSION MOAT_DEBUG_VERSION
#endif

int main(void)
{
    const struct moat_debug_entry *entry = TABLE;

    if (entry->value.number != VERSION)
        return 1;
    for (; entry->name[0] != '\0'; entry++)
        puts(entry->name);
    return 0;
}
