/*
 * program.h: a runnable script: its arrays, and its code registered with moat.
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

/* The array element at an address. */
struct element {
    const struct array *array; /* NULL: the address is in no array */
    uint64_t index;
};

/* On failure it returns false and the reason in *error; its line is 0 if the
 * text is not at fault. `file` is for reports. */
bool program_load(struct program *out, const char *file, const char *text,
                  compile_printer *print, struct parse_error *error);

/* Destroys the generators. No other coroutine may have frames in the code. */
void program_unload(struct program *program);

struct element program_element_at(const struct program *program,
                                  uintptr_t address);

#endif
