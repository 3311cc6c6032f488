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

/* A page of code that is being written, then run. */
struct jit {
    unsigned char *code;
    size_t used;
    moat_code_id id;
};

/* Ends the child if there is no memory. */
void jit_begin(struct jit *jit);
void jit_bytes(struct jit *jit, const void *bytes, size_t count);

/* A call that leaves the code's argument where the callee finds its own, from a
 * frame of 8 bytes that only the stack pointer tells of. */
void jit_call(struct jit *jit, uintptr_t callee);

void jit_write_null(struct jit *jit);
void jit_loop(struct jit *jit);
void jit_return(struct jit *jit);

/* The code as a function; not registered yet. */
jit_function jit_end(struct jit *jit);

/* Registers it, under a name or none; ends the child if moat refuses. */
void jit_register(struct jit *jit, const char *name);
void jit_register_unwindable(struct jit *jit, const char *name,
                             moat_code_unwind unwind, size_t frame_bytes);
void jit_free(struct jit *jit); /* and unregisters it */

#endif
