/*
 * compile.h: from a script's tree to x86-64 code.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_COMPILE_H
#define DITCH_COMPILE_H

#include <stdbool.h>

#include "ast.h"
#include "emit.h"
#include "generators.h"

/* How many bytes of stack the code makes sure of before it calls C: enough for
 * what moat and a helper need, and less than a guard has. */
#define HELPER_STACK_BYTES 16384

/* What the code calls to print: on the guest's stack. */
typedef void compile_printer(moat_co *self, int64_t value);

/* What the code uses while it runs. */
struct runtime {
    compile_printer *print;
    struct generators *generators;
};

/* The first piece is a moat_entry that runs main. The arrays have their memory.
 * False: no memory. */
bool compile_script(struct emitter *e, const struct script *script,
                    const struct runtime *runtime);

#endif
