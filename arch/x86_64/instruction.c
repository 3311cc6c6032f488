/*
 * instruction.c: decodes the instruction that a fault interrupted.
 *
 * Sources: Intel SDM vol. 2, chapter 2 (prefixes) and appendix A (opcodes).
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/x86_64/instruction.h"

#include "arch/x86_64/load.h"

/* An instruction has at most 15 bytes (SDM vol. 2, 2.3.11). */
#define MAX_PREFIXES 14

/* Returns whether the byte is a legacy prefix or REX, which may precede an
 * opcode. */
static bool is_prefix(unsigned char byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return (byte & 0xf0) == 0x40;
    }
}

/* Second bytes of 0f xx that only the kernel may execute. */
static bool is_privileged_0f(unsigned char byte)
{
    switch (byte) {
    case 0x00: /* lldt, ltr, ... */
    case 0x01: /* lgdt, invlpg, ... */
    case 0x06: /* clts */
    case 0x07: /* sysret */
    case 0x08: /* invd */
    case 0x09: /* wbinvd */
    case 0x30: /* wrmsr */
    case 0x31: /* rdtsc, where prctl forbids it */
    case 0x32: /* rdmsr */
    case 0x33: /* rdpmc */
    case 0x35: /* sysexit */
        return true;
    default:
        return byte >= 0x20 && byte <= 0x23; /* mov to or from cr and dr */
    }
}

/* Returns whether only the kernel may execute the opcode of one byte. */
static bool is_privileged_opcode(unsigned char byte)
{
    switch (byte) {
    case 0xcd: /* int n */
    case 0xf4: /* hlt */
    case 0xfa: /* cli */
    case 0xfb: /* sti */
        return true;
    default:
        return (byte >= 0x6c && byte <= 0x6f) || /* ins, outs */
               (byte >= 0xe4 && byte <= 0xe7) || /* in, out */
               (byte >= 0xec && byte <= 0xef);
    }
}

/* A bad address causes the same exception. This reads no byte after the opcode.
 */
bool moat_instruction_is_privileged(uintptr_t pc)
{
    unsigned char byte;

    for (int prefixes = 0; moat_load_byte(pc, &byte); prefixes++, pc++) {
        if (prefixes < MAX_PREFIXES && is_prefix(byte))
            continue;
        if (byte != 0x0f)
            return is_privileged_opcode(byte);
        return prefixes < MAX_PREFIXES && moat_load_byte(pc + 1, &byte) &&
               is_privileged_0f(byte);
    }
    return false;
}

/* General registers in the order of their numbers in an instruction. */
static uint64_t numbered_register(const moat_regs *regs, unsigned number)
{
    const uint64_t values[16] = {regs->rax, regs->rcx, regs->rdx, regs->rbx,
                                 regs->sp,  regs->fp,  regs->rsi, regs->rdi,
                                 regs->r8,  regs->r9,  regs->r10, regs->r11,
                                 regs->r12, regs->r13, regs->r14, regs->r15};

    return values[number];
}

/* ff /2 is call, ff /4 is jmp; mod 3 is a register. */
static bool register_target(const moat_regs *regs, uintptr_t at,
                            unsigned extension, uintptr_t *target)
{
    unsigned char byte;

    if (!moat_load_byte(at, &byte) ||
        ((byte & 0xf8) != 0xd0 && (byte & 0xf8) != 0xe0))
        return false;
    *target = numbered_register(regs, (byte & 7u) + 8 * extension);
    return true;
}

/* AMD's CPUs fault at the branch, Intel's at its target, and the report should
 * be the same. A ret has read its word from the stack before it faults like
 * this (a bad stack pointer is another vector). */
bool moat_instruction_target(const moat_regs *regs, uintptr_t *target)
{
    uintptr_t at = regs->pc;
    unsigned extension = 0;
    unsigned char byte;

    if (!moat_load_byte(at, &byte))
        return false;
    if (byte == 0x3e || byte == 0xf2 || byte == 0xf3) { /* notrack, bnd, rep */
        if (!moat_load_byte(++at, &byte))
            return false;
    }
    if ((byte & 0xf0) == 0x40) { /* REX */
        extension = byte & 1;
        if (!moat_load_byte(++at, &byte))
            return false;
    }
    if (byte == 0xc3 || byte == 0xc2)
        return moat_load_word(regs->sp, target);
    return byte == 0xff && register_target(regs, at + 1, extension, target);
}

bool moat_instruction_was_syscall(uintptr_t pc)
{
    unsigned char first, second;

    return moat_load_byte(pc - 2, &first) && moat_load_byte(pc - 1, &second) &&
           first == 0x0f && second == 0x05;
}
