/*
 * pagemap.h: which pages of a range have contents, in memory or in swap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_PAGEMAP_H
#define MOAT_SYS_PAGEMAP_H

#include "sys/memory.h"

/* Called for each run of such pages, upwards; returns false to end the walk. */
typedef bool moat_run_visitor(uintptr_t low, uintptr_t high, void *arg);

/* Opens the page map for moat_pagemap_visit; -1: it cannot be read. */
int moat_pagemap_open(void);
void moat_pagemap_close(int pagemap);

/* Shows the pages of [low, high) that have contents, and guards; pages that
 * were only read may be shown, too. */
moat_status moat_pagemap_visit(int pagemap, uintptr_t low, uintptr_t high,
                               moat_run_visitor *visit, void *arg);

/* Returns whether the system has a page map, and whether it can be searched by
 * one system call for many stacks. */
bool moat_pagemap_works(void);
bool moat_pagemap_scan_works(void);

/* Finds the lowest page in [low, high) that was ever touched; high if none was.
 */
moat_status moat_pagemap_lowest(uintptr_t low, uintptr_t high, uintptr_t *out);

#endif
