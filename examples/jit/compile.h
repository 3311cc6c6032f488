/*
 * compile.h: compiles a script's tree to x86-64 code.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_COMPILE_H
#define DITCH_COMPILE_H

#include <stdbool.h>

#include "ast.h"
#include "emit.h"
#include "generators.h"

/* The stack that compiled code checks for before it calls C. It is enough for
 * moat and a helper, and smaller than a guard. */
#define HELPER_STACK_BYTES 16384

/* Prints a value; called on the guest's stack. */
typedef void compile_printer(moat_co *self, int64_t value);

/* The addresses that compiled code uses. */
struct runtime {
    compile_printer *print;
    struct generators *generators;
};

/* Compiles a script whose arrays have their memory. The first piece is a
 * moat_entry that runs main. Returns false without memory. */
bool compile_script(struct emitter *e, const struct script *script,
                    const struct runtime *runtime);

#endif
