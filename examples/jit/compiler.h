/*
 * compiler.h: what the parts of the compiler share: instructions
 * (instructions.c), the switch (switch.c) and expressions
 * (compile_expression.c). The conventions of the code are in compile.c.
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
    compile_printer *print;
    struct bytes calls; /* of struct fixup: whose target is not known yet */
    int32_t tls;        /* moat_tls, from where fs points: the same distance in
                           each thread, for its model is initial-exec         */
};

struct fixup {
    size_t jump;
    const struct function *callee;
};

/* --- instructions.c ------------------------------------------------------ */

void code_push_rax(struct emitter *e);
void code_pop_rax(struct emitter *e);
void code_drop(struct emitter *e, int bytes);

/* Fills up to where a call with so many bytes of arguments is aligned; gives
 * back by how much. */
int code_align(struct emitter *e, int argument_bytes);
void code_load_rax(struct emitter *e, int64_t value);
/* 1 in rax for what is not 0. The flags tell, too. */
void code_make_truth(struct emitter *e);

/* Calls C with the record in rdi and rax in rsi. A stack that is too small for
 * it overflows here: C code is not where MOAT_CO_RECOVER_CODE cuts a guest. */
void code_call_helper(struct emitter *e, int64_t address);

/* --- switch.c ------------------------------------------------------------ */

/* Hands rax to the resumer; the next input is in rax. */
void code_yield(struct compiler *c);

/* --- compile_expression.c ------------------------------------------------ */

void compile_expression(struct compiler *c, const struct node *node);
void compile_write_local(struct compiler *c, unsigned slot);
/* The index in rax becomes 32 bits, the array's address is in rcx. */
void compile_address_element(struct compiler *c, const struct array *array);

#endif
