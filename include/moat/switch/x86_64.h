/*
 * switch/x86_64.h: the control record and the header-inline switch, x86-64.
 *
 * The record is the ABI between the header, the library and JIT compilers that
 * emit the switch themselves: its layout is fixed for a minor version. It lies
 * outside the guest's stack, so that a guest which writes past its stack's base
 * cannot redirect its host.
 *
 * The switch stores four words (rbp, the pc to go on at, rsp, rbx), loads the
 * other side's four, and leaves by an indirect jmp. It pushes nothing and has
 * neither call nor ret: the return-stack predictor belongs to the CPU, not to a
 * stack, so a switch that leaves it alone lets the guest's own returns predict
 * (bench/switch: a ret here costs two mispredictions per round trip). All other
 * registers are named as clobbered, so the compiler saves what is live and only
 * that. rbx and rbp are saved by hand because gcc refuses an rbp clobber where
 * there is a frame pointer and clang -O0 loses rbx where it is a base pointer.
 *
 * Unwinding works at every instruction. While the registers of the other side
 * are being loaded, the rows of WINDOW describe the frame by rdi (the record),
 * which no instruction of the window changes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_X86_64_H
#define MOAT_SWITCH_X86_64_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>

/**
 * The general registers at a trap, with those control registers that a guest
 * can leave in a bad state.
 */
typedef struct moat_regs {
    uintptr_t pc, sp, fp; /* rip, rsp, rbp */
    uint64_t rax, rbx, rcx, rdx, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t flags; /* rflags                                            */
    uint32_t mxcsr; /* SSE control and status                            */
    uint16_t fcw;   /* x87 control word                                  */
    uint16_t fsw;   /* x87 status word                                   */
} moat_regs;

/** A coroutine. Read its fields if you must (a JIT does); never write others
 * than docs/record.md's code writes. */
typedef struct moat_co moat_co;

/**
 * A guest's entry function: runs on the coroutine's stack at the first resume.
 *
 * @param self   the coroutine
 * @param input  what the first resume passed
 * @return the value of the MOAT_EVENT_RETURN event
 */
typedef void *(*moat_entry)(moat_co *self, void *input);

/*
 * Words 0 and 1 are an ordinary frame record {saved rbp, return address}: the
 * root frame keeps rbp = the record, so frame-pointer walkers cross the border.
 */
struct moat_co {
    /*  0 */ uintptr_t resumer_fp; /* written by each resume            */
    /*  8 */ uintptr_t resumer_pc;
    /* 16 */ uintptr_t resumer_sp;
    /* 24 */ uintptr_t resumer_bx;
    /* 32 */ uintptr_t fp; /* written by each yield             */
    /* 40 */ uintptr_t pc;
    /* 48 */ uintptr_t sp;
    /* 56 */ uintptr_t bx;
    /* 64 */ uint64_t state;     /* == token: may be resumed; else one
                                    of MOAT_MARK_...: RUNNING from when
                                    the resumer's words are written to
                                    when the coroutine's are           */
    /* 72 */ uint64_t token;     /* of the thread that owns it        */
    /* 80 */ uintptr_t resumer;  /* moat_tls.current at the resume; of a
                                    spare one: the next               */
    /* 88 */ moat_entry entry;   /* called by the root frame          */
    /* 96 */ uint32_t mxcsr;     /* the first resumer's, for the way  */
    /* 100 */ uint16_t fcw;      /* back from a trap                  */
    /* 102 */ uint16_t flags;    /* 0: nothing but the switch is needed
                                    at its end: no options, no open
                                    section, no moat_co_defer         */
    /* 104 */ uintptr_t root_sp; /* of the root frame                */
};

/* Values of `state` that no token takes: tokens are multiples of
 * MOAT_TOKEN_STEP, plus 1 for a coroutine that must take the slow path. */
#define MOAT_MARK_RUNNING 2
#define MOAT_MARK_DONE    3
#define MOAT_MARK_TRAPPED 4
#define MOAT_MARK_FREE    5
#define MOAT_TOKEN_STEP   16

/*
 * The thread's share of the switch. `current` is the running coroutine's
 * address, 0 on the host's stack; bit 0 is set while a coroutine runs that must
 * take the slow path (time limits, sanitizers, a service on its stack), so the
 * inline compare fails for it. `spare` is a list of coroutines that were
 * destroyed and are ready to be used again with the default options; the
 * `resumer` of each is the next, its `resumer_fp` how many there are from it
 * on, at most MOAT_SPARES_MOST; `spares` says it of the first, to whom it may
 * concern on other threads.
 */
