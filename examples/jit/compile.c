/*
 * compile.c: the code generator: one pass over the tree, no registers kept.
 *
 * Conventions of the code:
 * - rbx is the running coroutine's record, from the entry on.
 * - An expression leaves its value in rax. What waits for it lies on the stack.
 * - A local variable is what its declaration has pushed. Its distance from the
 *   stack pointer is known at each place, for `depth` is.
 * - A caller pushes the arguments, the first one first, and takes them off. At
 *   a call the stack is aligned to 16 bytes, as C wants it.
 * - Nothing is checked that the CPU checks: a division by zero, a stack that is
 *   too small, an index that is too large (behind each array lies as much
 *   memory that cannot be touched as 32 bits can reach) fault, and moat makes
 *   them traps. Frames grow by pushes alone, so none jumps over a guard.
 *
 * SPDX-License-Identifier: MIT
 */
#include "compile.h"

#include <stdlib.h>
#include <string.h>

#define WORD ((int)sizeof(uint64_t))

struct compiler {
    struct emitter *e;
    const struct script *script;
    const struct function *function;
    compile_printer *print;
    struct bytes calls; /* of struct fixup: whose target is not known yet */
    int32_t tls;        /* moat_tls, from where fs points: the same distance in
                           each thread, for its model is initial-exec         */
};

struct fixup {
    size_t jump;
    const struct function *callee;
};

/* --- instructions -------------------------------------------------------- */

static void push_rax(struct emitter *e)
{
    emit_moving(e, "\x50", 1, WORD); /* push rax */
}

static void pop_rax(struct emitter *e)
{
    emit_moving(e, "\x58", 1, -WORD); /* pop rax */
}

static void drop(struct emitter *e, int bytes)
{
    if (bytes == 0)
        return;
    EMIT(e, "\x48\x81\xc4"); /* add rsp, bytes */
    emit_int32(e, bytes);
    emit_depth(e, e->depth - bytes);
}

/* Fills up to where a call with so many bytes of arguments is aligned; gives
 * back by how much. */
static int align(struct emitter *e, int argument_bytes)
{
    if ((WORD + e->depth + argument_bytes) % 16 == 0)
        return 0;
    push_rax(e);
    return WORD;
}

static void load_rax(struct emitter *e, int64_t value)
{
    if (value == (int32_t)value) {
        EMIT(e, "\x48\xc7\xc0"); /* mov rax, value: 32 bits, with their sign */
        emit_int32(e, value);
    } else {
        EMIT(e, "\x48\xb8"); /* mov rax, value */
        emit_int64(e, value);
    }
}

/* Calls C with the record in rdi and rax in rsi. A stack that is too small for
 * it overflows here: C code is not where MOAT_CO_RECOVER_CODE cuts a guest. */
static void call_helper(struct emitter *e, int64_t address)
{
    int filled = align(e, 0);

    EMIT(e, "\x84\x84\x24"); /* test [rsp - ...], al: a mere read */
    emit_int32(e, -HELPER_STACK_BYTES);
    EMIT(e, "\x48\x89\xdf" /* mov rdi, rbx */
            "\x48\x89\xc6" /* mov rsi, rax */
            "\x48\xb8");   /* mov rax, address */
    emit_int64(e, address);
    EMIT(e, "\xff\xd0"); /* call rax */
    drop(e, filled);
}

/* --- yield --------------------------------------------------------------- */

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
static void yield(struct compiler *c)
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

    call_helper(e, (intptr_t)&moat_co_unwind); /* does not come back */
    emit_land(e, slow);
    call_helper(e, (intptr_t)&moat_co_yield_slow);
    emit_land(e, gone_on);
}

/* --- expressions --------------------------------------------------------- */

static void expression(struct compiler *c, const struct node *node);

/* Where a local lies, from the stack pointer. */
static int place_of(const struct compiler *c, unsigned slot)
{
    int parameters = (int)c->function->parameters;
    int number = (int)slot;

    if (number < parameters)
        return c->e->depth + WORD + WORD * (parameters - 1 - number);
    return c->e->depth - WORD * (number - parameters + 1);
}

