/*
 * line.h: a trap in one line, for logs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REPORT_LINE_H
#define MOAT_REPORT_LINE_H

#include "report/description.h"

/* Puts the line into the report's text. */
void moat_report_put_line(struct moat_description *report);

#endif
