/*
 * forked.h: children that guests fork.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_FORKED_H
#define MOAT_ENGINE_FORKED_H

/* In a forked child: if a guest forked it, the guest never comes back to its
 * resumer there, unless its options allow that. */
void moat_forked_close(void);

#endif
