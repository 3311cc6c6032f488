/*
 * switch.c: emits resume and yield (docs/record.md).
 *
 * Offsets and constants come from moat's header, so the code matches the
 * record. The emitted code handles a plain resume that ends in a yield. The
 * library handles the rest: a coroutine that the first compare rejects, and
 * every other event. Coroutines with time limits or under a sanitizer always
 * fail that compare, because their tokens differ.
 *
 * While the registers of the other side are being loaded, in the window, the
 * frame is that of the resumer and found through rdi. The rows before and after
 * the window are ordinary ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "compiler.h"

_Static_assert(offsetof(struct moat_co, root_sp) < 128, "more than a byte");

/* Emits an instruction on a member of the record in rdi. */
#define RECORD(e, code, member) \
    (EMIT(e, code), emit_byte(e, offsetof(struct moat_co, member)))

/* Emits an instruction on a member of the thread's struct moat_tls. */
#define THREAD(c, code, member) \
    (EMIT((c)->e, code),        \
     emit_int32((c)->e, (c)->tls + (int)offsetof(struct moat_tls, member)))

/* The address at which the other side switches back. */
static void land_back(struct emitter *e, size_t back)
{
    EMIT(e, "\x90"); /* nop: a walk looks one byte before `back` */
    emit_land(e, back);
    EMIT(e, "\xf3\x0f\x1e\xfa"); /* endbr64 */
}

/* --- yield --------------------------------------------------------------- */

void code_yield(struct compiler *c)
{
    struct emitter *e = c->e;
    size_t slow, back, gone_on;

    EMIT(e, "\x48\x89\xdf"                      /* mov rdi, rbx */
            "\x48\x89\xc6");                    /* mov rsi, rax */
    THREAD(c, "\x64\x48\x39\x3c\x25", current); /* cmp fs:[...], rdi */
    slow = emit_jump(e, "\x0f\x85", 2);         /* jne slow */
    back = emit_jump(e, "\x48\x8d\x05", 3);     /* lea rax, [back] */
    RECORD(e, "\x48\x89\x6f", fp);              /* mov [rdi + fp], rbp */
    RECORD(e, "\x48\x89\x47", pc);              /* mov [rdi + pc], rax */
    RECORD(e, "\x48\x89\x67", sp);              /* mov [rdi + sp], rsp */
    RECORD(e, "\x48\x89\x5f", bx);              /* mov [rdi + bx], rbx */
    RECORD(e, "\x48\x8b\x4f", token);           /* mov rcx, [rdi + ...] */
    RECORD(e, "\x48\x89\x4f", state);           /* mov [rdi + ...], rcx */
    EMIT(e, "\x48\x89\xf0");                    /* mov rax, rsi */
    EMIT(e, "\xba");                            /* mov edx, a yield */
    emit_int32(e, MOAT_SWITCH_YIELD);
    emit_window(e);
    RECORD(e, "\x48\x8b\x6f", resumer_fp); /* mov rbp, [rdi + ...] */
    RECORD(e, "\x48\x8b\x5f", resumer_bx); /* mov rbx, [rdi + ...] */
    RECORD(e, "\x48\x8b\x67", resumer_sp); /* mov rsp, [rdi + ...] */
    RECORD(e, "\xff\x67", resumer_pc);     /* jmp [rdi + ...] */
    emit_window_end(e);
    land_back(e, back);
    EMIT(e, "\x85\xd2");                   /* test edx, edx: a command */
    gone_on = emit_jump(e, "\x0f\x84", 2); /* jz: none */

    code_call_helper(e, (intptr_t)&moat_co_unwind); /* does not come back */
    emit_land(e, slow);
    code_call_helper(e, (intptr_t)&moat_co_yield_slow);
    emit_land(e, gone_on);
}

/* --- resume -------------------------------------------------------------- */

/* Jumps out of an emitted resume. At `not_plain` nothing has been changed. At
 * `settle` rax, rdx and rdi are the arguments of moat_co_settle. */
struct ways_out {
    size_t not_plain, settle;
};

/* Resumes the record in rdi with rsi. The code that follows runs after a yield,
 * with the value in rax. */
static struct ways_out resume(struct compiler *c)
{
    struct emitter *e = c->e;
    struct ways_out out;
    size_t back;

