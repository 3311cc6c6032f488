/*
 * switch.S: the shared resume body, the root frame, the out-of-line ABI, and the
 * three odd jobs that need the same care: leave, try, capture.
 *
 * Two stacks and a record tie a border together:
 *
 *     resumer's stack            control record            guest's stack
 *                                (off both stacks)                      base
 *                                                         | first_frame's    |
 *    | ...           |          +------------------+      | other words  +16 |
 *    | frame that    |<---------| resumer_sp   +16 |      | 0             +8 |
 *    | resumed       |   ,------| resumer_pc    +8 |<-----| record        +0 |<- rsp of
 *    +---------------+   |  ,---| resumer_fp    +0 |<--.  +------------------+   the root
 *          code <--------'  |   | resumer_bx   +24 |   |  | moat_root_return |   frame
 *      rbp chain <----------'   +------------------+   |  +------------------+
 *                               | fp pc sp bx  +32 |   |  | entry's frame    |
 *                               +------------------+   |  | ...              |
 *                                                      `--- rbp of the root frame
 *
 * The root frame's unwind rules start from rsp, not rbp: they survive a smashed
 * rbp, and they avoid libunwind's heuristic for realigned frames, which takes an
 * rbp-based expression for one and ends the walk early. rbp still points at the
 * record, whose first two words are a true frame record, so that walkers of frame
 * pointers cross the border without knowing of it.
 *
 * Unwind expressions, decoded (DWARF 4, 2.5 and 6.4.2):
 *
 *   0f len expr       DW_CFA_def_cfa_expression: CFA = value of expr
 *   10 reg len expr   DW_CFA_expression: reg is saved at the address expr
 *   70+r sleb         DW_OP_breg<r>: register r plus offset (75: rdi, 77: rsp)
 *   06                DW_OP_deref     23 uleb   DW_OP_plus_uconst
 *   registers: 3 rbx, 6 rbp, 7 rsp, 16 return address
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"

/*
 * The window: rdi is the record, the frame above is the resumer's, and it stays
 * described so while rbp, rbx and rsp are loaded one by one, up to and with the
 * final jmp. The rows are the same as MOAT_WINDOW_OPEN in the header.
 */
#define WINDOW                                                                 \
    .cfi_escape 0x0f, 0x03, 0x75, 0x10, 0x06;                                  \
    .cfi_escape 0x10, 0x06, 0x02, 0x75, 0x00;                                  \
    .cfi_escape 0x10, 0x10, 0x02, 0x75, 0x08;                                  \
    .cfi_escape 0x10, 0x03, 0x02, 0x75, 0x18;                                  \
    .cfi_undefined r12;                                                        \
    .cfi_undefined r13;                                                        \
    .cfi_undefined r14;                                                        \
    .cfi_undefined r15

    .text

/* ---------------------------------------------------------------------------
 * moat_switch_body: the second half of moat_switch_resume, shared by all sites.
 *
 * in:  rdi record, rsi value for the guest, rax where to come back to,
 *      rsp and rbp as in the resuming function (nothing was pushed)
 * out: at the guest's pc: rax value, rdi record, rdx command
 *
 * On entry nothing is on the stack for this code: the CFA is rsp itself and the
 * return address is in rax.
 */
FUNCTION(moat_switch_body)
    .cfi_startproc
    .cfi_def_cfa rsp, 0
    .cfi_register rip, rax
.Lswitch_body:
    LANDING
    xorl    %edx, %edx              /* COMMAND_NONE */
.Lswitch_command:
    movq    %rbp, CO_RESUMER_FP(%rdi)
    movq    %rax, CO_RESUMER_PC(%rdi)
    movq    %rsp, CO_RESUMER_SP(%rdi)
    movq    %rbx, CO_RESUMER_BX(%rdi)
    /* The way back is known: a trap may use it. */
    movq    $MARK_RUNNING, CO_STATE(%rdi)
    /* From here the record says all, and rax is free for the value. */
    WINDOW
    movq    %rsi, %rax
    movq    CO_FP(%rdi), %rbp
    movq    CO_BX(%rdi), %rbx
    movq    CO_SP(%rdi), %rsp
    jmp     *CO_PC(%rdi)
    .cfi_endproc
