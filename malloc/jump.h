/*
 * jump.h: what a jmp_buf of the C library leads to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_JUMP_H
#define MOAT_MALLOC_JUMP_H

#include <setjmp.h>
#include <stdint.h>

/* Returns the stack pointer that a longjmp would restore. */
uintptr_t moat_jump_target(const struct __jmp_buf_tag *env);

#endif
