/*
 * text.h: a trapped coroutine, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REPORT_TEXT_H
#define MOAT_REPORT_TEXT_H

#include "report/description.h"

/* Puts the report into its text. */
void moat_report_put_text(struct moat_description *report);

/* Parts that other forms have, too: "coroutine 'name' trapped: kind", "write to
 * 0x0". */
void moat_report_put_title(struct moat_text *text, const moat_co *co,
                           moat_trap_kind kind);
void moat_report_put_access(struct moat_text *text, const moat_trap_info *info);

#endif