END(moat_switch_body)

/* ---------------------------------------------------------------------------
 * moat_root: the first frame of every coroutine.
 *
 * in (at moat_root_start): rdi and rbp record, rax input,
 *                          rsp -> { record, 0 }, 16-byte aligned
 *
 * .cfi_signal_frame: gdb refuses a frame whose address is not above its callee's
 * unless it is marked so, and the two stacks lie anyhow. It has a price: an
 * unwinder looks a signal frame's pc up exactly, not at pc - 1; hence the nops
 * before the entry and after the call.
 */
FUNCTION(moat_root)
    .cfi_startproc
    /* 0x1b: a 4-byte offset from where it stands. */
    .cfi_personality 0x1b, moat_root_personality
    .cfi_signal_frame
    /* CFA = *(*(rsp) + 16): breg7 0, deref, plus 16, deref: resumer_sp. */
    .cfi_escape 0x0f, 0x06, 0x77, 0x00, 0x06, 0x23, 0x10, 0x06
    /* rbp at *(rsp) + 0, return address at + 8, rbx at + 24. */
    .cfi_escape 0x10, 0x06, 0x03, 0x77, 0x00, 0x06
    .cfi_escape 0x10, 0x10, 0x05, 0x77, 0x00, 0x06, 0x23, 0x08
    .cfi_escape 0x10, 0x03, 0x05, 0x77, 0x00, 0x06, 0x23, 0x18
    /* The resume gave these up; their old values are nowhere. */
    .cfi_undefined r12
    .cfi_undefined r13
    .cfi_undefined r14
    .cfi_undefined r15
    nop
    .globl  moat_root_start
    .hidden moat_root_start
moat_root_start:
    LANDING
    /*
     * The control words that a trap gives back to the host. Once per life, not at
     * each resume: the two stores take longer than all the rest of a round trip
     * (bench/switch: 4.8 ns with them, 1.8 ns without).
     */
    stmxcsr CO_MXCSR(%rdi)
    fnstcw  CO_FCW(%rdi)
    /* Here a guest begins that takes another's place, and has them from it. */
    .globl  moat_root_noted
    .hidden moat_root_noted
moat_root_noted:
    LANDING
    movq    %rdi, %rbx              /* for the way out */
    movq    %rax, %rsi
    call    *CO_ENTRY(%rdi)
    .globl  moat_root_return
    .hidden moat_root_return
moat_root_return:
    nop
    movl    $KIND_RETURN, %edx
2:
    /*
     * The guest is done, with its result in rax. What it left in rbx, rbp and on
     * its own stack is not to be trusted; the thread's word is. But waiting for
     * that word would be the longest part of a short life, so rbx, where the
     * record is if the guest kept its callee-saved registers, is only compared.
     */
    movq    %rax, %rsi
    movq    %rbx, %rdi
    movq    moat_tls@gottpoff(%rip), %rcx
    movq    %fs:TLS_CURRENT(%rcx), %rcx
    andq    $-2, %rcx
    cmpq    %rcx, %rbx
    jne     4f
