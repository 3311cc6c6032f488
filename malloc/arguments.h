/*
 * arguments.h: looks at a guest's arguments of printf and scanf before a lock
 * is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_ARGUMENTS_H
#define MOAT_MALLOC_ARGUMENTS_H

#include <stdarg.h>
#include <stdbool.h>

/* Looks at those of a function of the family with that name, and leaves `args`
 * as it is. The format is one of wchar_t if `is_wide`. What follows a
 * conversion that is not known here is not looked at. Nothing is done for the
 * host. False, with errno: the call fails, as the guest has not the memory that
 * it takes. */
bool moat_arguments_look(const char *name, const void *format, bool is_wide,
                         va_list args);

#endif
