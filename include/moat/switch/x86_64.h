/*
 * switch/x86_64.h: the control record and the header-inline switch, x86-64.
 *
 * The record is the ABI between the header, the library and JIT compilers that
 * emit the switch themselves; its layout is fixed for a minor version. It lies
 * outside the guest's stack, so that a guest that writes past its stack's base
 * cannot redirect its host.
 *
 * A switch stores four words of one side (rbp, the pc to continue at, rsp,
 * rbx), loads the four of the other, and leaves by an indirect jmp. There is
 * no push, call or ret. The return-stack predictor belongs to the CPU, not to
 * a stack: a switch that leaves it alone keeps the guest's own returns
 * predicted (bench/switch: a ret costs two mispredictions per round trip).
 *
 * All other registers are declared clobbered, so the compiler saves those that
 * are live and no others. rbx and rbp are saved by hand, since gcc refuses an
 * rbp clobber in a function with a frame pointer, and clang -O0 loses rbx
 * where it is a base pointer.
 *
 * Unwinding works at every instruction. While the registers of the other side
 * are being loaded, rsp, rbp and rbx belong to neither side; the unwind rows
 * of MOAT_WINDOW_OPEN then describe the frame by rdi, the record, which no
 * instruction of that window changes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_X86_64_H
#define MOAT_SWITCH_X86_64_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/home.h>

/**
 * The registers at a trap.
 *
 * These are the general registers, and the control registers that a guest can
 * leave in a bad state.
 */
typedef struct moat_regs {
    /* Program counter (rip), stack pointer (rsp), frame pointer (rbp). */
    uintptr_t pc, sp, fp;
    uint64_t rax, rbx, rcx, rdx, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    /* The register rflags. */
    uint64_t flags;
    /* SSE control and status. */
    uint32_t mxcsr;
    /* Control word of the x87. */
    uint16_t fcw;
    /* Status word of the x87. */
    uint16_t fsw;
} moat_regs;

/* A coroutine. Code that emits the switch itself may read the fields, and write
 * those that the code of docs/record.md writes. Other programs use the
 * functions of co.h. */
typedef struct moat_co moat_co;

/**
 * A guest's entry function, which runs on the coroutine's stack.
 *
 * @param self   the coroutine
 * @param input  the input of the first resume
 * @return the value of the MOAT_EVENT_RETURN event
 */
typedef void *(*moat_entry)(moat_co *self, void *input);

/*
 * The record. A resume writes the first four words and loads the next four; a
 * yield does the opposite. The resumer's words come first because words 0 and
 * 1 are then an ordinary frame record, {saved rbp, return address}: the root
 * frame keeps rbp = the record, so frame-pointer walkers cross the border.
 *
 * `state` decides by one compare whether a resume may take the inline path. It
 * equals the owner's token while the coroutine may be resumed; otherwise it is
 * one of MOAT_MARK_..., which no token equals. It becomes RUNNING once the
 * resumer's words are complete, and stops being RUNNING once the coroutine's
 * words are: a handler that finds another value knows that one of the two sets
 * is incomplete.
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
    /* 64 */ uint64_t state;          /* token or MOAT_MARK_...            */
    /* 72 */ uint64_t token;          /* of the thread that owns it        */
    /* 80 */ uintptr_t resumer;       /* moat_tls.current at the resume; of a
                                         spare record: the next one        */
    /* 88 */ moat_entry entry;        /* called by the root frame          */
    /* 96 */ uint32_t mxcsr;          /* of the first resumer, restored    */
    /* 100 */ uint16_t fcw;           /* after a trap; likewise            */
    /* 102 */ uint16_t flags;         /* 0: its end and its destroy need no
                                         call into the library: no open
                                         section, no moat_co_defer         */
    /* 104 */ uintptr_t root_sp;      /* of the root frame                 */
    /* 112 */ struct moat_home *home; /* where its spare waits        */
    /* 120 */ void *user;             /* for moat_co_user                  */
