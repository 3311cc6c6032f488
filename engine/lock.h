/*
 * lock.h: the engine's lock: the process's state, and the list of threads.
 *
 * It is taken before all other locks of the library.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_LOCK_H
#define MOAT_ENGINE_LOCK_H

void moat_engine_lock(void);
void moat_engine_unlock(void);

#endif
