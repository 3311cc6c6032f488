/*
 * create.h: the parts of a create that preparing shares.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_CREATE_H
#define MOAT_ENGINE_CREATE_H

#include "engine/homes.h"
#include "engine/thread.h"

/* Attaches the thread, and on MOAT_OK opens a section, which the caller closes
 * with moat_sealed_end. */
moat_status moat_create_begin(void);

/* Creates a coroutine with the spec, entry and user of another, which has a
 * spec. Between moat_create_begin and moat_sealed_end. */
moat_status moat_create_alike(const struct co *co, struct co **out);

/* Finds this thread's home for a spec that is not the default, or makes it. */
moat_status moat_create_find_home(struct spec *spec, struct moat_home **out);

/* Sets thread->stack_class. */
moat_status moat_create_find_class(struct moat_thread *thread,
                                   const struct spec *spec);

/* Returns a chain of slots to a pool. */
void moat_create_put_back(struct moat_pool *pool, struct moat_slot *slot);

#endif
