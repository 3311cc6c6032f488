/*
 * core.c: registers as core files have them.
 *
 * Sources: struct user_regs_struct in <sys/user.h>, whose order NT_PRSTATUS
 * has; NT_FPREGSET is the image of FXSAVE (SDM vol. 1, 10.5.1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/core.h"

#include <elf.h>
#include <string.h>
#include <sys/user.h>

/* Selectors of 64-bit user mode, see context_linux.c. */
#define CODE_SEGMENT  0x33
#define STACK_SEGMENT 0x2b

/* From here on the image is the kernel's: in a signal frame it holds what no
 * core file has. */
#define IMAGE_BYTES 464

_Static_assert(EM_X86_64 == MOAT_ARCH_ELF_MACHINE, "another machine");
_Static_assert(sizeof(struct user_regs_struct) == sizeof(elf_gregset_t),
               "registers of another kind");
_Static_assert(sizeof(elf_fpregset_t) == MOAT_ARCH_FPU_BYTES,
               "a floating-point image of another kind");

uintptr_t moat_arch_thread_pointer(void)
{
    uintptr_t self;

    __asm__("movq %%fs:0, %0" : "=r"(self));
    return self;
}

void moat_arch_core_regs(const moat_regs *regs, elf_gregset_t out)
{
    struct user_regs_struct user;

    memset(&user, 0, sizeof user);
    user.rip = regs->pc;
    user.rsp = regs->sp;
    user.rbp = regs->fp;
    user.rax = regs->rax;
    user.rbx = regs->rbx;
    user.rcx = regs->rcx;
    user.rdx = regs->rdx;
    user.rsi = regs->rsi;
    user.rdi = regs->rdi;
    user.r8 = regs->r8;
    user.r9 = regs->r9;
    user.r10 = regs->r10;
    user.r11 = regs->r11;
    user.r12 = regs->r12;
    user.r13 = regs->r13;
    user.r14 = regs->r14;
    user.r15 = regs->r15;
    user.eflags = regs->flags;
    user.orig_rax = UINT64_MAX; /* in no system call */
    user.cs = CODE_SEGMENT;
    user.ss = STACK_SEGMENT;
    user.fs_base = moat_arch_thread_pointer();
    memcpy(out, &user, sizeof user);
}

void moat_arch_core_fpregs(const unsigned char image[MOAT_ARCH_FPU_BYTES],
                           elf_fpregset_t *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out, image, IMAGE_BYTES);
}

void moat_arch_core_resumer(moat_co *copy, const moat_regs *frame)
{
    copy->resumer_fp = frame->fp;
    copy->resumer_pc = frame->pc;
    copy->resumer_sp = frame->sp;
    copy->resumer_bx = frame->rbx;
}
