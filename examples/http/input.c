/*
 * input.c: what a client has sent and was not answered yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "input.h"

void input_begin(struct input *input)
{
    input->bytes = input->small;
    input->room = SMALL_INPUT;
    input->begin = input->parsed = input->end = 0;
}

void input_free(struct input *input)
{
    if (input->bytes != input->small)
        free(input->bytes);
    input_begin(input);
}

static void move_to_front(struct input *input)
{
    size_t length = input->end - input->begin;

    memmove(input->bytes, input->bytes + input->begin, length);
    input->parsed -= input->begin;
    input->begin = 0;
    input->end = length;
}

static bool grow(struct input *input, size_t needed)
{
    bool is_small = input->bytes == input->small;
    char *bytes = realloc(is_small ? NULL : input->bytes, 2 * needed);

    if (bytes == NULL)
        return false;
    if (is_small)
        memcpy(bytes, input->small, input->end);
    input->bytes = bytes;
    input->room = 2 * needed;
    return true;
}

bool input_append(struct input *input, const char *bytes, size_t length)
{
    if (length > input->room - input->end && input->begin > 0)
        move_to_front(input);
    if (length > input->room - input->end && !grow(input, input->end + length))
        return false;
    memcpy(input->bytes + input->end, bytes, length);
    input->end += length;
    return true;
}

void input_next(struct input *input)
{
    input->begin = input->parsed;
    if (input->begin == input->end)
        input->begin = input->parsed = input->end = 0;
}

void input_keep(struct input *input, size_t length)
{
    if (input_is_parsed(input))
        input->parsed = input->end = input->begin + length;
}