3:
    /* psABI 3.2.1: the direction flag is clear at a return. */
    cld
    /*
     * As moat_arch_first_frame leaves it: the record and the words at the stack's
     * top, which the guest may have overwritten. Whoever takes the coroutine up
     * again by the inline create has nothing left to do.
     */
    movq    CO_ROOT_SP(%rdi), %rcx
    leaq    moat_root_start(%rip), %rax
    movq    %rdi, CO_FP(%rdi)
    movq    %rax, CO_PC(%rdi)
    movq    %rcx, CO_SP(%rdi)
    movq    %rdi, CO_BX(%rdi)
    leaq    moat_trace_refused(%rip), %rax
    movq    %rdi, FIRST_RECORD(%rcx)
    movq    $0, FIRST_END(%rcx)
    movq    %rcx, FIRST_TRACE_FP(%rcx)
    movq    %rcx, FIRST_TRACE_SP(%rcx)
    movq    %rax, FIRST_TRACE_PC(%rcx)
    /* Is there more to do than the inline resume does? */
    movl    %edx, %ecx
    orl     $KIND_SLOW, %ecx
    cmpw    $0, CO_FLAGS(%rdi)
    cmovne  %ecx, %edx
    movq    $MARK_DONE, CO_STATE(%rdi)
    .cfi_remember_state
    WINDOW
    movq    %rsi, %rax
    movq    CO_RESUMER_FP(%rdi), %rbp
    movq    CO_RESUMER_BX(%rdi), %rbx
    movq    CO_RESUMER_SP(%rdi), %rsp
    jmp     *CO_RESUMER_PC(%rdi)
    .cfi_restore_state
4:
    movq    %rcx, %rdi
    jmp     3b
    /* An exception came as far as here: personality.c sends it on, in rax. */
    .globl  moat_root_catch
    .hidden moat_root_catch
moat_root_catch:
    LANDING
    movl    $KIND_PANIC, %edx
    jmp     2b
    .cfi_endproc
END(moat_root)

/* ---------------------------------------------------------------------------
 * moat_trace_refused: nothing ever runs here. An address whose rows libunwind can
 * follow but not remember for its fast trace: see struct first_frame. The rows
 * lead from rsp -> { record, ... } to "pc" = record.
 *
 *   0f 02 77 10    : CFA = rsp + 16, said by an expression
 *   10 10 02 77 00 : the return address is saved at rsp + 0
 */
    .hidden moat_trace_refused
FUNCTION(moat_trace_refused)
    .cfi_startproc
    .cfi_escape 0x0f, 0x02, 0x77, 0x10
    .cfi_escape 0x10, 0x10, 0x02, 0x77, 0x00
    nop
    ud2
    .cfi_endproc
END(moat_trace_refused)

/* ---------------------------------------------------------------------------
 * moat_arch_leave(co, value, kind): what the root does at its end, for a guest
 * that leaves from the middle. The dead frames stay as evidence.
 */
    .hidden moat_arch_leave
FUNCTION(moat_arch_leave)
    .cfi_startproc
    LANDING
    /* What a signal's redirection does in the context: clean flags, an empty x87
     * stack, the control words of the host. */
    pushq   $0x202
    .cfi_adjust_cfa_offset 8
    popfq
    .cfi_adjust_cfa_offset -8
    fninit
    fldcw   CO_FCW(%rdi)
    ldmxcsr CO_MXCSR(%rdi)
    WINDOW
    movq    %rsi, %rax
    movq    CO_RESUMER_FP(%rdi), %rbp
    movq    CO_RESUMER_BX(%rdi), %rbx
    movq    CO_RESUMER_SP(%rdi), %rsp
    jmp     *CO_RESUMER_PC(%rdi)
    .cfi_endproc
END(moat_arch_leave)

/* ---------------------------------------------------------------------------
 * moat_arch_landing: where a signal handler's redirected context goes on.
 *
 * in: rdi record, rax value, rdx event; rsp, rbp, rbx the resumer's
 *
 * A place of its own, not the resumer's pc itself: its rows need only rdi, so the
 * context can be walked at every step of being rewritten, once rdi is in it.
 */
    .hidden moat_arch_landing
FUNCTION(moat_arch_landing)
    .cfi_startproc
    WINDOW
    LANDING
    jmp     *CO_RESUMER_PC(%rdi)
    .cfi_endproc
END(moat_arch_landing)

/* ---------------------------------------------------------------------------
 * The out-of-line ABI: the inline functions of co.h as functions, for callers
 * that cannot inline. They return by pop and jmp, not ret: the matching call was
 * made on another visit, so a ret would be predicted wrongly each time.
 *
 * All callee-saved registers go onto the caller's stack, since the other side
 * keeps none. rbp first, so that it stays a chain of frame records.
 */
