/*
 * handle.h: handles of the dynamic linker that a guest passes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_HANDLE_H
#define MOAT_MALLOC_HANDLE_H

/* Ends the guest if the handle is not that of a loaded file. */
void moat_handle_check(void *handle);

#endif
