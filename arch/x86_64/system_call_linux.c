/*
 * system_call_linux.c: system calls that leave errno alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

/* The kernel changes rax, rcx and r11 (psABI A.2.1). */
long moat_arch_system_call(long number, long a, long b, long c, long d)
{
    register long fourth __asm__("r10") = d;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
}