#if MOAT_SWITCH_PORTABLE
    /* 128 */ void *point;         /* where it waits: of the backend; of one
                                      that was never entered: its input   */
    /* 136 */ void *resumer_point; /* likewise its resumer; NULL: the words
                                      above lead there                    */
    /* 144 */ volatile uint32_t switching; /* it runs, and is on its way out */
#endif
};

/* Values of `state` besides tokens. A token is a multiple of MOAT_TOKEN_STEP,
 * plus an even number that is the higher the shorter its time limits are, 0
 * without any, or plus 15 in a coroutine that must take the slow path. The
 * thread's token is a multiple. TIMED is RUNNING, and the clock of its limits
 * runs: a signal handler writes it, and the next yield or resume overwrites it.
 */
#define MOAT_MARK_RUNNING 2
#define MOAT_MARK_DONE    3
#define MOAT_MARK_TRAPPED 4
#define MOAT_MARK_FREE    5
#define MOAT_MARK_TIMED   6
#define MOAT_TOKEN_STEP   16

/*
 * The thread's part of the switch.
 *
 * `current` is the address of the running coroutine; 0 on the host's stack.
 * Bit 0 is set while a coroutine runs that must take the slow path (time
 * limits, sanitizers, a host call on its stack), so that the compare of the
 * inline code fails.
 *
 * `home` is where the spare coroutines with the default options wait, and
 * `homes` an array of those of other specs: homes[0] is its length, and
 * homes[i] the address of the struct moat_home for the spec with the index i,
 * or 0. The library replaces the array when it grows.
 *
 * While the thread's timer watches over limited coroutines, those whose token
 * exceeds the thread's by `reach` at most may be resumed inline, and as many of
 * them as there is fuel before the library looks at the clock again. The word
 * that counts lies where the kernel clears it in a forked child.
 */
struct moat_tls {
    uintptr_t current;
    uint64_t token;         /* 0: the thread is not attached            */
    volatile uint32_t poll; /* a deadline waits: see moat_poll          */
    uint32_t reserved;
    struct moat_home *home; /* NULL: the thread is not attached         */
    uintptr_t *homes;       /* NULL: none                               */
    uint64_t reach;         /* 0: the timer does not watch              */
    uint64_t *fuel;         /* not NULL if `reach` is not 0             */
};

#define MOAT_MAX_SPARES 1024

/* Initial-exec: an access is one load from the GOT and one through fs, without
 * a call, so a signal handler may read it at any time. */
#ifdef __cplusplus
extern "C" {
#endif
MOAT_API extern __thread struct moat_tls moat_tls
    __attribute__((tls_model("initial-exec")));

#if !MOAT_SWITCH_PORTABLE
/* The body of resume in arch/x86_64/switch.S, entered by jmp only. All resume
 * sites share it: many inline indirect jumps mispredict (bench/switch). */
MOAT_API extern const char moat_switch_body[];

/* The body of a transfer, likewise. */
MOAT_API extern const char moat_transfer_body[];
#endif
#ifdef __cplusplus
}
#endif

#define MOAT_TLS_CURRENT 0 /* offsets in struct moat_tls, for the asm below */
#define MOAT_TLS_TOKEN   8
#define MOAT_TLS_HOME    24
#define MOAT_TLS_HOMES   32
#define MOAT_TLS_REACH   40
#define MOAT_TLS_FUEL    48

