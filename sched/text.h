/*
 * text.h: text in memory. It is formatted while the run is locked and written
 * once it is not, since a reader of the descriptor may be slow.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_TEXT_H
#define SCHED_TEXT_H

#include <stddef.h>

#include <moat/status.h>

/* A line needs no memory beside the struct. */
#define TEXT_INLINE 512

struct text {
    moat_status status; /* MOAT_E_NOMEM: the rest is missing */
    size_t length, room;
    char *bytes; /* `few`, or from malloc */
    char few[TEXT_INLINE];
};

void moat_sched_text_begin(struct text *text);
void moat_sched_text_put(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A string of JSON, with its quotes. */
void moat_sched_text_put_json(struct text *text, const char *string);
/* Appends another text. */
void moat_sched_text_append(struct text *text, const struct text *other);
void moat_sched_text_free(struct text *text);
/* Returns the bytes, from malloc, and leaves the text empty; NULL: no memory.
 */
char *moat_sched_text_take(struct text *text);

/* Writes all of it. */
moat_status moat_sched_text_write(const struct text *text, int fd);
/* Writes bytes that are no struct's; needs little stack. */
moat_status moat_sched_bytes_write(const char *bytes, size_t length, int fd);

#endif
