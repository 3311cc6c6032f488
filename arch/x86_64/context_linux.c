/*
 * context_linux.c: reads and rewrites the machine context of a signal handler.
 *
 * Runs inside handlers: only async-signal-safe calls, no lock, no allocation.
 * Touches only the context and the record. Loads from addresses that the
 * context names may fail (load.h).
 *
 * Sources: arch/x86/include/uapi/asm/{ucontext,sigcontext}.h of Linux (the
 * frame and the extended-state layout), Intel SDM vol. 3, chapter 6
 * (exceptions) and vol. 1, chapter 13 (XSAVE).
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "arch/x86_64/instruction.h"
#include "arch/x86_64/load.h"

/* x86-64 has no smaller page (SDM vol. 3, 4.3). */
#define PAGE_BYTES 4096

/* Exception vectors, as the kernel leaves them in REG_TRAPNO. */
enum {
    VECTOR_DIVIDE = 0,
    VECTOR_DEBUG = 1,
    VECTOR_BREAKPOINT = 3,
    VECTOR_OPCODE = 6,
    VECTOR_STACK = 12,
    VECTOR_PROTECTION = 13,
    VECTOR_PAGE = 14,
    VECTOR_X87 = 16,
    VECTOR_ALIGNMENT = 17,
    VECTOR_SIMD = 19
};

/* Bits of a page fault's error code. */
#define PAGE_WRITE 0x02
#define PAGE_FETCH 0x10

/* Selectors of 64-bit user mode (arch/x86/include/asm/segment.h of Linux), as
 * REG_CSGSFS holds them: cs in its lowest 16 bits, ss in its highest. */
#define SEGMENTS_CLEAN   (UINT64_C(0x2b) << 48 | 0x33)
#define SEGMENTS_TO_KEEP UINT64_C(0x0000ffffffff0000)

/* Flags of a running program: bit 1 always reads as one, bit 9 is IF. */
#define FLAGS_CLEAN 0x202

/* The extended-state header after the 512 legacy bytes exists if the software
 * words at 464 begin with this magic. */
#define FP_MAGIC1      0x46505853u
#define SOFTWARE_WORDS 464
#define XSTATE_BV      512
#define XSTATE_X87_SSE 3u

/* The layout is the kernel's ABI. */
bool moat_arch_prepare(void)
{
    return true;
}

static const greg_t *gregs(const void *ucontext)
{
    return ((const ucontext_t *)ucontext)->uc_mcontext.gregs;
}

void moat_arch_regs_from_context(const void *ucontext, moat_regs *out)
{
    const greg_t *g = gregs(ucontext);
    const struct _libc_fpstate *fp =
        ((const ucontext_t *)ucontext)->uc_mcontext.fpregs;

    out->pc = (uintptr_t)g[REG_RIP];
    out->sp = (uintptr_t)g[REG_RSP];
    out->fp = (uintptr_t)g[REG_RBP];
    out->rax = (uint64_t)g[REG_RAX];
    out->rbx = (uint64_t)g[REG_RBX];
    out->rcx = (uint64_t)g[REG_RCX];
    out->rdx = (uint64_t)g[REG_RDX];
    out->rsi = (uint64_t)g[REG_RSI];
    out->rdi = (uint64_t)g[REG_RDI];
    out->r8 = (uint64_t)g[REG_R8];
    out->r9 = (uint64_t)g[REG_R9];
    out->r10 = (uint64_t)g[REG_R10];
    out->r11 = (uint64_t)g[REG_R11];
    out->r12 = (uint64_t)g[REG_R12];
    out->r13 = (uint64_t)g[REG_R13];
    out->r14 = (uint64_t)g[REG_R14];
    out->r15 = (uint64_t)g[REG_R15];
    out->flags = (uint64_t)g[REG_EFL];
    out->mxcsr = fp != NULL ? fp->mxcsr : 0;
    out->fcw = fp != NULL ? fp->cwd : 0;
    out->fsw = fp != NULL ? fp->swd : 0;
}