#define PUSH_CALLEE_SAVED                                                      \
    pushq %rbp;                                                                \
    .cfi_def_cfa_offset 16;                                                    \
    .cfi_offset rbp, -16;                                                      \
    movq %rsp, %rbp;                                                           \
    .cfi_def_cfa_register rbp;                                                 \
    pushq %rbx;                                                                \
    .cfi_offset rbx, -24;                                                      \
    pushq %r12;                                                                \
    .cfi_offset r12, -32;                                                      \
    pushq %r13;                                                                \
    .cfi_offset r13, -40;                                                      \
    pushq %r14;                                                                \
    .cfi_offset r14, -48;                                                      \
    pushq %r15;                                                                \
    .cfi_offset r15, -56

/* After each pop the register is the caller's again. */
#define POP_CALLEE_SAVED                                                       \
    popq %r15;                                                                 \
    .cfi_same_value r15;                                                       \
    popq %r14;                                                                 \
    .cfi_same_value r14;                                                       \
    popq %r13;                                                                 \
    .cfi_same_value r13;                                                       \
    popq %r12;                                                                 \
    .cfi_same_value r12;                                                       \
    popq %rbx;                                                                 \
    .cfi_same_value rbx;                                                       \
    popq %rbp;                                                                 \
    .cfi_def_cfa rsp, 8;                                                       \
    .cfi_same_value rbp

/* notrack: what stands behind a call is no landing pad. */
#define RETURN_BY_JMP                                                          \
    popq %rcx;                                                                 \
    .cfi_def_cfa_offset 0;                                                     \
    .cfi_register rip, rcx;                                                    \
    notrack jmp *%rcx

/* moat_status moat_co_resume(moat_co *co, void *input, moat_event *out) */
FUNCTION(moat_co_resume)
    .cfi_startproc
    LANDING
    testq   %rdi, %rdi
    je      .Lresume_slow
    testq   %rdx, %rdx
    je      .Lresume_slow
    movq    moat_tls@gottpoff(%rip), %rcx
    movq    %fs:TLS_TOKEN(%rcx), %rax
    cmpq    CO_STATE(%rdi), %rax
    jne     .Lresume_slow
    PUSH_CALLEE_SAVED
    pushq   %rdx                    /* out */
    movq    %fs:TLS_CURRENT(%rcx), %rax
    movq    %rax, CO_RESUMER(%rdi)
    movq    %rdi, %fs:TLS_CURRENT(%rcx)
    leaq    1f(%rip), %rax
    /* By the local name: the global one would go through the PLT, whose unwind
     * rows take the word at rsp for a return address. */
    jmp     .Lswitch_body
    nop
1:
    LANDING
    popq    %rcx
    movq    moat_tls@gottpoff(%rip), %r10
    movq    CO_RESUMER(%rdi), %r9
    movq    %r9, %fs:TLS_CURRENT(%r10)
    cmpl    $KIND_YIELD, %edx
    jne     .Lresume_settle
    movl    $KIND_YIELD, EVENT_KIND(%rcx)
    movq    %rax, EVENT_VALUE(%rcx)
    movq    %rdi, EVENT_CO(%rcx)
    xorl    %eax, %eax
    .cfi_remember_state
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_restore_state
.Lresume_settle:
    movq    %rax, %rsi
    POP_CALLEE_SAVED
    jmp     moat_co_settle@PLT
.Lresume_slow:
    jmp     moat_co_resume_slow@PLT
    .cfi_endproc
END(moat_co_resume)

