/*
 * report.h: what moat says of a trapped script.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include <jansson.h>
#include <moat/co.h>

/* What moat_co_print_report says; malloc'ed; NULL if that fails. */
char *report_text(const moat_co *co);

/* What moat_co_write_json says, as an object; NULL if that fails. */
json_t *report_json(const moat_co *co);

#endif
