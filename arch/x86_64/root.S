/*
 * root.S: the root frame of a coroutine, and the ways out of the coroutine that
 * are not a yield: the guest's end, a leave from the middle, a trap's landing.
 *
 * At a border between two stacks, the control record links them:
 *
 *   resumer's stack        control record           guest's stack
 *                        (off both stacks)                     base
 *                                                 | first_frame's    |
 *  | ...         |        +----------------+      | other words  +16 |
 *  | frame that  |<-------| resumer_sp +16 |      | 0             +8 |
 *  | resumed     |   ,----| resumer_pc  +8 |<-----| record        +0 |<- rsp
 *  +-------------+   |  ,-| resumer_fp  +0 |<--.  +------------------+   of the
 *        code <------'  | | resumer_bx +24 |   |  | moat_root_return |   root
 *    rbp chain <--------' +----------------+   |  +------------------+   frame
 *                         | fp pc sp bx +32|   |  | entry's frame    |
 *                         +----------------+   |  | ...              |
 *                                              `--- rbp of the root frame
 *
 * The root frame's unwind rules start from rsp, not rbp: they survive a smashed
 * rbp, and they avoid libunwind's heuristic for realigned frames, which takes
 * an rbp-based expression for such a frame and ends the walk early. rbp still
 * points at the record, whose first two words are a frame record, so walkers of
 * frame pointers cross the border as if it were none.
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
 * .cfi_signal_frame: gdb refuses a frame whose address is not above its
 * callee's unless it is marked so, and either stack may be the upper one.
 * Unwinders look up the pc of a signal frame exactly, not at pc - 1; hence the
 * nops before the entry and after the call.
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
    /* The resume did not keep these. */
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
     * Save the control words that a trap restores for the host. Once per life,
     * not at each resume: a round trip with the two stores takes 2.7 times as
     * long as without them (bench/switch, Zen 5).
     */
    stmxcsr CO_MXCSR(%rdi)
    fnstcw  CO_FCW(%rdi)
    /* A guest that another switched to begins here: the words are copied from
     * that guest's record. */
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
     * The guest is done, with its result in rax. Its rbx, rbp and stack cannot
     * be trusted; the thread's word, which names the record, can. But waiting
     * for that word would be the longest part of a short life. So the code
     * continues with rbx, which is the record if the guest preserved it, and
     * compares the two meanwhile.
     */
    movq    %rax, %rsi
    movq    %rbx, %rdi
    movq    moat_tls@gottpoff(%rip), %rcx
    movq    %fs:TLS_CURRENT(%rcx), %rcx
    andq    $-2, %rcx
    cmpq    %rcx, %rbx
    jne     4f
3:
    /* The resumer may expect a clear direction flag (psABI 3.2.1). */
    cld
    /*
     * Restore the record and the words at the stack's top, which the guest may
     * have overwritten, to what moat_arch_first_frame writes. The inline create
     * then reuses the coroutine without further work.
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
    /* If any flag is set, the end needs more than the inline resume does. */
    movl    %edx, %ecx
    orl     $KIND_SLOW, %ecx
    cmpw    $0, CO_FLAGS(%rdi)
    cmovne  %ecx, %edx
    movq    $MARK_DONE, CO_STATE(%rdi)
#if MOAT_SWITCH_PORTABLE
    /* Leave by the backend: no guest to switch to, and no way back. */
    movq    CO_ROOT_SP(%rdi), %rsp
    movl    %edx, %ecx
    movq    %rsi, %rdx
    xorl    %esi, %esi
    xorl    %r8d, %r8d
    call    moat_transfer_body@PLT
    nop
#endif
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
    /* An exception has reached the root: personality.c continues here, with the
     * exception in rax. */
    .globl  moat_root_catch
    .hidden moat_root_catch
moat_root_catch:
    LANDING
    movl    $KIND_PANIC, %edx
    jmp     2b
    .cfi_endproc
END(moat_root)

/* ---------------------------------------------------------------------------
 * moat_trace_refused: never executed. libunwind can follow the rows of this
 * address but not cache them for its fast trace (see struct first_frame). They
 * lead from rsp -> { record, ... } to "pc" = record.
 *
 *   0f 02 77 10    : CFA = rsp + 16, by an expression
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
 * moat_arch_leave(co, value, kind): ends a guest in the middle of its work, as
 * the root does at its end. The dead frames stay as evidence.
 *
 * in: rdi co, rsi value, rdx kind
 */
    .hidden moat_arch_leave
