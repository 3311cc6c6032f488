/*
 * jump_target.c: the stack pointer in a jmp_buf of glibc on x86-64.
 *
 * Word 6 is rsp (JB_RSP in sysdeps/x86_64/jmpbuf-offsets.h). It is mangled:
 * exclusive-or with the word at fs:0x30, then rotated to the left by 17
 * (PTR_MANGLE in sysdeps/unix/sysv/linux/x86_64/pointer_guard.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/jump.h"

uintptr_t moat_jump_target(const struct __jmp_buf_tag *env)
{
    uintptr_t word = (uintptr_t)env->__jmpbuf[6], key;

    __asm__("movq %%fs:0x30, %0" : "=r"(key));
    return ((word >> 17) | (word << 47)) ^ key;
}
