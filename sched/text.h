/*
 * text.h: text that goes to a descriptor, in large pieces.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_TEXT_H
#define SCHED_TEXT_H

#include <stddef.h>

#include <moat/status.h>

struct text {
    int fd;
    moat_status status; /* of the first write that failed */
    size_t length;
    char bytes[4096];
};

void moat_text_begin(struct text *text, int fd);
void moat_text_put(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A string of JSON, with its quotes. */
void moat_text_put_json(struct text *text, const char *string);
moat_status moat_text_end(struct text *text);

#endif
