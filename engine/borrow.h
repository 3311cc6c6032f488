/*
 * borrow.h: coroutines in memory that the host lends (MOAT_STACK_CALLER).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_BORROW_H
#define MOAT_ENGINE_BORROW_H

#include "engine/coroutine.h"
#include "engine/spec.h"

/* Checks the memory that resolved options lend. Reads the name. MOAT_E_INVAL.
 */
moat_status moat_borrow_check(const moat_co_options *options);

/* Faults here if the memory cannot be written later. */
void moat_borrow_touch(const moat_co_options *options);

/* Makes the coroutine of a filled spec whose options were checked. */
moat_status moat_borrow_make(const struct spec *filled, moat_entry entry,
                             void *user, struct co **out);

/* Ends the use of a coroutine's memory. Returns false if it is not lent. */
bool moat_borrow_return(struct co *co);

#endif
