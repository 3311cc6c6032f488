/*
 * leave.h: how a function returns whose task comes back by a transfer.
 *
 * The CPU predicts a return by the latest call, which was the other task's: a
 * `ret` would be mispredicted each time. A jump to the return address is
 * predicted by the jumps before it. The compiler writes the jump as one to a
 * routine with a fixed name, which is defined here: weak and hidden, so that
 * each file may have it. It stays beside a `ret` where the compiler lacks the
 * attribute.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_LEAVE_H
#define SCHED_LEAVE_H

#include "sched/step.h"

#if defined(__x86_64__) && __has_attribute(function_return)

/* notrack: the return address has no endbr64. */
__asm__(".pushsection .text.__x86_return_thunk,\"axG\",@progbits,"
        "__x86_return_thunk,comdat\n\t"
        ".weak __x86_return_thunk\n\t"
        ".hidden __x86_return_thunk\n\t"
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

#    define LEAVES_BY_JUMP \
        NOT_INLINE __attribute__((function_return("thunk-extern")))

#else

#    define LEAVES_BY_JUMP NOT_INLINE

#endif

#endif
