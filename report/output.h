/*
 * output.h: text composed in memory and written at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REPORT_OUTPUT_H
#define MOAT_REPORT_OUTPUT_H

#include <stddef.h>

#include <moat/report.h>

/* Where a text goes: to the function, or to the descriptor. */
struct moat_outlet {
    int fd;
    moat_report_put put; /* NULL: none */
    void *arg;
};

struct moat_text {
    struct moat_outlet outlet;
    char *buffer;
    size_t size, used;
    moat_status status; /* of the writes so far */
};

void moat_text_begin(struct moat_text *text, const struct moat_outlet *outlet,
                     char *buffer, size_t size);
__attribute__((format(printf, 2, 3))) void
moat_text_put(struct moat_text *text, const char *format, ...);

/* Writes what is left. MOAT_E_SYSTEM: errno is that of the write that failed.
 */
moat_status moat_text_end(struct moat_text *text);

#endif
