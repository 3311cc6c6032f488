/*
 * generator.h: random scripts of the language Ditch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_JIT_GENERATOR_H
#define TESTS_JIT_GENERATOR_H

#include <stdint.h>

/* Writes a script that the parser accepts, always the same one for a seed. The
 * buffer has MAX_SCRIPT_BYTES + 1 bytes. */
void generate_script(char *buffer, uint64_t seed);

#endif