/* void *moat_co_yield(moat_co *self, void *value) */
FUNCTION(moat_co_yield)
    .cfi_startproc
    LANDING
    testq   %rdi, %rdi
    je      .Lyield_slow
    movq    moat_tls@gottpoff(%rip), %rcx
    cmpq    %rdi, %fs:TLS_CURRENT(%rcx)
    jne     .Lyield_slow
    PUSH_CALLEE_SAVED
    leaq    1f(%rip), %rax
    movq    %rbp, CO_FP(%rdi)
    movq    %rax, CO_PC(%rdi)
    movq    %rsp, CO_SP(%rdi)
    movq    %rbx, CO_BX(%rdi)
    movq    CO_TOKEN(%rdi), %rcx
    movq    %rcx, CO_STATE(%rdi)
    movq    %rsi, %rax
    movl    $KIND_YIELD, %edx
    .cfi_remember_state
    WINDOW
    movq    CO_RESUMER_FP(%rdi), %rbp
    movq    CO_RESUMER_BX(%rdi), %rbx
    movq    CO_RESUMER_SP(%rdi), %rsp
    jmp     *CO_RESUMER_PC(%rdi)
    .cfi_restore_state
    nop
1:
    LANDING
    testl   %edx, %edx
    jne     .Lyield_unwind
    .cfi_remember_state
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_restore_state
.Lyield_unwind:
    subq    $8, %rsp                /* 16-byte alignment at the call */
    call    moat_co_unwind@PLT      /* does not return */
    nop
    .cfi_endproc

    .cfi_startproc
.Lyield_slow:
    jmp     moat_co_yield_slow@PLT
    .cfi_endproc
END(moat_co_yield)

/* ---------------------------------------------------------------------------
 * Symmetric transfer. SWITCH_OVER leaves rdi, the running coroutine, for rsi,
 * which has its resumer's words and is the thread's current one; rdx is the
 * value. The callee-saved registers are on the stack. The order of the writes is
 * that of a yield, then that of a resume: in between a deadline waits, for
 * neither record is RUNNING. In the window the frame is the resumer's, who is
 * the same for both. Behind it come rdi: record, rax: input, rdx: command.
 */
#define SWITCH_OVER                                                            \
    leaq    1f(%rip), %rax;                                                    \
    movq    %rbp, CO_FP(%rdi);                                                 \
    movq    %rax, CO_PC(%rdi);                                                 \
    movq    %rsp, CO_SP(%rdi);                                                 \
    movq    %rbx, CO_BX(%rdi);                                                 \
    movq    CO_TOKEN(%rdi), %rcx;                                              \
    movq    %rcx, CO_STATE(%rdi);                                              \
    movq    %rsi, %rdi;                                                        \
    movq    %rdx, %rax;                                                        \
    xorl    %edx, %edx;         /* COMMAND_NONE */                             \
    movq    $MARK_RUNNING, CO_STATE(%rdi);                                     \
    .cfi_remember_state;                                                       \
    WINDOW;                                                                    \
    movq    CO_FP(%rdi), %rbp;                                                 \
    movq    CO_BX(%rdi), %rbx;                                                 \
    movq    CO_SP(%rdi), %rsp;                                                 \
    jmp     *CO_PC(%rdi);                                                      \
    .cfi_restore_state;                                                        \
    nop;                                                                       \
1:                                                                             \
    LANDING

/* moat_status moat_co_switch_to(moat_co *self, moat_co *other, void *value,
 *                               void **input) */
FUNCTION(moat_co_switch_to)
    .cfi_startproc
    LANDING
    testq   %rdi, %rdi
    je      .Lswitch_to_slow
    testq   %rsi, %rsi
    je      .Lswitch_to_slow
    testq   %rcx, %rcx
    je      .Lswitch_to_slow
    movq    moat_tls@gottpoff(%rip), %r8
    cmpq    %rdi, %fs:TLS_CURRENT(%r8)
    jne     .Lswitch_to_slow
    movq    %fs:TLS_TOKEN(%r8), %rax
    cmpq    CO_STATE(%rsi), %rax
    jne     .Lswitch_to_slow
    /* A fresh one must not note the control words as its resumer's. */
    leaq    moat_root_start(%rip), %rax
    cmpq    %rax, CO_PC(%rsi)
    je      .Lswitch_to_slow
    PUSH_CALLEE_SAVED
    pushq   %rcx                    /* input */
    /* As moat_arch_take_place. */
    movups  CO_RESUMER_FP(%rdi), %xmm0
    movups  CO_RESUMER_SP(%rdi), %xmm1
    movups  %xmm0, CO_RESUMER_FP(%rsi)
    movups  %xmm1, CO_RESUMER_SP(%rsi)
    movq    CO_RESUMER(%rdi), %rax
    movq    %rax, CO_RESUMER(%rsi)
    movl    CO_MXCSR(%rdi), %eax
    movl    %eax, CO_MXCSR(%rsi)
    movzwl  CO_FCW(%rdi), %eax
    movw    %ax, CO_FCW(%rsi)
    movq    %rsi, %fs:TLS_CURRENT(%r8)
    SWITCH_OVER
    testl   %edx, %edx
    jne     .Lswitch_to_unwind
    popq    %rcx
    movq    %rax, (%rcx)
    xorl    %eax, %eax
    .cfi_remember_state
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_restore_state
.Lswitch_to_unwind:
    call    moat_co_unwind@PLT      /* does not return; rsp is aligned */
    nop
    .cfi_endproc

    .cfi_startproc