uintptr_t moat_arch_sp_from_context(const void *ucontext)
{
    return (uintptr_t)gregs(ucontext)[REG_RSP];
}

void moat_arch_context_from_regs(const moat_regs *regs, void *ucontext)
{
    ucontext_t *uc = ucontext;
    greg_t *g = uc->uc_mcontext.gregs;

    memset(uc, 0, sizeof *uc);
    g[REG_RIP] = (greg_t)regs->pc;
    g[REG_RSP] = (greg_t)regs->sp;
    g[REG_RBP] = (greg_t)regs->fp;
    g[REG_RAX] = (greg_t)regs->rax;
    g[REG_RBX] = (greg_t)regs->rbx;
    g[REG_RCX] = (greg_t)regs->rcx;
    g[REG_RDX] = (greg_t)regs->rdx;
    g[REG_RSI] = (greg_t)regs->rsi;
    g[REG_RDI] = (greg_t)regs->rdi;
    g[REG_R8] = (greg_t)regs->r8;
    g[REG_R9] = (greg_t)regs->r9;
    g[REG_R10] = (greg_t)regs->r10;
    g[REG_R11] = (greg_t)regs->r11;
    g[REG_R12] = (greg_t)regs->r12;
    g[REG_R13] = (greg_t)regs->r13;
    g[REG_R14] = (greg_t)regs->r14;
    g[REG_R15] = (greg_t)regs->r15;
}

void moat_arch_fpu_from_context(const void *ucontext,
                                unsigned char out[MOAT_ARCH_FPU_BYTES])
{
    const void *fp = ((const ucontext_t *)ucontext)->uc_mcontext.fpregs;

    if (fp != NULL)
        memcpy(out, fp, MOAT_ARCH_FPU_BYTES);
    else
        memset(out, 0, MOAT_ARCH_FPU_BYTES);
}

bool moat_arch_is_canonical(uintptr_t address)
{
    int64_t top = (int64_t)address >> 47;

    return top == 0 || top == -1;
}

static void read_page_fault(greg_t error, uintptr_t fault_address,
                            struct moat_arch_fault *out)
{
    out->exception = MOAT_EXCEPTION_PAGE;
    out->address = fault_address;
    if (error & PAGE_FETCH)
        out->access = MOAT_ACCESS_EXEC;
    else if (error & PAGE_WRITE)
        out->access = MOAT_ACCESS_WRITE;
    else
        out->access = MOAT_ACCESS_READ;
}

static void read_protection_fault(const moat_regs *regs, bool of_a_branch,
                                  struct moat_arch_fault *out)
{
    uintptr_t target = regs->pc;

    if (!moat_arch_is_canonical(regs->pc) ||
        (of_a_branch && moat_instruction_target(regs, &target) &&
         !moat_arch_is_canonical(target))) {
        out->exception = MOAT_EXCEPTION_FETCH;
        out->access = MOAT_ACCESS_EXEC;
        out->address = target;
    } else if (moat_instruction_is_privileged(regs->pc)) {
        out->exception = MOAT_EXCEPTION_PRIVILEGED;
    } else {
        out->exception = MOAT_EXCEPTION_PROTECTION;
    }
}

/*
 * Returns whether an exception with that number raises such a signal. The
 * kernel keeps the number of the thread's last exception, and it stands in the
 * context of signals without one, too: those that the kernel forces on a
 * thread, with the code SI_KERNEL, because it could not push the frame of a
 * signal or return from one (kernel/signal.c, arch/x86/kernel/signal.c). The
 * exceptions that share this code have none of their own.
 */
