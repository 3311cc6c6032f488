/*
 * compiler.h: the interface between the parts of the compiler. compile.c has
 * the conventions of the code.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_COMPILER_H
#define DITCH_COMPILER_H

#include <stdint.h>

#include "ast.h"
#include "compile.h"
#include "emit.h"

#define WORD ((int)sizeof(uint64_t))

struct compiler {
    struct emitter *e;
    const struct script *script;
    const struct function *function;
    const struct runtime *runtime;
    struct bytes jumps; /* targets not known yet                            */
    int32_t tls;        /* offset of moat_tls from fs; the same in every
                           thread, as its TLS model is initial-exec         */
};

/* --- instructions.c ------------------------------------------------------ */

void code_push_rax(struct emitter *e);
void code_pop_rax(struct emitter *e);
void code_drop(struct emitter *e, int bytes);

/* Pads the stack so that a call with these arguments is aligned. Returns the
 * number of bytes. */
int code_align(struct emitter *e, int argument_bytes);
void code_load_rax(struct emitter *e, int64_t value);
/* Sets rax to 0 or 1, and the zero flag accordingly. */
void code_make_truth(struct emitter *e);

/* Overflows here if too little stack is left for C. MOAT_CO_RECOVER_CODE
 * recovers faults of compiled code only, not of C. */
void code_need_stack(struct emitter *e);
/* Calls C. The arguments are in their registers; rax is clobbered. */
void code_call(struct emitter *e, int64_t address);
/* Calls C with the record in rdi and rax in rsi; rdx may be an argument. */
void code_call_helper(struct emitter *e, int64_t address);
/* The same for calls that may take long. A deadline that expires in C is
 * deferred until the guest has returned from it, and is retried every
 * millisecond. The code waits for that. */
void code_call_service(struct compiler *c, int64_t address);

/* --- switch.c ------------------------------------------------------------ */

/* Yields rax. The next input is in rax. */
void code_yield(struct compiler *c);
/* Resumes a generator with the input in rax. Pops the address of its struct
 * generator and sets its `value`. rax is 1 if it yielded, 0 if it returned. */
void code_next(struct compiler *c);

/* --- compile.c ----------------------------------------------------------- */

/* Links a jump to a function, or to its entry as a generator. */
void compile_link(struct compiler *c, size_t jump,
                  const struct function *function, bool entry);

/* --- compile_expression.c ------------------------------------------------ */

void compile_expression(struct compiler *c, const struct node *node);
void compile_write_local(struct compiler *c, unsigned slot);
/* Truncates the index in rax to 32 bits; the array's address is in rcx. */
void compile_address_element(struct compiler *c, const struct array *array);

#endif
