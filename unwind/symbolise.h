/*
 * symbolise.h: from an address to its symbol.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_SYMBOLISE_H
#define MOAT_UNWIND_SYMBOLISE_H

#include <stdint.h>

#include "sys/lock.h"
#include "unwind/symbol.h"

/* Where names come from, each with what comes before it; and what is missing
 * then. */
enum moat_names {
    MOAT_NAMES_NONE,    /* nowhere: all names                                */
    MOAT_NAMES_EXPORTS, /* memory: those of static functions, and lines.
                           Takes no lock, and allocates nothing              */
    MOAT_NAMES_TABLES,  /* the files' symbol tables: lines                   */
    MOAT_NAMES_LINES    /* the files' debug information: none                */
};

/* Fills in what lies at pc. Any thread. */
void moat_symbolise(uintptr_t pc, enum moat_names names,
                    struct moat_symbol *out);

/* Of the symbols that were found before. Held across a fork, so that the child
 * finds them whole. */
extern pthread_mutex_t moat_symbols_lock;

#endif
