/*
 * names.h: names in reports. They come from files, hosts and guests, and may
 * hold any bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REPORT_NAMES_H
#define MOAT_REPORT_NAMES_H

#include "report/output.h"

/* Puts a name that stays on its line and does nothing to a terminal: bytes that
 * are not UTF-8 and characters that control how others are shown are written as
 * \xNN, byte by byte. */
void moat_text_put_name(struct moat_text *text, const char *name);

#endif