/*
 * Reads a word of moat_tls. A plain C access would not do: a compiler may keep
 * the address of a thread-local across the switch, and a coroutine that was
 * moved to another thread would read the word of its former one. The asm is
 * volatile, so that each use loads the address anew.
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

/* Returns whether it is 0, without a register for it. */
#define MOAT_TLS_IS_ZERO(offset)                                 \
    __extension__({                                              \
        uintptr_t moat_at_;                                      \
        int moat_zero_;                                          \
        __asm__ volatile("movq moat_tls@gottpoff(%%rip), %0\n\t" \
                         "cmpq $0, %%fs:%c2(%0)"                 \
                         : "=&r"(moat_at_), "=@ccz"(moat_zero_)  \
                         : "i"(offset));                         \
        moat_zero_;                                              \
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

/* With indirect-branch tracking the target of an indirect jmp must be an
 * endbr64. */
#if defined(__CET__) && (__CET__ & 1)
#    define MOAT_LANDING "endbr64\n\t"
#else
#    define MOAT_LANDING ""
#endif

/*
 * The registers that AVX-512 adds. clang ignores a clobber of a register that
 * the target lacks, so with clang they are always listed: a function with the
 * attribute target("avx512f") may use them in a file compiled without. gcc
 * rejects them there: compile a file with such functions with -mavx512f. The
 * names are xmm, never zmm; the clobber covers the whole register.
 */
#if defined(__AVX512F__) || defined(__clang__)
#    define MOAT_CLOBBER_AVX512                                            \
        , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",   \
            "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", \
            "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#    define MOAT_CLOBBER_AVX512
#endif

/* Everything that a switch does not save. The x87 stack is listed because the
 * other side may use it, and because a trap leaves it empty. */
#define MOAT_CLOBBERS                                                        \
    "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",     \
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",      \
        "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st",  \
        "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "cc", \
        "memory" MOAT_CLOBBER_AVX512

/*
 * Unwind rows for the window of a yield, in which rbp, rbx and rsp are loaded
 * one after the other. The frame is already the resumer's, described through
 * the record in rdi:
 *
 *   0f 03 75 10 06    def_cfa_expression: breg5(rdi)+16, deref
 *   10 06 02 75 00    rbp is saved at rdi+0
 *   10 10 02 75 08    rip is saved at rdi+8
 *   10 03 02 75 18    rbx is saved at rdi+24
 *
 * r12 to r15 are undefined: they are clobbers, and the resumer's compiler has
 * saved those that it needs. Without .cfi directives in the output
 * (-fno-asynchronous-unwind-tables) there is no frame description to extend.
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

/* The result of a resume: the guest's value, a moat_event_kind, and the guest.
 * That is the one that was resumed, or the one that runs in its place after a
 * transfer. */
struct moat_switched {
    void *value;
    uint64_t kind;
    moat_co *co;
};

#if !MOAT_SWITCH_PORTABLE
#    define MOAT_SWITCH_PREPARE() ((void)0) /* takes no stack */

/*
 * Enters `co`. The registers of the protocol, on the way in: rdi the record,
 * rsi the value for the guest, rax the address to come back to. On the way
 * back: rax the guest's value, rdx the event, rdi the record of the guest that
 * it is from.
 *
 *   leaq, jmp  The shared body stores rax as the resumer's pc.
 *   nop        Unwinders look up the return address minus one; the nop keeps
 *              that address inside the unwind rows of this statement.
 *   1:         The guest's yield jumps here.
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
#endif

/* The kinds of a yield, as the resumer finds them in rdx: MOAT_EVENT_YIELD, and
 * that of a coroutine on the slow path. The resumer passes the latter to
 * moat_co_settle, where the limits end. */
#define MOAT_SWITCH_YIELD      1
#define MOAT_SWITCH_YIELD_SLOW 6

/* Added to the kind at a guest's end if its flags are not 0, so that the
 * resumer calls moat_co_settle. */
#define MOAT_SWITCH_SLOW 8

/* The result of a yield: the record, the resumer's value, and a command from
 * rdx. */
struct moat_resumed {
    moat_co *self;
    void *input;
    uint64_t command;
};

/* Commands. Code that emits the switch itself calls moat_co_unwind(self) for
 * all but the first, as an ordinary call: the frame's cleanup code belongs to
 * it. */
#define MOAT_COMMAND_NONE   0 /* continue                               */
#define MOAT_COMMAND_UNWIND 1 /* moat_co_cancel: unwind down to the root */

#if MOAT_SWITCH_PORTABLE
#    define MOAT_SWITCH_TOUCH()                  \
        __asm__ volatile("testb $0, -%c0(%%rsp)" \
                         :                       \
                         : "i"(MOAT_SWITCH_ROOM) \
                         : "cc", "memory")
#    include <moat/switch/portable.h>
#else
/*
 * Leaves the coroutine in `back.self` for its resumer with a value, and comes
 * back with the next input. The registers of the protocol, on the way out: rdi
 * the record, rsi the value, rdx the event (from `back.command`). On the way
 * back: rdi the record, rax the input, rdx a command. The record comes back in
 * rdi so that the caller need not save a register for it.
 *
 *   leaq, movq to 32..56   Store rbp, pc, rsp and rbx in the record.
 *   movq 72, movq to 64    Then set the state to the token: from here on the
 *                          coroutine may be resumed, so its words must be
 *                          complete before.
 *   movq rsi, rax          The value, where the resumer expects it.
 *   movq 0, 24, 16         Load the resumer's rbp, rbx and rsp, in the window.
 *   jmp 8                  To the resumer's pc.
 *   nop, 1:                As in moat_switch_resume.
 */
#    define MOAT_SWITCH_LEAVE(back, value)                                  \
        __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"                        \
                         "movq %%rbp, 32(%%rdi)\n\t"                        \
                         "movq %%rax, 40(%%rdi)\n\t"                        \
                         "movq %%rsp, 48(%%rdi)\n\t"                        \
                         "movq %%rbx, 56(%%rdi)\n\t"                        \
                         "movq 72(%%rdi), %%rcx\n\t"                        \
                         "movq %%rcx, 64(%%rdi)\n\t"                        \
                         "movq %%rsi, %%rax\n\t" MOAT_WINDOW_OPEN           \
                         "movq 0(%%rdi), %%rbp\n\t"                         \
                         "movq 24(%%rdi), %%rbx\n\t"                        \
                         "movq 16(%%rdi), %%rsp\n\t"                        \
                         "jmp *8(%%rdi)\n\t" MOAT_WINDOW_CLOSE "nop\n"      \
                         "1:\n\t" MOAT_LANDING                              \
                         : "=&a"(back.input), "+D"(back.self), "+S"(value), \
                           "+d"(back.command)                               \
                         :                                                  \
                         : MOAT_CLOBBERS)

static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_yield(moat_co *co, void *value)
{
    struct moat_resumed back = {co, NULL, MOAT_SWITCH_YIELD};
    MOAT_SWITCH_LEAVE(back, value);
    return back;
}

/* As above, for a coroutine on the slow path. */
static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_yield_slow(moat_co *co, void *value)
{
    struct moat_resumed back = {co, NULL, MOAT_SWITCH_YIELD_SLOW};
    MOAT_SWITCH_LEAVE(back, value);
    return back;
}

/*
 * Suspends `self`, which runs, and continues `other` in its place. The
 * registers of the protocol, on the way out: rdi the record of `self`, rsi that
 * of `other`, rdx the value (from `back.command`), rax the address to come back
 * to. On the way back, as of a yield: rdi the record, rax the input, rdx a
 * command.
 *
 *   leaq, jmp  The shared body stores rax as the pc of `self`.
 *   nop, 1:    As in moat_switch_resume.
 */
static inline __attribute__((always_inline)) struct moat_resumed
moat_switch_transfer(moat_co *self, moat_co *other, void *value)
{
    struct moat_resumed back = {self, NULL, (uintptr_t)value};
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "jmp *moat_transfer_body@GOTPCREL(%%rip)\n\t"
                     "nop\n"
                     "1:\n\t" MOAT_LANDING
                     : "=&a"(back.input), "+D"(back.self), "+S"(other),
                       "+d"(back.command)
                     :
                     : MOAT_CLOBBERS);
    return back;
}
#endif

/* Whether `co`, which may be resumed, has never run: a suspended one has used
 * its stack. */
static inline __attribute__((always_inline)) int
moat_switch_is_fresh(const moat_co *co)
{
    return co->sp == co->root_sp;
}

#endif
