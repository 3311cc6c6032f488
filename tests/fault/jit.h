/*
 * jit.h: machine code made at run time, as a JIT compiler would, for tests of
 * registered code.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_JIT_H
#define TESTS_FAULT_JIT_H

#include <stddef.h>
#include <stdint.h>

#include <moat/moat.h>

/* A function of one argument. */
typedef void *(*jit_function)(void *arg);

/* A page of code, first written, then run. */
struct jit {
    unsigned char *code;
    size_t used;
    moat_code_id id;
};

/* Ends the child if there is no memory. */
void jit_begin(struct jit *jit);
void jit_bytes(struct jit *jit, const void *bytes, size_t count);

/* Emits a call that leaves the argument of the code in the register where the
 * callee expects its own. The frame has 8 bytes and no frame pointer. */
void jit_call(struct jit *jit, uintptr_t callee);

void jit_write_null(struct jit *jit);
void jit_loop(struct jit *jit);
void jit_return(struct jit *jit);

/* Returns the code as a function; it is not registered yet. */
jit_function jit_end(struct jit *jit);

/* Registers the code, with a name or without; ends the child if moat
 * refuses. */
void jit_register(struct jit *jit, const char *name);
void jit_register_unwindable(struct jit *jit, const char *name,
                             moat_code_unwind unwind, size_t frame_bytes);
void jit_free(struct jit *jit); /* unregisters it too */

#endif