static void read_local(struct compiler *c, unsigned slot)
{
    EMIT(c->e, "\x48\x8b\x84\x24"); /* mov rax, [rsp + ...] */
    emit_int32(c->e, place_of(c, slot));
}

static void write_local(struct compiler *c, unsigned slot)
{
    EMIT(c->e, "\x48\x89\x84\x24"); /* mov [rsp + ...], rax */
    emit_int32(c->e, place_of(c, slot));
}

/* The index in rax becomes 32 bits, the array's address is in rcx. */
static void address_element(struct compiler *c, const struct array *array)
{
    EMIT(c->e, "\x89\xc0"   /* mov eax, eax */
               "\x48\xb9"); /* mov rcx, elements */
    emit_int64(c->e, (intptr_t)array->elements);
}

static void call(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;
    int bytes = WORD * (int)node->callee->parameters;
    int filled = align(e, bytes);
    struct fixup fixup;

    for (const struct node *kid = node->kids[0]; kid != NULL; kid = kid->next) {
        expression(c, kid);
        push_rax(e);
    }
    emit_line(e, node->line);
    fixup.jump = emit_jump(e, "\xe8", 1); /* call callee */
    fixup.callee = node->callee;
    emit_append(e, &c->calls, &fixup, sizeof fixup);
    drop(e, bytes + filled);
}

/* 1 in rax for what is not 0. The flags tell, too. */
static void make_truth(struct emitter *e)
{
    EMIT(e, "\x48\x85\xc0"   /* test rax, rax */
            "\x0f\x95\xc0"   /* setne al */
            "\x0f\xb6\xc0"); /* movzx eax, al */
}

static void and_or(struct compiler *c, const struct node *node)
{
    size_t decided;

    expression(c, node->kids[0]);
    make_truth(c->e);
    decided = node->kind == NODE_AND ? emit_jump(c->e, "\x0f\x84", 2)  /* jz */
                                     : emit_jump(c->e, "\x0f\x85", 2); /* jnz */
    expression(c, node->kids[1]);
    make_truth(c->e);
    emit_land(c->e, decided);
}

static void compare(struct emitter *e, unsigned condition)
{
    EMIT(e, "\x48\x39\xc8" /* cmp rax, rcx */
            "\x0f");       /* set.. al */
    emit_byte(e, condition);
    EMIT(e, "\xc0"
            "\x0f\xb6\xc0"); /* movzx eax, al */
}

/* rax and rcx to rax. */
static void operate(struct emitter *e, enum node_kind kind)
{
    switch (kind) {
    case NODE_ADD:
        EMIT(e, "\x48\x01\xc8"); /* add rax, rcx */
        break;
    case NODE_SUBTRACT:
        EMIT(e, "\x48\x29\xc8"); /* sub rax, rcx */
        break;
    case NODE_MULTIPLY:
        EMIT(e, "\x48\x0f\xaf\xc1"); /* imul rax, rcx */
        break;
    case NODE_DIVIDE:
        EMIT(e, "\x48\x99\x48\xf7\xf9"); /* cqo; idiv rcx */
        break;
    case NODE_REMAINDER:
        EMIT(e, "\x48\x99\x48\xf7\xf9"
                "\x48\x89\xd0"); /* mov rax, rdx */
        break;
    case NODE_EQUAL:
        compare(e, 0x94);
        break;
    case NODE_UNEQUAL:
        compare(e, 0x95);
        break;
    case NODE_LESS:
        compare(e, 0x9c);
        break;
    case NODE_LESS_EQUAL:
        compare(e, 0x9e);
        break;
    case NODE_GREATER:
        compare(e, 0x9f);
        break;
    case NODE_GREATER_EQUAL:
        compare(e, 0x9d);
        break;
    default:
        abort(); /* no operator */
    }
}

static void binary(struct compiler *c, const struct node *node)
{
    expression(c, node->kids[0]);
    push_rax(c->e);
    expression(c, node->kids[1]);
    EMIT(c->e, "\x48\x89\xc1"); /* mov rcx, rax */
    pop_rax(c->e);
    emit_line(c->e, node->line);
    operate(c->e, node->kind);
}