    THREAD(c, "\x64\x48\x8b\x04\x25", token);    /* mov rax, fs:[...] */
    RECORD(e, "\x48\x39\x47", state);            /* cmp [rdi + ...], rax */
    out.not_plain = emit_jump(e, "\x0f\x85", 2); /* jne */
    THREAD(c, "\x64\x48\x8b\x04\x25", current);  /* mov rax, fs:[...] */
    RECORD(e, "\x48\x89\x47", resumer);          /* mov [rdi + ...], rax */
    THREAD(c, "\x64\x48\x89\x3c\x25", current);  /* mov fs:[...], rdi */
    back = emit_jump(e, "\x48\x8d\x05", 3);      /* lea rax, [back] */
    RECORD(e, "\x48\x89\x6f", resumer_fp);       /* mov [rdi + ...], rbp */
    RECORD(e, "\x48\x89\x47", resumer_pc);       /* mov [rdi + ...], rax */
    RECORD(e, "\x48\x89\x67", resumer_sp);       /* mov [rdi + ...], rsp */
    RECORD(e, "\x48\x89\x5f", resumer_bx);       /* mov [rdi + ...], rbx */
    RECORD(e, "\x48\xc7\x47", state);            /* mov qword [rdi + ...], */
    emit_int32(e, MOAT_MARK_RUNNING);            /* running */
    emit_window(e);
    EMIT(e, "\x48\x89\xf0"); /* mov rax, rsi */
    EMIT(e, "\xba");         /* mov edx, no command */
    emit_int32(e, MOAT_COMMAND_NONE);
    RECORD(e, "\x48\x8b\x6f", fp); /* mov rbp, [rdi + fp] */
    RECORD(e, "\x48\x8b\x5f", bx); /* mov rbx, [rdi + bx] */
    RECORD(e, "\x48\x8b\x67", sp); /* mov rsp, [rdi + sp] */
    RECORD(e, "\xff\x67", pc);     /* jmp [rdi + pc] */
    emit_window_end(e);
    land_back(e, back);
    RECORD(e, "\x48\x8b\x4f", resumer);         /* mov rcx, [rdi + ...] */
    THREAD(c, "\x64\x48\x89\x0c\x25", current); /* mov fs:[...], rcx */
    EMIT(e, "\x83\xfa");                        /* cmp edx, a yield */
    emit_byte(e, MOAT_SWITCH_YIELD);
    out.settle = emit_jump(e, "\x0f\x85", 2); /* jne */
    return out;
}

/* Pushes an uninitialised moat_event and points the register named by `code` to
 * it. Together with the word above, it is a struct resumed. */
static void push_event(struct emitter *e, const char *code)
{
    _Static_assert(offsetof(struct resumed, generator) == 24, "another event");
    emit_moving(e, "\x48\x83\xec\x18", 4, 24); /* sub rsp, 24 */
    emit_bytes(e, code, 3);
}

void code_next(struct compiler *c)
{
    struct emitter *e = c->e;
    int depth = e->depth;
    struct ways_out out;
    size_t taken, done;

    code_need_stack(e);        /* functions for guests need it, too */
    EMIT(e, "\x48\x89\xc6"     /* mov rsi, rax */
            "\x48\x8b\x3c\x24" /* mov rdi, [rsp] */
            "\x48\x8b\xbf");   /* mov rdi, [rdi + co] */
    emit_int32(e, offsetof(struct generator, co));
    out = resume(c);
    emit_moving(e, "\x59", 1, -WORD); /* pop rcx */
    EMIT(e, "\x48\x89\x81");          /* mov [rcx + value], rax */
    emit_int32(e, offsetof(struct generator, value));
    EMIT(e, "\xb8\x01\x00\x00\x00"); /* mov eax, 1 */
    done = emit_jump(e, "\xe9", 1);  /* jmp done */

    emit_land(e, out.settle);
    emit_depth(e, depth);
    EMIT(e, "\x48\x89\xc6");       /* mov rsi, rax */
    push_event(e, "\x48\x89\xe1"); /* mov rcx, rsp */
    code_call(e, (intptr_t)&moat_co_settle);
    taken = emit_jump(e, "\xe9", 1); /* jmp taken */

    emit_land(e, out.not_plain);
    emit_depth(e, depth);
    push_event(e, "\x48\x89\xe2"); /* mov rdx, rsp */
    code_call(e, (intptr_t)&moat_co_resume_slow);
    emit_land(e, taken);
    EMIT(e, "\x89\xc2"       /* mov edx, eax */
            "\x48\x89\xe0"); /* mov rax, rsp */
    code_call_service(c, (intptr_t)&generators_take);
    code_drop(e, e->depth - depth + WORD);
    emit_land(e, done);
}
