/*
 * jitdump.h: registered code as perf inject reads it: with its bytes and lines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_PUBLISH_JITDUMP_H
#define MOAT_PUBLISH_JITDUMP_H

#include <moat/code.h>

/* Adds the code, if the environment asks for the dump. Under
 * moat_codes_lock. */
void moat_jitdump_add(const moat_code *code);

#endif
