/*
 * input.h: a fuzzer's input, taken a piece at a time. Past its end all pieces
 * are zeros.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
    const uint8_t *at, *end;
};

static inline size_t input_left(const struct input *input)
{
    return (size_t)(input->end - input->at);
}

/* Takes up to `bytes` bytes; returns how many there were. */
static inline size_t input_bytes(struct input *input, void *out, size_t bytes)
{
    size_t there = bytes < input_left(input) ? bytes : input_left(input);

    memset(out, 0, bytes);
    if (there > 0)
        memcpy(out, input->at, there);
    input->at += there;
    return there;
}

static inline uint8_t input_u8(struct input *input)
{
    uint8_t value;

    (void)input_bytes(input, &value, sizeof value);
    return value;
}

static inline uint32_t input_u32(struct input *input)
{
    uint32_t value;

    (void)input_bytes(input, &value, sizeof value);
    return value;
}

static inline uint64_t input_u64(struct input *input)
{
    uint64_t value;

    (void)input_bytes(input, &value, sizeof value);
    return value;
}

/* Takes a number below `bound`, which is at most 256. */
static inline unsigned input_below(struct input *input, unsigned bound)
{
    return input_u8(input) % bound;
}

#endif