.Lswitch_to_slow:
    jmp     moat_co_switch_to_slow@PLT
    .cfi_endproc
END(moat_co_switch_to)

/* struct moat_arch_input moat_arch_switch_to(moat_co *self, moat_co *other,
 *                                            void *value): in rax and rdx */
    .hidden moat_arch_switch_to
FUNCTION(moat_arch_switch_to)
    .cfi_startproc
    LANDING
    PUSH_CALLEE_SAVED
    SWITCH_OVER
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_endproc
END(moat_arch_switch_to)

/* ---------------------------------------------------------------------------
 * moat_arch_resume_unwinding(co, input, back): moat_switch_resume with a command.
 */
    .hidden moat_arch_resume_unwinding
FUNCTION(moat_arch_resume_unwinding)
    .cfi_startproc
    LANDING
    PUSH_CALLEE_SAVED
    pushq   %rdx                    /* back */
    leaq    1f(%rip), %rax
    movl    $COMMAND_UNWIND, %edx
    jmp     .Lswitch_command
    nop
1:
    LANDING
    popq    %rcx
    movq    %rax, SWITCHED_VALUE(%rcx)
    movq    %rdx, SWITCHED_KIND(%rcx)
    movq    %rdi, SWITCHED_CO(%rcx)
    .cfi_remember_state
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_restore_state
    .cfi_endproc
END(moat_arch_resume_unwinding)

/* ---------------------------------------------------------------------------
 * moat_arch_try(landing, fn, arg): a call that a fault can be redirected out of.
 * The landing record gets this frame as its "resumer", so one redirect serves
 * traps and probes alike.
 */
    .hidden moat_arch_try
FUNCTION(moat_arch_try)
    .cfi_startproc
    LANDING
    PUSH_CALLEE_SAVED
    subq    $8, %rsp                /* 16-byte alignment at the call */
    movq    %rbp, CO_RESUMER_FP(%rdi)
    leaq    1f(%rip), %rax
    movq    %rax, CO_RESUMER_PC(%rdi)
    movq    %rsp, CO_RESUMER_SP(%rdi)
    movq    %rbx, CO_RESUMER_BX(%rdi)
    stmxcsr CO_MXCSR(%rdi)
    fnstcw  CO_FCW(%rdi)
    movq    %rdx, %rdi
    call    *%rsi
    xorl    %edx, %edx
    nop
1:
    LANDING
    movq    %rdx, %rax
    addq    $8, %rsp
    POP_CALLEE_SAVED
    ret
    .cfi_endproc
END(moat_arch_try)

/* ---------------------------------------------------------------------------
 * moat_arch_capture(out): the caller's registers, as they are after the return.
 */
    .hidden moat_arch_capture