struct moat_tls {
    uintptr_t current;
    uint64_t token;         /* 0: the thread is not attached            */
    volatile uint32_t poll; /* a deadline passed in a no-trap section   */
    uint32_t reserved;
    moat_co *spare; /* NULL: none                               */
    uint64_t spares;
};

#define MOAT_SPARES_MOST 1024

/* Initial-exec: one load from the GOT and one through fs, no call; what a
 * signal handler may read at any time. */
#ifdef __cplusplus
extern "C" {
#endif
MOAT_API extern __thread struct moat_tls moat_tls
    __attribute__((tls_model("initial-exec")));

/* The shared body of resume, arch/x86_64/switch.S. One body for all resume
 * sites: many inline indirect jumps mispredict (bench/switch). Reached by jmp
 * only. */
MOAT_API extern const char moat_switch_body[];
#ifdef __cplusplus
}
#endif

#define MOAT_TLS_CURRENT 0 /* offsets in struct moat_tls, for the asm below */
#define MOAT_TLS_TOKEN   8
#define MOAT_TLS_SPARE   24
#define MOAT_TLS_SPARES  32

/*
 * Reads a word of moat_tls. Not a plain C access: a compiler may keep the
 * address of a thread-local across the switch, and a coroutine that was moved
 * would then read its former thread's. The asm is volatile, so each use is a
 * fresh read.
 */
#define MOAT_TLS_READ(offset)                                    \
    __extension__({                                              \
        uint64_t moat_word_;                                     \
        __asm__ volatile("movq moat_tls@gottpoff(%%rip), %0\n\t" \
                         "movq %%fs:%c1(%0), %0"                 \
                         : "=&r"(moat_word_)                     \
                         : "i"(offset));                         \
        moat_word_;                                              \
    })

#define MOAT_TLS_WRITE(offset, value)                            \
    do {                                                         \
        uint64_t moat_slot_;                                     \
        __asm__ volatile("movq moat_tls@gottpoff(%%rip), %0\n\t" \
                         "movq %1, %%fs:%c2(%0)"                 \
                         : "=&r"(moat_slot_)                     \
                         : "r"((uintptr_t)(value)), "i"(offset)  \
                         : "memory");                            \
    } while (0)

#define MOAT_TLS_WRITE_CURRENT(value) MOAT_TLS_WRITE(MOAT_TLS_CURRENT, value)

#if defined(__CET__) && (__CET__ & 1)
#    define MOAT_LANDING "endbr64\n\t"
#else
#    define MOAT_LANDING ""
#endif

/*
 * Named xmm, never zmm: clang drops a clobber of a register the target lacks,
 * so with clang they are named always: a function with the attribute
 * target("avx512f") uses them in a file that is compiled without. gcc refuses
 * them there: compile a file with such functions with -mavx512f.
 */
#if defined(__AVX512F__) || defined(__clang__)
#    define MOAT_CLOBBER_AVX512                                            \
        , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",   \
            "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", \
            "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#    define MOAT_CLOBBER_AVX512
#endif

/* The x87 stack is named because the other side may use it, and because a trap
 * leaves it empty. */
#define MOAT_CLOBBERS                                                        \
    "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",     \
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",      \
        "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st",  \
        "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "cc", \
        "memory" MOAT_CLOBBER_AVX512

/*
 * The window of a yield: the frame is already the resumer's, found through the
 * record in rdi whatever rbp, rbx and rsp hold.
 *   0f 03 75 10 06    : def_cfa_expression   breg5(rdi)+16, deref
 *   10 06 02 75 00    : rbp is saved at rdi+0
 *   10 10 02 75 08    : rip is saved at rdi+8
 *   10 03 02 75 18    : rbx is saved at rdi+24
 * Without .cfi directives in the output (-fno-asynchronous-unwind-tables) the
 * rows have nothing to belong to and are left out.
 */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#    define MOAT_WINDOW_OPEN                           \
        ".cfi_remember_state\n\t"                      \
        ".cfi_escape 0x0f,0x03,0x75,0x10,0x06\n\t"     \
        ".cfi_escape 0x10,0x06,0x02,0x75,0x00\n\t"     \
        ".cfi_escape 0x10,0x10,0x02,0x75,0x08\n\t"     \
        ".cfi_escape 0x10,0x03,0x02,0x75,0x18\n\t"     \
        ".cfi_undefined r12\n\t.cfi_undefined r13\n\t" \
        ".cfi_undefined r14\n\t.cfi_undefined r15\n\t"
