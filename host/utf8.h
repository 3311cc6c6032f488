/*
 * utf8.h: UTF-8, one character at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_UTF8_H
#define HOST_UTF8_H

#include <stddef.h>

/* Decodes the character at `text`, of which `bytes` (at least 1) can be read.
 * Returns its length in bytes and stores its code point; returns 0 if no valid
 * character starts there. */
size_t utf8_decode(const char *text, size_t bytes, unsigned *code);

#endif
