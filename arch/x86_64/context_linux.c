/*
 * context_linux.c: reads and rewrites the machine context of a signal handler.
 *
 * Runs inside handlers: no call that is not async-signal-safe, no lock, no
 * allocation. Touches only the context, the record, and code bytes at the pc
 * that the CPU has just executed.
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

/* Exception vectors, as the kernel leaves them in REG_TRAPNO. */
enum {
    VECTOR_DIVIDE = 0,
    VECTOR_DEBUG = 1,
    VECTOR_BREAKPOINT = 3,
    VECTOR_OVERFLOW = 4,
    VECTOR_BOUND = 5,
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

/* Flags of a program that runs: bit 1 always reads as one, bit 9 is IF. */
#define FLAGS_CLEAN 0x202

/* The extended-state header behind the 512 legacy bytes exists if the software
 * words at 464 begin with this magic. */
#define FP_MAGIC1      0x46505853u
#define SOFTWARE_WORDS 464
#define XSTATE_BV      512
#define XSTATE_X87_SSE 3u

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

/* The legacy prefixes and REX, which may stand before an opcode. */
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

/*
 * Is the instruction at pc one that user mode may not execute? Both this and a
 * bad address end in the same exception. The bytes are readable: the CPU has
 * fetched this instruction, and no byte behind its opcode is looked at.
 */
static bool is_privileged(uintptr_t pc)
{
    const unsigned char *code = (const unsigned char *)pc;
    int prefixes = 0;

    /* An instruction has at most 15 bytes (SDM vol. 2, 2.3.11). */
    while (prefixes < 14 && is_prefix(*code)) {
        code++;
        prefixes++;
    }
    switch (*code) {
    case 0x0f:
        return prefixes < 14 && is_privileged_0f(code[1]);
    case 0xcd: /* int n */
    case 0xf4: /* hlt */
    case 0xfa: /* cli */
    case 0xfb: /* sti */
        return true;
    default:
        return (*code >= 0x6c && *code <= 0x6f) || /* ins, outs */
               (*code >= 0xe4 && *code <= 0xe7) || /* in, out */
               (*code >= 0xec && *code <= 0xef);
    }
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

/* General registers in the order of their numbers in an instruction. */
static uint64_t numbered_register(const greg_t *g, unsigned number)
{
    static const int order[16] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

    return (uint64_t)g[order[number]];
}

/*
 * Where does a ret, or a jmp or call through a register, lead? AMD's CPUs fault
 * at the branch, Intel's at its target; the report should be the same. False:
 * the instruction is none of these. A ret has read its word from the stack
 * before it faults like this (a bad stack pointer is another vector).
 */
static bool branch_target(const greg_t *g, uintptr_t *target)
{
    const unsigned char *code = (const unsigned char *)g[REG_RIP];
    unsigned extension = 0;

    if (*code == 0x3e || *code == 0xf2 || *code == 0xf3) /* notrack, bnd, rep */
        code++;
    if ((*code & 0xf0) == 0x40)
        extension = *code++ & 1; /* REX.B */
    if (*code == 0xc3 || *code == 0xc2) {
        *target = *(const uintptr_t *)g[REG_RSP];
        return true;
    }
    /* ff /2 is call, ff /4 is jmp; mod 3 is a register. */
    if (*code != 0xff || ((code[1] & 0xf8) != 0xd0 && (code[1] & 0xf8) != 0xe0))
        return false;
    *target = numbered_register(g, (code[1] & 7u) + 8 * extension);
    return true;
}

static void read_protection_fault(const greg_t *g, struct moat_arch_fault *out)
{
    uintptr_t pc = (uintptr_t)g[REG_RIP];
    uintptr_t target = pc;

    if (!moat_arch_is_canonical(pc) ||
        (g[REG_TRAPNO] == VECTOR_PROTECTION && branch_target(g, &target) &&
         !moat_arch_is_canonical(target))) {
        out->exception = MOAT_EXCEPTION_FETCH;
        out->access = MOAT_ACCESS_EXEC;
        out->address = target;
    } else if (is_privileged(pc)) {
        out->exception = MOAT_EXCEPTION_PRIVILEGED;
    } else {
        out->exception = MOAT_EXCEPTION_PROTECTION;
    }
}

void moat_arch_fault_from_context(const void *ucontext, uintptr_t fault_address,
                                  struct moat_arch_fault *out)
{
    const greg_t *g = gregs(ucontext);

    out->exception = MOAT_EXCEPTION_OTHER;
    out->access = MOAT_ACCESS_NONE;
    out->address = 0;
    switch (g[REG_TRAPNO]) {
    case VECTOR_PAGE:
        read_page_fault(g[REG_ERR], fault_address, out);
        break;
    case VECTOR_PROTECTION:
    case VECTOR_STACK:
        read_protection_fault(g, out);
        break;
    case VECTOR_ALIGNMENT:
        out->exception = MOAT_EXCEPTION_ALIGNMENT;
        break;
    case VECTOR_OPCODE:
        out->exception = MOAT_EXCEPTION_OPCODE;
        break;
    case VECTOR_DIVIDE:
    case VECTOR_OVERFLOW:
    case VECTOR_BOUND:
        out->exception = MOAT_EXCEPTION_DIVIDE;
        break;
    case VECTOR_X87:
    case VECTOR_SIMD:
        out->exception = MOAT_EXCEPTION_FLOAT;
        break;
    case VECTOR_DEBUG:
    case VECTOR_BREAKPOINT:
        out->exception = MOAT_EXCEPTION_DEBUG;
        break;
    default:
        break;
    }
}

/* Empties the x87 stack and sets both control words. Where the frame carries
 * extended state, the state bits must claim the legacy part, or XRSTOR would
 * set it to its initial values instead. */
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

    /* In this order, and each store where it stands: whoever walks the stack in
     * between finds either the guest or the landing whole. */
    g[REG_RDI] = (greg_t)(uintptr_t)co;
    atomic_signal_fence(memory_order_seq_cst);
    g[REG_RIP] = (greg_t)(uintptr_t)moat_arch_landing;
    atomic_signal_fence(memory_order_seq_cst);
    g[REG_RSP] = (greg_t)co->resumer_sp;
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
    static const unsigned char syscall_code[2] = {0x0f, 0x05};
    const greg_t *g = gregs(ucontext);
    uintptr_t pc = (uintptr_t)g[REG_RIP];
    bool tgkill = (pid_t)g[REG_RDI] == pid && (pid_t)g[REG_RSI] == tid &&
                  (int)g[REG_RDX] == signo;
    bool tkill = (pid_t)g[REG_RDI] == tid && (int)g[REG_RSI] == signo;
    bool kill = (pid_t)g[REG_RDI] == pid && (int)g[REG_RSI] == signo;

    /* The kernel keeps the arguments' registers and has put the result, 0, into
     * rax. The code is looked at last, and only if it is on pc's own page: the
     * arguments make it all but certain that the bytes are there. */
    return g[REG_RAX] == 0 && (tgkill || tkill || kill) &&
           pc % 4096 >= sizeof syscall_code &&
           memcmp((const void *)(pc - sizeof syscall_code), syscall_code,
                  sizeof syscall_code) == 0;
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