static void expression(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;

    emit_line(e, node->line);
    switch (node->kind) {
    case NODE_NUMBER:
        load_rax(e, node->value);
        break;
    case NODE_LOCAL:
        read_local(c, node->slot);
        break;
    case NODE_ELEMENT:
        expression(c, node->kids[0]);
        emit_line(e, node->line);
        address_element(c, node->array);
        EMIT(e, "\x48\x8b\x04\xc1"); /* mov rax, [rcx + 8 * rax] */
        break;
    case NODE_CALL:
        call(c, node);
        break;
    case NODE_YIELD:
        expression(c, node->kids[0]);
        emit_line(e, node->line);
        yield(c);
        break;
    case NODE_NEGATE:
        expression(c, node->kids[0]);
        EMIT(e, "\x48\xf7\xd8"); /* neg rax */
        break;
    case NODE_NOT:
        expression(c, node->kids[0]);
        make_truth(e);
        EMIT(e, "\x83\xf0\x01"); /* xor eax, 1 */
        break;
    case NODE_AND:
    case NODE_OR:
        and_or(c, node);
        break;
    default:
        binary(c, node);
    }
}

/* --- statements ---------------------------------------------------------- */

static void block(struct compiler *c, const struct node *node);

static void print(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;
    size_t top, on;

    expression(c, node->kids[0]);
    emit_line(e, node->line);
    call_helper(e, (intptr_t)c->print);
    /* A deadline that found the guest in the helper waits for it to be back
     * here, and looks again each millisecond: do not run away. */
    top = e->code.used;
    EMIT(e, "\x64\x83\x3c\x25"); /* cmp dword fs:[poll], 0 */
    emit_int32(e, c->tls + (int)offsetof(struct moat_tls, poll));
    EMIT(e, "\x00");
    on = emit_jump(e, "\x0f\x84", 2); /* je on */
    EMIT(e, "\xf3\x90");              /* pause */
    emit_target(e, emit_jump(e, "\xe9", 1), top);
    emit_land(e, on);
}

static void store(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;

    expression(c, node->kids[0]);
    push_rax(e);
    expression(c, node->kids[1]);
    EMIT(e, "\x48\x89\xc2"); /* mov rdx, rax */
    pop_rax(e);
    emit_line(e, node->line);
    address_element(c, node->array);
    EMIT(e, "\x48\x89\x14\xc1"); /* mov [rcx + 8 * rax], rdx */
}

static void leave(struct emitter *e)
{
    int depth = e->depth;

    drop(e, depth);
    EMIT(e, "\xc3"); /* ret */
    emit_depth(e, depth);
}

/* Jumps from where `condition` does not hold. */
static size_t unless(struct compiler *c, const struct node *condition)
{
    expression(c, condition);
    EMIT(c->e, "\x48\x85\xc0");            /* test rax, rax */
    return emit_jump(c->e, "\x0f\x84", 2); /* jz */
}

static void if_else(struct compiler *c, const struct node *node);

static void statement(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;
    size_t top, out;

    emit_line(e, node->line);
    switch (node->kind) {
    case NODE_LET:
        expression(c, node->kids[0]);
        push_rax(e);
        break;
    case NODE_SET:
        expression(c, node->kids[0]);
        write_local(c, node->slot);
        break;
    case NODE_STORE:
        store(c, node);
        break;
    case NODE_PRINT:
        print(c, node);
        break;
    case NODE_RETURN:
        expression(c, node->kids[0]);
        leave(e);
        break;
    case NODE_IF:
        if_else(c, node);
        break;
    case NODE_WHILE:
        top = e->code.used;
        out = unless(c, node->kids[0]);
        block(c, node->kids[1]);
        emit_target(e, emit_jump(e, "\xe9", 1), top); /* jmp top */
        emit_land(e, out);
        break;
    case NODE_BLOCK:
        block(c, node);
        break;
    default:
        expression(c, node);
    }
}

