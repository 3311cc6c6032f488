/*
 * compile_expression.c: expressions. Each leaves its value in rax.
 *
 * SPDX-License-Identifier: MIT
 */
#include "compiler.h"

#include <stdlib.h>

/* Returns a local's offset from the stack pointer. */
static int offset_of(const struct compiler *c, unsigned slot)
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
    emit_int32(c->e, offset_of(c, slot));
}

void compile_write_local(struct compiler *c, unsigned slot)
{
    EMIT(c->e, "\x48\x89\x84\x24"); /* mov [rsp + ...], rax */
    emit_int32(c->e, offset_of(c, slot));
}

void compile_address_element(struct compiler *c, const struct array *array)
{
    EMIT(c->e, "\x89\xc0"   /* mov eax, eax */
               "\x48\xb9"); /* mov rcx, elements */
    emit_int64(c->e, (intptr_t)array->elements);
}

static void push_arguments(struct compiler *c, const struct node *first)
{
    for (const struct node *at = first; at != NULL; at = at->next) {
        compile_expression(c, at);
        code_push_rax(c->e);
    }
}

static void call(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;
    int bytes = WORD * (int)node->callee->parameters;
    int filled = code_align(e, bytes);

    push_arguments(c, node->kids[0]);
    emit_line(e, node->line);
    compile_link(c, emit_jump(e, "\xe8", 1), node->callee, false); /* call */
    code_drop(e, bytes + filled);
}

/* Pushes a struct start for the helper. */
static void start(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;
    int bytes = (int)(offsetof(struct start, arguments) +
                      node->callee->parameters * sizeof(int64_t));

    push_arguments(c, node->kids[0]);
    code_load_rax(e, (intptr_t)node->callee);
    code_push_rax(e);
    compile_link(c, emit_jump(e, "\x48\x8d\x05", 3), node->callee,
                 true); /* lea rax, [entry] */
    code_push_rax(e);
    emit_line(e, node->line);
    EMIT(e, "\x48\x89\xe0" /* mov rax, rsp */
            "\x48\xba");   /* mov rdx, generators */
    emit_int64(e, (intptr_t)c->runtime->generators);
    code_call_service(c, (intptr_t)&generators_start);
    code_drop(e, bytes);
}

/* Replaces the number in rax by the address of its struct generator. */
static void find_generator(struct compiler *c)
{
    struct emitter *e = c->e;
    size_t missed, found;

    EMIT(e, "\x48\x3d"); /* cmp rax, MAX_GENERATORS */
    emit_int32(e, MAX_GENERATORS);
    missed = emit_jump(e, "\x0f\x83", 2); /* jae missed: negative, too */
    EMIT(e, "\x48\xb9");                  /* mov rcx, generators->at */
    emit_int64(e, (intptr_t)c->runtime->generators->at);
    EMIT(e, "\x48\x8b\x04\xc1"           /* mov rax, [rcx + 8 * rax] */
            "\x48\x85\xc0");             /* test rax, rax */
    found = emit_jump(e, "\x0f\x85", 2); /* jnz found */
    emit_land(e, missed);
    code_call_helper(e, (intptr_t)&generators_miss); /* does not come back */
    emit_land(e, found);
}

static void next(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;

    compile_expression(c, node->kids[0]);
    emit_line(e, node->line);
    find_generator(c);
    code_push_rax(e);
    if (node->kids[1] != NULL)
        compile_expression(c, node->kids[1]);
    else
        EMIT(e, "\x31\xc0"); /* xor eax, eax */
    emit_line(e, node->line);
    code_next(c);
}

static void and_or(struct compiler *c, const struct node *node)
{
    size_t decided;

    compile_expression(c, node->kids[0]);
    code_make_truth(c->e);
    decided = node->kind == NODE_AND ? emit_jump(c->e, "\x0f\x84", 2)  /* jz */
                                     : emit_jump(c->e, "\x0f\x85", 2); /* jnz */
    compile_expression(c, node->kids[1]);
    code_make_truth(c->e);
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

/* rax = rax OPERATOR rcx. */
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
    compile_expression(c, node->kids[0]);
    code_push_rax(c->e);
    compile_expression(c, node->kids[1]);
    EMIT(c->e, "\x48\x89\xc1"); /* mov rcx, rax */
    code_pop_rax(c->e);
    emit_line(c->e, node->line);
    operate(c->e, node->kind);
}

void compile_expression(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;

    emit_line(e, node->line);
    switch (node->kind) {
    case NODE_NUMBER:
        code_load_rax(e, node->value);
        break;
    case NODE_LOCAL:
        read_local(c, node->slot);
        break;
    case NODE_ELEMENT:
        compile_expression(c, node->kids[0]);
        emit_line(e, node->line);
        compile_address_element(c, node->array);
        EMIT(e, "\x48\x8b\x04\xc1"); /* mov rax, [rcx + 8 * rax] */
        break;
    case NODE_CALL:
        call(c, node);
        break;
    case NODE_YIELD:
        compile_expression(c, node->kids[0]);
        emit_line(e, node->line);
        code_yield(c);
        break;
    case NODE_START:
        start(c, node);
        break;
    case NODE_NEXT:
        next(c, node);
        break;
    case NODE_VALUE:
        compile_expression(c, node->kids[0]);
        emit_line(e, node->line);
        find_generator(c);
        EMIT(e, "\x48\x8b\x80"); /* mov rax, [rax + value] */
        emit_int32(e, offsetof(struct generator, value));
        break;
    case NODE_NEGATE:
        compile_expression(c, node->kids[0]);
        EMIT(e, "\x48\xf7\xd8"); /* neg rax */
        break;
    case NODE_NOT:
        compile_expression(c, node->kids[0]);
        code_make_truth(e);
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