FUNCTION(moat_arch_leave)
    .cfi_startproc
    LANDING
    /* Do what the redirection of a signal does in the context: clean flags, an
     * empty x87 stack, the host's control words. */
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
#if MOAT_SWITCH_PORTABLE
    /* As in moat_arch_call_on_resumer. */
    movq    CO_RESUMER_POINT(%rdi), %rsi
    leaq    CO_RESUMER_SP(%rdi), %rcx
    testq   %rsi, %rsi
    cmovne  %rsi, %rcx
    movq    (%rcx), %rsp
    jmp     moat_arch_landing
#else
    movq    CO_RESUMER_SP(%rdi), %rsp
    jmp     *CO_RESUMER_PC(%rdi)
#endif
    .cfi_endproc
END(moat_arch_leave)

/* ---------------------------------------------------------------------------
 * moat_arch_landing: where a context continues that a signal handler
 * redirected.
 *
 * in: rdi record, rax value, rdx event; rsp, rbp, rbx the resumer's
 *     (rsp: moat_arch_resumer_top)
 *
 * The context does not continue at the resumer's pc itself: the rows here need
 * only rdi, so once rdi is in it, the context can be walked at every step of
 * its rewriting.
 */
    .hidden moat_arch_landing
FUNCTION(moat_arch_landing)
    .cfi_startproc
    WINDOW
    LANDING
#if MOAT_SWITCH_PORTABLE
    cmpq    $0, CO_RESUMER_POINT(%rdi)
    je      1f
    /* rsp is below the frame in which the resumer waits. It continues by the
     * backend. The call clobbers rdi: rbx stands for it in the rows. */
    movq    %rdi, %rbx
    .cfi_escape 0x0f, 0x03, 0x73, 0x10, 0x06
    .cfi_escape 0x10, 0x06, 0x02, 0x73, 0x00
    .cfi_escape 0x10, 0x10, 0x02, 0x73, 0x08
    .cfi_escape 0x10, 0x03, 0x02, 0x73, 0x18
    subq    $MOAT_ARCH_RED_ZONE, %rsp
    andq    $-16, %rsp
    movq    %rdx, %rcx
    movq    %rax, %rdx
    xorl    %esi, %esi
    xorl    %r8d, %r8d
    call    moat_transfer_body@PLT
    nop
    WINDOW
1:
#endif
    jmp     *CO_RESUMER_PC(%rdi)
    .cfi_endproc
END(moat_arch_landing)

/* ---------------------------------------------------------------------------
 * moat_arch_border_landing: where a coroutine continues that leaves for a
 * resumer for which a border stands (moat_arch_set_border). It calls the
 * border's function, below the resumer's frame and its red zone.
 *
 * in: rdi record, rdx event; rsp and rbp the resumer's, rbx the border
 *
 * The rows lead to the resumer, whose words the border has kept, so a walk of
 * the stack finds the whole chain. The nop: see moat_switch_resume.
 */
    .hidden moat_arch_border
FUNCTION(moat_arch_border)
    .cfi_startproc
    .cfi_signal_frame
    /* CFA = *(rbx + 16); rbp at rbx + 0, return address at + 8, rbx at + 24. */
    .cfi_escape 0x0f, 0x03, 0x73, 0x10, 0x06
    .cfi_escape 0x10, 0x06, 0x02, 0x73, 0x00
    .cfi_escape 0x10, 0x10, 0x02, 0x73, 0x08
    .cfi_escape 0x10, 0x03, 0x02, 0x73, 0x18
    .cfi_undefined r12
    .cfi_undefined r13
    .cfi_undefined r14
    .cfi_undefined r15
    nop
    .globl  moat_arch_border_landing
    .hidden moat_arch_border_landing
moat_arch_border_landing:
    LANDING
    subq    $MOAT_ARCH_RED_ZONE, %rsp
    andq    $-16, %rsp
    movq    %rdx, %rsi
    call    *BORDER_REACHED(%rbx)
    nop
    .cfi_endproc
END(moat_arch_border)

END_OF_FILE
