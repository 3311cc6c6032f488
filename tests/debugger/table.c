/*
 * table.c: prints the names in the table for debuggers, in its order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/debug.h>

int main(void)
{
    const struct moat_debug_entry *entry = moat_debug;

    if (entry->value.number != MOAT_DEBUG_VERSION)
        return 1;
    for (; entry->name[0] != '\0'; entry++)
        puts(entry->name);
    return 0;
}
