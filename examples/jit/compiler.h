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
    const struct runtime *runtime;
    struct bytes jumps; /* whose target is not known yet                      */
    int32_t tls;        /* moat_tls, from where fs points: the same distance in
                           each thread, for its model is initial-exec         */
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

/* The stack is enough for C, or it overflows here: C code is not where
 * MOAT_CO_RECOVER_CODE cuts a guest. */
void code_need_stack(struct emitter *e);
/* Calls C; its arguments are in place, in other registers than rax. */
void code_call(struct emitter *e, int64_t address);
/* Calls C with the record in rdi and rax in rsi; rdx may be a third argument.
 */
void code_call_helper(struct emitter *e, int64_t address);
/* The same, for what takes its time: a deadline that found the guest in C waits
 * for it to be back, and looks again each millisecond. So does the code. */
void code_call_service(struct compiler *c, int64_t address);

/* --- switch.c ------------------------------------------------------------ */

/* Hands rax to the resumer; the next input is in rax. */
void code_yield(struct compiler *c);
/* Resumes a generator with the input in rax. The address of its struct has been
 * pushed, and is taken off. Its value is in there; whether it has yielded in
 * rax. */
void code_next(struct compiler *c);

/* --- compile.c ----------------------------------------------------------- */

/* The jump leads to the function, or to its entry as a generator. */
void compile_link(struct compiler *c, size_t jump,
                  const struct function *function, bool entry);

/* --- compile_expression.c ------------------------------------------------ */

void compile_expression(struct compiler *c, const struct node *node);
void compile_write_local(struct compiler *c, unsigned slot);
/* The index in rax becomes 32 bits, the array's address is in rcx. */
void compile_address_element(struct compiler *c, const struct array *array);

#endif