FUNCTION(moat_arch_capture)
    .cfi_startproc
    LANDING
    movq    %rax, REGS_RAX(%rdi)
    movq    (%rsp), %rax
    movq    %rax, REGS_PC(%rdi)
    leaq    8(%rsp), %rax
    movq    %rax, REGS_SP(%rdi)
    movq    %rbp, REGS_FP(%rdi)
    movq    %rbx, REGS_RBX(%rdi)
    movq    %rcx, REGS_RCX(%rdi)
    movq    %rdx, REGS_RDX(%rdi)
    movq    %rsi, REGS_RSI(%rdi)
    movq    %rdi, REGS_RDI(%rdi)
    movq    %r8, REGS_R8(%rdi)
    movq    %r9, REGS_R9(%rdi)
    movq    %r10, REGS_R10(%rdi)
    movq    %r11, REGS_R11(%rdi)
    movq    %r12, REGS_R12(%rdi)
    movq    %r13, REGS_R13(%rdi)
    movq    %r14, REGS_R14(%rdi)
    movq    %r15, REGS_R15(%rdi)
    pushfq
    .cfi_adjust_cfa_offset 8
    popq    REGS_FLAGS(%rdi)
    .cfi_adjust_cfa_offset -8
    stmxcsr REGS_MXCSR(%rdi)
    fnstcw  REGS_FCW(%rdi)
    fnstsw  REGS_FSW(%rdi)
    ret
    .cfi_endproc
END(moat_arch_capture)

/* ---------------------------------------------------------------------------
 * moat_arch_call_on_resumer(co, fn, arg): calls fn(arg) on the stack of whoever
 * resumed `co`, below the place where it did, and gives back its result.
 *
 * The rows start from rbp, which fn preserves; they are good while rsp is on
 * either stack. A signal frame for the reason that the root is one: the frames
 * above may lie at lower addresses.
 */
    .hidden moat_arch_call_on_resumer
FUNCTION(moat_arch_call_on_resumer)
    .cfi_startproc
    .cfi_signal_frame
    LANDING
    pushq   %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    movq    %rsp, %rbp
    .cfi_def_cfa_register rbp
    /* The resumer may be a leaf function, since the switch is inline: its red zone
     * (psABI 3.2.2) is stepped over. */
    movq    CO_RESUMER_SP(%rdi), %rsp
    subq    $128, %rsp
    andq    $-16, %rsp
    movq    %rdx, %rdi
    call    *%rsi
    .globl  moat_arch_call_on_return
    .hidden moat_arch_call_on_return
moat_arch_call_on_return:
    movq    %rbp, %rsp
    popq    %rbp
    .cfi_def_cfa rsp, 8
    .cfi_same_value rbp
    ret
    .cfi_endproc
END(moat_arch_call_on_resumer)

/* ---------------------------------------------------------------------------
 * moat_arch_clear_alignment_check(void): a guest may set EFLAGS.AC. The kernel
 * clears DF, TF and RF when it enters a handler but not AC, so the handler's first
 * misaligned access would fault, and its handler's again. NT goes with it: the
 * return from the handler leaves it as the handler had it (FIX_EFLAGS of Linux's
 * arch/x86/include/asm/sighandling.h does not name it).
 *
 * A function, not inline asm: pushing needs unwind rows, which the middle of a
 * C function cannot be given.
 */
    .hidden moat_arch_clear_alignment_check
FUNCTION(moat_arch_clear_alignment_check)
    .cfi_startproc
    LANDING
    pushfq
    .cfi_adjust_cfa_offset 8
    andl    $~0x44000, (%rsp)
    popfq
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
END(moat_arch_clear_alignment_check)

/* ---------------------------------------------------------------------------
 * moat_arch_peek(address, out): moat_arch_fix_peek sends a fault of the load to
 * moat_peek_failed.
 */
    .hidden moat_arch_peek
FUNCTION(moat_arch_peek)
    .cfi_startproc
    LANDING
    .globl  moat_peek_load
    .hidden moat_peek_load
moat_peek_load:
    movq    (%rdi), %rdx
    movl    $1, %eax
    movq    %rdx, (%rsi)
    ret
    .globl  moat_peek_failed
    .hidden moat_peek_failed
moat_peek_failed:
    xorl    %eax, %eax
    ret
    .cfi_endproc
END(moat_arch_peek)

END_OF_FILE
