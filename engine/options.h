/*
 * options.h: extensible structs of the public interface.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_OPTIONS_H
#define MOAT_ENGINE_OPTIONS_H

#include <stddef.h>

#include <moat/script.h>
#include <moat/status.h>

/* Copies an extensible struct in, the caller's argument `name`. A longer one
 * must end in zeros (MOAT_E_UNSUPPORTED); one shorter than in any version is
 * MOAT_E_INVAL. */
moat_status moat_options_copy(const char *name, void *to, size_t to_bytes,
                              const void *from, size_t min_bytes);

/* MOAT_E_INVAL: a result's struct_size is shorter than in any version, or
 * garbage. Reads nothing but the size. */
moat_status moat_options_check_out(const void *to, size_t min_bytes);

/* Fills in a result whose size was checked: as much of `from` as the caller's
 * struct has room for, and zeros after it. Its struct_size becomes the size of
 * what was filled in. */
void moat_options_copy_out(void *to, const void *from, size_t from_bytes);

#endif
