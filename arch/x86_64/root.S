/*
 * root.S: the root frame of a coroutine, and the ways out of it that are not a
 * yield: the guest's end, a leave from the middle, a trap's landing.
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
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/rows.h"

    .text

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

END_OF_FILE
