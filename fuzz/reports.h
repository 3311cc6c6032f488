/*
 * reports.h: writes the reports of a trapped coroutine, and judges their form.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_REPORTS_H
#define FUZZ_REPORTS_H

#include <jansson.h>
#include <moat/moat.h>

/* Writes the text report and checks that a terminal can show it: valid UTF-8,
 * and no control characters but line feeds. Valid until the next call. */
const char *reports_text(const moat_co *co);

/* Writes the JSON report and parses it; it must be one line. To be freed by
 * json_decref. */
json_t *reports_json(const moat_co *co);

/* Returns the length of the UTF-8 sequence that begins here; 0: it is not
 * valid. */
unsigned reports_sequence(const char *text);

#endif