static bool raises(greg_t vector, const siginfo_t *info)
{
    bool forced = info->si_code == SI_KERNEL;

    switch (vector) {
    case VECTOR_PAGE:
        return !forced &&
               (info->si_signo == SIGSEGV || info->si_signo == SIGBUS);
    case VECTOR_PROTECTION:
        return forced && info->si_signo == SIGSEGV;
    case VECTOR_STACK:
        return forced && info->si_signo == SIGBUS;
    case VECTOR_ALIGNMENT:
        return !forced && info->si_signo == SIGBUS;
    case VECTOR_OPCODE:
        return info->si_signo == SIGILL;
    case VECTOR_DIVIDE:
    case VECTOR_X87:
    case VECTOR_SIMD:
        return info->si_signo == SIGFPE;
    case VECTOR_DEBUG:
    case VECTOR_BREAKPOINT:
        return info->si_signo == SIGTRAP;
    default:
        return false;
    }
}

static void read_fault(const void *ucontext, const siginfo_t *info,
                       struct moat_arch_fault *out)
{
    const greg_t *g = gregs(ucontext);
    moat_regs regs;

    switch (g[REG_TRAPNO]) {
    case VECTOR_PAGE:
        read_page_fault(g[REG_ERR], (uintptr_t)info->si_addr, out);
        break;
    case VECTOR_PROTECTION:
    case VECTOR_STACK:
        moat_arch_regs_from_context(ucontext, &regs);
        read_protection_fault(&regs, g[REG_TRAPNO] == VECTOR_PROTECTION, out);
        break;
    case VECTOR_ALIGNMENT:
        out->exception = MOAT_EXCEPTION_ALIGNMENT;
        break;
    case VECTOR_OPCODE:
        out->exception = MOAT_EXCEPTION_OPCODE;
        break;
    case VECTOR_DIVIDE:
        out->exception = MOAT_EXCEPTION_DIVIDE;
        break;
    case VECTOR_X87:
    case VECTOR_SIMD:
        out->exception = MOAT_EXCEPTION_FLOAT;
        break;
    default:
        out->exception = MOAT_EXCEPTION_DEBUG;
        break;
    }
}

void moat_arch_fault_from_context(const void *ucontext, const siginfo_t *info,
                                  struct moat_arch_fault *out)
{
    out->exception = MOAT_EXCEPTION_OTHER;
    out->access = MOAT_ACCESS_NONE;
    out->address = 0;
    if (raises(gregs(ucontext)[REG_TRAPNO], info))
        read_fault(ucontext, info, out);
}

/* --- signals without an exception ----------------------------------------- */

/* Registers and siginfo; the floating-point state comes in addition. */
#define FRAME_BYTES 1024u

/* Returns the size of the frame that the kernel pushes for a signal, from the
 * one that it has pushed for this. */
static uintptr_t frame_bytes(const void *ucontext)
{
    const void *fp = ((const ucontext_t *)ucontext)->uc_mcontext.fpregs;
    uint32_t words[2]; /* the magic, the size with the extended state */

    if (fp == NULL)
        return FRAME_BYTES;
    memcpy(words, (const char *)fp + SOFTWARE_WORDS, sizeof words);
    return FRAME_BYTES +
           (words[0] == FP_MAGIC1 ? words[1] : MOAT_ARCH_FPU_BYTES);
}

/* A return from a handler reads its frame from the stack pointer on. If that
 * fails it leaves the registers of a system call with the result 0, whose
 * instruction address is also in rcx. */
static bool return_failed(const greg_t *g)
{
    uintptr_t word;

    return g[REG_RAX] == 0 && g[REG_RCX] == g[REG_RIP] &&
           moat_instruction_was_syscall((uintptr_t)g[REG_RIP]) &&
           !moat_load_word((uintptr_t)g[REG_RSP], &word);
}

