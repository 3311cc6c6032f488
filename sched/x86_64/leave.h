/*
 * leave.h: a jump to the return address, x86-64.
 *
 * The compiler writes it as a jump to a routine with a fixed name, which is
 * defined here, for this file alone: a program may have one of its own for
 * other purposes. It changes rcx, which the compiler does not know of, so no
 * caller in the file may rely on what a function leaves alone (-fno-ipa-ra). A
 * compiler without the attribute writes a `ret`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_X86_64_LEAVE_H
#define SCHED_X86_64_LEAVE_H

#if __has_attribute(function_return)

/* notrack: the return address has no endbr64. */
__asm__(".pushsection .text\n\t"
        ".type __x86_return_thunk, @function\n"
        "__x86_return_thunk:\n\t"
        ".cfi_startproc\n\t"
        "popq %rcx\n\t"
        ".cfi_def_cfa_offset 0\n\t"
        ".cfi_register rip, rcx\n\t"
        "notrack jmp *%rcx\n\t"
        ".cfi_endproc\n\t"
        ".size __x86_return_thunk, . - __x86_return_thunk\n\t"
        ".popsection");

#    define LEAVES_BY_JUMP __attribute__((function_return("thunk-extern")))

#else
#    define LEAVES_BY_JUMP
#endif

#endif
