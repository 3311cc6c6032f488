/*
 * json.h: a trapped coroutine, for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REPORT_JSON_H
#define MOAT_REPORT_JSON_H

#include "report/description.h"

/* Puts the report into its text. */
void moat_report_put_json(struct moat_description *report);

#endif