#    define MOAT_WINDOW_CLOSE ".cfi_restore_state\n\t"
#else
#    define MOAT_WINDOW_OPEN  ""
#    define MOAT_WINDOW_CLOSE ""
#endif

/* What came back from a resume: the guest's value, a moat_event_kind, and the
 * guest: the one that was resumed, or one to which it has handed its place. */
struct moat_switched {
    void *value;
    uint64_t kind;
    moat_co *co;
};

/*
 * Enters `co`. rdi: record, rsi: value for the guest, rax: where to come back.
 * Back come rax: the guest's value, rdx: the event, rdi: the record of the
 * guest that it is from. The nop keeps a lookup of "return address minus one"
 * inside this statement's rows.
 */
static inline __attribute__((always_inline)) struct moat_switched
moat_switch_resume(moat_co *co, void *input)
{
    struct moat_switched back;
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "jmp *moat_switch_body@GOTPCREL(%%rip)\n\t"
                     "nop\n"
                     "1:\n\t" MOAT_LANDING
                     : "=&a"(back.value), "=&d"(back.kind), "+D"(co),
                       "+S"(input)
                     :
                     : MOAT_CLOBBERS);
    back.co = co;
    return back;
}

/* MOAT_EVENT_YIELD, as the resumer finds it in rdx; and the yield of a
 * coroutine on the slow path, which the resumer hands to moat_co_settle like
 * any other event: its limits end there. */
#define MOAT_SWITCH_YIELD      1
#define MOAT_SWITCH_YIELD_SLOW 6

/* Added to the kind at a guest's end if its flags are not 0: for
 * moat_co_settle.
 */
#define MOAT_SWITCH_SLOW 8

/* What a yield finds when it comes back: the record again, the resumer's value,
 * and in rdx a command. */
struct moat_resumed {
    moat_co *self;
    void *input;
    uint64_t command;
};

/* Commands. Code that emits the switch itself calls moat_co_unwind(self) for
 * any but the first, as an ordinary call: the frame's cleanup code hangs on it.
 */
#define MOAT_COMMAND_NONE   0 /* go on                                  */
#define MOAT_COMMAND_UNWIND 1 /* moat_co_cancel: unwind down to the root */

/*
 * Leaves the coroutine in `back.self` for its resumer with a value; comes back
 * with the next input. rdi: record, rsi: value, rdx: event, from
 * `back.command`. The state is written once the words are: from then on it may
 * be resumed. Back come rdi: record, rax: input, rdx: command; taking the
 * record from rdi spares the caller a saved register.
 */
#define MOAT_SWITCH_LEAVE(back, value)                                        \
    __asm__ volatile(                                                         \
        "leaq 1f(%%rip), %%rax\n\t"                                           \
        "movq %%rbp, 32(%%rdi)\n\t"                                           \
        "movq %%rax, 40(%%rdi)\n\t"                                           \
        "movq %%rsp, 48(%%rdi)\n\t"                                           \
        "movq %%rbx, 56(%%rdi)\n\t"                                           \
        "movq 72(%%rdi), %%rcx\n\t"                                           \
        "movq %%rcx, 64(%%rdi)\n\t"                                           \
        "movq %%rsi, %%rax\n\t" MOAT_WINDOW_OPEN "movq 0(%%rdi), %%rbp\n\t"   \
        "movq 24(%%rdi), %%rbx\n\t"                                           \
        "movq 16(%%rdi), %%rsp\n\t"                                           \
        "jmp *8(%%rdi)\n\t" MOAT_WINDOW_CLOSE "nop\n"                         \
        "1:\n\t" MOAT_LANDING                                                 \
        : "=&a"(back.input), "+D"(back.self), "+S"(value), "+d"(back.command) \
        :                                                                     \
        : MOAT_CLOBBERS)

static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_yield(moat_co *co, void *value)
{
    struct moat_resumed back = {co, NULL, MOAT_SWITCH_YIELD};
    MOAT_SWITCH_LEAVE(back, value);
    return back;
}

/* The yield of a coroutine on the slow path. */
static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_yield_slow(moat_co *co, void *value)
{
    struct moat_resumed back = {co, NULL, MOAT_SWITCH_YIELD_SLOW};
    MOAT_SWITCH_LEAVE(back, value);
    return back;
}

#endif
