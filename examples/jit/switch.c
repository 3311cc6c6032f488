/*
 * switch.c: the switch, emitted: docs/record.md.
 *
 * SPDX-License-Identifier: MIT
 */
#include "compiler.h"

/* An instruction with a member of the record that rdi points to. */
#define RECORD(e, code, member) \
    (EMIT(e, code), emit_byte(e, offsetof(struct moat_co, member)))

/*
 * moat_co_yield, emitted: docs/record.md. Where the coroutine has time limits,
 * or a sanitizer watches, the thread's word is not its plain address, and the
 * library does it.
 *
 * The rows are those of any code up to the first load of the resumer's
 * registers; from there on the frame is the resumer's, found by rdi.
 */
void code_yield(struct compiler *c)
{
    struct emitter *e = c->e;
    size_t slow, resumed, gone_on;

    EMIT(e, "\x48\x89\xdf"           /* mov rdi, rbx */
            "\x48\x89\xc6"           /* mov rsi, rax */
            "\x64\x48\x39\x3c\x25"); /* cmp fs:[current], rdi */
    emit_int32(e, c->tls + (int)offsetof(struct moat_tls, current));
    slow = emit_jump(e, "\x0f\x85", 2);        /* jne slow */
    resumed = emit_jump(e, "\x48\x8d\x05", 3); /* lea rax, [resumed] */
    RECORD(e, "\x48\x89\x6f", fp);             /* mov [rdi + fp], rbp */
    RECORD(e, "\x48\x89\x47", pc);             /* mov [rdi + pc], rax */
    RECORD(e, "\x48\x89\x67", sp);             /* mov [rdi + sp], rsp */
    RECORD(e, "\x48\x89\x5f", bx);             /* mov [rdi + bx], rbx */
    RECORD(e, "\x48\x8b\x4f", token);          /* mov rcx, [rdi + token] */
    RECORD(e, "\x48\x89\x4f", state);          /* mov [rdi + state], rcx */
    EMIT(e, "\x48\x89\xf0");                   /* mov rax, rsi */
    EMIT(e, "\xba\x01\x00\x00\x00");           /* mov edx, 1: a yield */
    emit_window(e);
    RECORD(e, "\x48\x8b\x6f", resumer_fp); /* mov rbp, [rdi + ...] */
    RECORD(e, "\x48\x8b\x5f", resumer_bx); /* mov rbx, [rdi + ...] */
    RECORD(e, "\x48\x8b\x67", resumer_sp); /* mov rsp, [rdi + ...] */
    RECORD(e, "\xff\x67", resumer_pc);     /* jmp [rdi + ...] */
    emit_window_end(e);
    EMIT(e, "\x90"); /* nop: a walk looks one byte before `resumed` */
    emit_land(e, resumed);
    EMIT(e, "\xf3\x0f\x1e\xfa"             /* endbr64 */
            "\x85\xd2");                   /* test edx, edx: a command? */
    gone_on = emit_jump(e, "\x0f\x84", 2); /* jz: none */

    code_call_helper(e, (intptr_t)&moat_co_unwind); /* does not come back */
    emit_land(e, slow);
    code_call_helper(e, (intptr_t)&moat_co_yield_slow);
    emit_land(e, gone_on);
}
