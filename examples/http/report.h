/*
 * report.h: reports of handlers that failed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_REPORT_H
#define EXAMPLES_HTTP_REPORT_H

#include "exchange.h"

/* Reports go to this folder, as ID.txt. NULL: only the log names them. */
void reports_begin(const char *folder);

/* Reports a failure, and makes the reply a 500 with the report's number. Called
 * on the stack of the scheduler's thread, of which reports need much. */
void report_trap(struct exchange *exchange, const moat_co *guest);
/* It is suspended, and will not run again. */
void report_stop(struct exchange *exchange, const moat_co *guest,
                 const char *words);
void report_words(struct exchange *exchange, const char *words);

#endif
