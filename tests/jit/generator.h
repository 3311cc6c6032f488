/*
 * generator.h: random scripts of the language Ditch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_JIT_GENERATOR_H
#define TESTS_JIT_GENERATOR_H

#include <stdint.h>

/* Writes a script that the parser takes; the same one for the same seed. The
 * buffer has SCRIPT_BYTES_MOST + 1 bytes. */
void generate_script(char *buffer, uint64_t seed);

#endif
