/*
 * locale_object.h: locales that a guest makes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_LOCALE_OBJECT_H
#define MOAT_MALLOC_LOCALE_OBJECT_H

#include <locale.h>

/* Loads what the locale's conversion of letters takes, into memory that stays
 * with the locale: at its first use that would be a guest's. */
void moat_locale_load(locale_t locale);

#endif
