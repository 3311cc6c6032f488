/*
 * debugger_image.h: an object file for registered code, in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_PUBLISH_DEBUGGER_IMAGE_H
#define MOAT_PUBLISH_DEBUGGER_IMAGE_H

#include <stddef.h>

#include <moat/code.h>

/* Returns the size of the object file, which has the code's address, name,
 * unwind rules and lines. Writes it unless `to`, a multiple of eight, is
 * NULL. */
size_t moat_debugger_image(const moat_code *code, unsigned char *to);

#endif
