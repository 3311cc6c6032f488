/*
 * compile.c: statements and functions. One pass over the tree, without register
 * allocation.
 *
 * Conventions of the code:
 * - rbx holds the running coroutine's record, from the entry on.
 * - An expression leaves its value in rax. Pending operands are on the stack.
 * - A declaration pushes its variable. `depth` is known at every instruction,
 * so the variable's distance from the stack pointer is, too.
 * - A caller pushes the arguments, the first one first, and pops them. At a
 * call the stack is aligned to 16 bytes, as the C ABI requires.
 * - A script refers to a generator by number, the code by its struct generator.
 * - There are no checks that the CPU makes anyway. Division by zero, stack
 *   overflow and an index out of range fault, and moat turns the fault into a
 *   trap. After each array, as much memory as a 32-bit index can reach is
 * mapped without access. Frames grow by pushes alone, so none can skip a guard.
 *
 * SPDX-License-Identifier: MIT
 */
#include "compile.h"

#include <stdlib.h>
#include <string.h>

#include "compiler.h"

/* --- statements ---------------------------------------------------------- */

static void block(struct compiler *c, const struct node *node);

static void print(struct compiler *c, const struct node *node)
{
    compile_expression(c, node->kids[0]);
    emit_line(c->e, node->line);
    code_call_service(c, (intptr_t)c->runtime->print);
}

static void store(struct compiler *c, const struct node *node)
{
    struct emitter *e = c->e;

    compile_expression(c, node->kids[0]);
    code_push_rax(e);
    compile_expression(c, node->kids[1]);
    EMIT(e, "\x48\x89\xc2"); /* mov rdx, rax */
    code_pop_rax(e);
    emit_line(e, node->line);
    compile_address_element(c, node->array);
    EMIT(e, "\x48\x89\x14\xc1"); /* mov [rcx + 8 * rax], rdx */
}

static void leave(struct emitter *e)
{
    int depth = e->depth;

    code_drop(e, depth);
    EMIT(e, "\xc3"); /* ret */
    emit_depth(e, depth);
}

/* Emits a jump that is taken if `condition` is 0. */
static size_t unless(struct compiler *c, const struct node *condition)
{
    compile_expression(c, condition);
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
        compile_expression(c, node->kids[0]);
        code_push_rax(e);
        break;
    case NODE_SET:
        compile_expression(c, node->kids[0]);
        compile_write_local(c, node->slot);
        break;
    case NODE_STORE:
        store(c, node);
        break;
    case NODE_PRINT:
        print(c, node);
        break;
    case NODE_RETURN:
        compile_expression(c, node->kids[0]);
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
        compile_expression(c, node);
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
    code_drop(c->e, c->e->depth - depth);
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

/* The callee-saved registers with their DWARF numbers. They are saved once per
 * coroutine, as a switch does not preserve them. */
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

static void begin_entry(struct emitter *e, const char *name, int line)
{
    emit_piece(e, name, line);
    EMIT(e, "\xf3\x0f\x1e\xfa"); /* endbr64 */
    for (size_t i = 0; i < SAVED; i++) {
        emit_moving(e, saved[i].push, saved[i].bytes, WORD);
        emit_row_saved(e, saved[i].number);
    }
    EMIT(e, "\x48\x89\xfb"   /* mov rbx, rdi */
            "\x48\x89\xf0"); /* mov rax, rsi */
}

/* Calls the function, whose arguments are on the stack, and drops `bytes`. */
static void end_entry(struct compiler *c, const struct function *function,
                      int bytes)
{
    struct emitter *e = c->e;

    compile_link(c, emit_jump(e, "\xe8", 1), function, false);
    code_drop(e, bytes);
    for (size_t i = SAVED; i-- > 0;) {
        emit_moving(e, saved[i].pop, saved[i].bytes, -WORD);
        emit_row_restored(e, saved[i].number);
    }
    EMIT(e, "\xc3"); /* ret */
    emit_piece_end(e);
}

/* The entry of main is a moat_entry: record in rdi, input in rsi. */
static void main_entry(struct compiler *c)
{
    const struct function *function = c->script->main;
    int bytes = WORD * (int)function->parameters;

    begin_entry(c->e, "[entry]", function->line);
    bytes += code_align(c->e, bytes);
    if (function->parameters > 0)
        code_push_rax(c->e);
    end_entry(c, function, bytes);
}

/* The entry of a generator reads the arguments from its struct generator. */
static void generator_entry(struct compiler *c, const struct function *function)
{
    struct emitter *e = c->e;
    unsigned count = function->parameters;
    int bytes = WORD * (int)count;

    begin_entry(e, "[generator]", function->line);
    code_call_helper(e, (intptr_t)&moat_co_user);
    bytes += code_align(e, bytes);
    while (count-- > 0) {
        EMIT(e, "\xff\xb0"); /* push [rax + ...] */
        emit_int32(e, (int)(offsetof(struct generator, arguments) +
                            count * sizeof(int64_t)));
        emit_depth(e, e->depth + WORD);
    }
    end_entry(c, function, bytes);
}

/* --- jumps from one piece to another ------------------------------------- */

struct fixup {
    size_t jump, piece;
};

/* The order of pieces: main's entry, all functions, the generators' entries. */
static size_t piece_of(const struct script *script,
                       const struct function *function, bool entry)
{
    size_t number = 1 + (size_t)(function - script->functions);

    if (!entry)
        return number;
    number = 1 + script->function_count;
    for (const struct function *f = script->functions; f < function; f++)
        number += f->started;
    return number;
}

void compile_link(struct compiler *c, size_t jump,
                  const struct function *function, bool entry)
{
    struct fixup fixup = {jump, piece_of(c->script, function, entry)};

    emit_append(c->e, &c->jumps, &fixup, sizeof fixup);
}

static void link_jumps(struct compiler *c)
{
    size_t count;
    const struct piece *pieces = emit_pieces(c->e, &count);
    struct fixup fixup;

    for (size_t i = 0; i < c->jumps.used; i += sizeof fixup) {
        memcpy(&fixup, c->jumps.at + i, sizeof fixup);
        emit_target(c->e, fixup.jump, pieces[fixup.piece].start);
    }
}

/* --- scripts ------------------------------------------------------------- */

static int32_t tls_distance(void)
{
    uintptr_t here;

    __asm__("movq %%fs:0, %0" : "=r"(here));
    return (int32_t)((uintptr_t)&moat_tls - here);
}

bool compile_script(struct emitter *e, const struct script *script,
                    const struct runtime *runtime)
{
    struct compiler c = {e, script, NULL, runtime, {NULL, 0, 0}, 0};

    c.tls = tls_distance();
    main_entry(&c);
    for (unsigned i = 0; i < script->function_count; i++)
        function(&c, &script->functions[i]);
    for (unsigned i = 0; i < script->function_count; i++)
        if (script->functions[i].started)
            generator_entry(&c, &script->functions[i]);
    if (!e->failed)
        link_jumps(&c);
    free(c.jumps.at);
    return !e->failed;
}
