/*
 * program.h: a script that can run: its code, registered with moat, and its
 * arrays.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_PROGRAM_H
#define DITCH_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/moat.h>

#include "ast.h"
#include "compile.h"
#include "generators.h"
#include "parse.h"

struct program {
    struct script script;
    unsigned char *code; /* readable and executable, no longer writable */
    size_t code_bytes;
    moat_code_id *ids; /* a registration for each function */
    size_t id_count;
    moat_entry entry;
    struct generators generators;
};

/* An element that a program has tried to reach. */
struct element {
    const struct array *array; /* NULL: the address is in no array's memory */
    uint64_t index;
};

/* False: *error says why; line 0: the reason is not in the text. `file` is for
 * reports. */
bool program_load(struct program *out, const char *file, const char *text,
                  compile_printer *print, struct parse_error *error);

/* Nothing of it may run any more, and no coroutine stand in its code but its
 * generators, which end here. */
void program_unload(struct program *program);

struct element program_element_at(const struct program *program,
                                  uintptr_t address);

#endif
