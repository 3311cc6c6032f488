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

/* Each reports a failure, and answers with a 500 and the report's number. */

/* The guest has trapped. */
void report_trap(struct exchange *exchange);
/* It is suspended, and will not run again. */
void report_stop(struct exchange *exchange, const char *words);
/* It has ended its request, or could not be made. */
void report_words(struct exchange *exchange, const char *words);

#endif
