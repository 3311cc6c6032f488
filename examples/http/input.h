/*
 * input.h: what a client has sent and was not answered yet.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_INPUT_H
#define EXAMPLES_HTTP_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Input that needs no memory of its own. */
#define SMALL_INPUT 2048

struct input {
    char *bytes;
    size_t begin;  /* of the first request that was not answered */
    size_t parsed; /* of all                                      */
    size_t end, room;
    char small[SMALL_INPUT];
};

void input_begin(struct input *input);
void input_free(struct input *input);

/* Appends. False: there is no memory. */
bool input_append(struct input *input, const char *bytes, size_t length);
/* Forgets the first request. */
void input_next(struct input *input);
/* Forgets all but so many bytes of the first request, if all is parsed. */
void input_keep(struct input *input, size_t length);

static inline bool input_is_parsed(const struct input *input)
{
    return input->parsed == input->end;
}

#endif