static void if_else(struct compiler *c, const struct node *node)
{
    size_t otherwise = unless(c, node->kids[0]);
    size_t out;

    block(c, node->kids[1]);
    if (node->kids[2] == NULL) {
        emit_land(c->e, otherwise);
        return;
    }
    out = emit_jump(c->e, "\xe9", 1); /* jmp out */
    emit_land(c->e, otherwise);
    statement(c, node->kids[2]);
    emit_land(c->e, out);
}

static void block(struct compiler *c, const struct node *node)
{
    int depth = c->e->depth;

    for (const struct node *at = node->kids[0]; at != NULL; at = at->next)
        statement(c, at);
    drop(c->e, c->e->depth - depth);
}

/* --- functions ----------------------------------------------------------- */

static void function(struct compiler *c, const struct function *function)
{
    c->function = function;
    emit_piece(c->e, function->name, function->line);
    block(c, function->body);
    EMIT(c->e, "\x31\xc0"); /* xor eax, eax */
    leave(c->e);
    emit_piece_end(c->e);
}

/* The registers that C wants back, as DWARF counts them. The resumer's are in
 * them after a yield. */
static const struct saved {
    const char *push, *pop;
    size_t bytes;
    unsigned number;
} saved[] = {
    {"\x55", "\x5d", 1, 6},          /* rbp */
    {"\x53", "\x5b", 1, 3},          /* rbx */
    {"\x41\x54", "\x41\x5c", 2, 12}, /* r12 */
    {"\x41\x55", "\x41\x5d", 2, 13}, /* r13 */
    {"\x41\x56", "\x41\x5e", 2, 14}, /* r14 */
    {"\x41\x57", "\x41\x5f", 2, 15}, /* r15 */
};
#define SAVED (sizeof saved / sizeof *saved)

/* A moat_entry: (record in rdi, input in rsi). */
static void entry(struct compiler *c)
{
    struct emitter *e = c->e;
    int bytes = WORD * (int)c->script->main->parameters;
    struct fixup fixup;
    int filled;

    emit_piece(e, "[entry]", c->script->main->line);
    EMIT(e, "\xf3\x0f\x1e\xfa"); /* endbr64 */
    for (size_t i = 0; i < SAVED; i++) {
        emit_moving(e, saved[i].push, saved[i].bytes, WORD);
        emit_row_saved(e, saved[i].number);
    }
    EMIT(e, "\x48\x89\xfb"   /* mov rbx, rdi */
            "\x48\x89\xf0"); /* mov rax, rsi */
    filled = align(e, bytes);
    if (bytes > 0)
        push_rax(e);
    fixup.jump = emit_jump(e, "\xe8", 1); /* call main */
    fixup.callee = c->script->main;
    emit_append(e, &c->calls, &fixup, sizeof fixup);
    drop(e, bytes + filled);
    for (size_t i = SAVED; i-- > 0;) {
        emit_moving(e, saved[i].pop, saved[i].bytes, -WORD);
        emit_row_restored(e, saved[i].number);
    }
    EMIT(e, "\xc3"); /* ret */
    emit_piece_end(e);
}

static void link_calls(struct compiler *c)
{
    size_t count;
    const struct piece *pieces = emit_pieces(c->e, &count);
    struct fixup fixup;

    for (size_t i = 0; i < c->calls.used; i += sizeof fixup) {
        memcpy(&fixup, c->calls.at + i, sizeof fixup);
        emit_target(c->e, fixup.jump,
                    pieces[1 + (fixup.callee - c->script->functions)].start);
    }
}

static int32_t tls_distance(void)
{
    uintptr_t here;

    __asm__("movq %%fs:0, %0" : "=r"(here));
    return (int32_t)((uintptr_t)&moat_tls - here);
}

bool compile_script(struct emitter *e, const struct script *script,
                    compile_printer *print_value)
{
    struct compiler c = {e, script, NULL, print_value, {NULL, 0, 0}, 0};

    c.tls = tls_distance();
    entry(&c);
    for (unsigned i = 0; i < script->function_count; i++)
        function(&c, &script->functions[i]);
    if (!e->failed)
        link_calls(&c);
    free(c.calls.at);
    return !e->failed;
}