bool moat_arch_frame_failed(const void *ucontext)
{
    const greg_t *g = gregs(ucontext);
    uintptr_t high = (uintptr_t)g[REG_RSP] - MOAT_ARCH_RED_ZONE;
    uintptr_t bytes = frame_bytes(ucontext), word;
    bool fits = moat_load_word(high - sizeof word, &word);

    for (uintptr_t below = bytes; fits && below > sizeof word;
         below -= below < PAGE_BYTES ? below : PAGE_BYTES)
        fits = moat_load_word(high - below, &word);
    return !fits && !return_failed(g);
}

/* Empties the x87 stack and sets both control words. If the frame has extended
 * state, its state bits must claim the legacy part, or XRSTOR would set that to
 * its initial values instead. */
static void redirect_fp(struct _libc_fpstate *fp, const moat_co *co)
{
    unsigned char *image = (unsigned char *)fp;
    uint32_t magic;
    uint64_t xstate_bv;

    fp->cwd = co->fcw;
    fp->swd = 0;
    fp->ftw = 0; /* abridged: a zero bit is an empty register */
    fp->fop = 0;
    fp->mxcsr = co->mxcsr;
    memcpy(&magic, image + SOFTWARE_WORDS, sizeof magic);
    if (magic != FP_MAGIC1)
        return;
    memcpy(&xstate_bv, image + XSTATE_BV, sizeof xstate_bv);
    xstate_bv |= XSTATE_X87_SSE;
    memcpy(image + XSTATE_BV, &xstate_bv, sizeof xstate_bv);
}

extern const char moat_arch_landing[]; /* root.S */

void moat_arch_redirect_context(void *ucontext, const moat_co *co,
                                uint64_t kind)
{
    ucontext_t *uc = ucontext;
    greg_t *g = uc->uc_mcontext.gregs;

    /* In this order, which the fences keep: a walk of the stack in between
     * finds either the guest or the landing whole. */
    g[REG_RDI] = (greg_t)(uintptr_t)co;
    atomic_signal_fence(memory_order_seq_cst);
    g[REG_RIP] = (greg_t)(uintptr_t)moat_arch_landing;
    atomic_signal_fence(memory_order_seq_cst);
    g[REG_RSP] = (greg_t)moat_arch_resumer_top(co);
    g[REG_RBP] = (greg_t)co->resumer_fp;
    g[REG_RBX] = (greg_t)co->resumer_bx;
    g[REG_RAX] = 0; /* the event's value */
    g[REG_RDX] = (greg_t)kind;
    g[REG_EFL] = FLAGS_CLEAN;
    /* The guest may have gone to 32-bit code. */
    g[REG_CSGSFS] =
        (greg_t)(((uint64_t)g[REG_CSGSFS] & SEGMENTS_TO_KEEP) | SEGMENTS_CLEAN);
    if (uc->uc_mcontext.fpregs != NULL)
        redirect_fp(uc->uc_mcontext.fpregs, co);
}

bool moat_arch_context_sent_signal(const void *ucontext, int signo, pid_t pid,
                                   pid_t tid)
{
    const greg_t *g = gregs(ucontext);
    bool tgkill = (pid_t)g[REG_RDI] == pid && (pid_t)g[REG_RSI] == tid &&
                  (int)g[REG_RDX] == signo;
    bool tkill = (pid_t)g[REG_RDI] == tid && (int)g[REG_RSI] == signo;
    bool kill = (pid_t)g[REG_RDI] == pid && (int)g[REG_RSI] == signo;

    /* The kernel preserves the arguments' registers and has put the result, 0,
     * into rax. The code is read last. */
    return g[REG_RAX] == 0 && (tgkill || tkill || kill) &&
           moat_instruction_was_syscall((uintptr_t)g[REG_RIP]);
}

extern const char moat_peek_load[], moat_peek_failed[]; /* peek.S */

bool moat_arch_fix_peek(void *ucontext)
{
    greg_t *registers = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

    if (registers[REG_RIP] != (greg_t)(uintptr_t)moat_peek_load)
        return false;
    registers[REG_RIP] = (greg_t)(uintptr_t)moat_peek_failed;
    return true;
}
