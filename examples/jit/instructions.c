/*
 * instructions.c: instruction sequences that several parts of the compiler use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "compiler.h"

void code_push_rax(struct emitter *e)
{
    emit_moving(e, "\x50", 1, WORD); /* push rax */
}

void code_pop_rax(struct emitter *e)
{
    emit_moving(e, "\x58", 1, -WORD); /* pop rax */
}

void code_drop(struct emitter *e, int bytes)
{
    if (bytes == 0)
        return;
    EMIT(e, "\x48\x81\xc4"); /* add rsp, bytes */
    emit_int32(e, bytes);
    emit_depth(e, e->depth - bytes);
}

int code_align(struct emitter *e, int argument_bytes)
{
    if ((WORD + e->depth + argument_bytes) % 16 == 0)
        return 0;
    code_push_rax(e);
    return WORD;
}

void code_load_rax(struct emitter *e, int64_t value)
{
    if (value == (int32_t)value) {
        EMIT(e, "\x48\xc7\xc0"); /* mov rax, value: sign-extended 32 bits */
        emit_int32(e, value);
    } else {
        EMIT(e, "\x48\xb8"); /* mov rax, value */
        emit_int64(e, value);
    }
}

void code_need_stack(struct emitter *e)
{
    EMIT(e, "\x84\x84\x24"); /* test [rsp - ...], al: only reads */
    emit_int32(e, -HELPER_STACK_BYTES);
}

void code_call(struct emitter *e, int64_t address)
{
    int filled = code_align(e, 0);

    code_need_stack(e);
    EMIT(e, "\x48\xb8"); /* mov rax, address */
    emit_int64(e, address);
    EMIT(e, "\xff\xd0"); /* call rax */
    code_drop(e, filled);
}

void code_call_helper(struct emitter *e, int64_t address)
{
    EMIT(e, "\x48\x89\xdf"   /* mov rdi, rbx */
            "\x48\x89\xc6"); /* mov rsi, rax */
    code_call(e, address);
}

void code_call_service(struct compiler *c, int64_t address)
{
    struct emitter *e = c->e;
    size_t top, on;

    code_call_helper(e, address);
    top = e->code.used;
    EMIT(e, "\x64\x83\x3c\x25"); /* cmp dword fs:[poll], 0 */
    emit_int32(e, c->tls + (int)offsetof(struct moat_tls, poll));
    EMIT(e, "\x00");
    on = emit_jump(e, "\x0f\x84", 2); /* je on */
    EMIT(e, "\xf3\x90");              /* pause */
    emit_target(e, emit_jump(e, "\xe9", 1), top);
    emit_land(e, on);
}

void code_make_truth(struct emitter *e)
{
    EMIT(e, "\x48\x85\xc0"   /* test rax, rax */
            "\x0f\x95\xc0"   /* setne al */
            "\x0f\xb6\xc0"); /* movzx eax, al */
}
