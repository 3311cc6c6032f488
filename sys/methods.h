/*
 * methods.h: which of the system's newer calls the files of sys use. Whether
 * they work is asked of pagemap.h, pages.h and guard.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_METHODS_H
#define MOAT_SYS_METHODS_H

#include <stdbool.h>

struct moat_methods {
    bool scan;  /* search the page map by one call, else a word per page */
    bool batch; /* one call for many ranges, else one for each           */
};

/* Written under the engine's lock, before any stack is made. */
extern struct moat_methods moat_methods;

#endif
