/*
 * interpreter.c: values as the language defines them, each fault at its line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "interpreter.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "examples/jit/parse.h"

#define STEPS_MOST 200000
#define CALLS_MOST 60

struct machine {
    const struct script *script;
    struct trace *trace;
    int64_t **arrays;
    long steps;
    int calls;
    jmp_buf end;
};

struct frame {
    struct machine *machine;
    int64_t locals[LOCALS_MOST];
    int64_t result;
};

int64_t trace_input(int number)
{
    return (int64_t)number * 7 - 3;
}

bool trace_add(struct trace *trace, char kind, int64_t value)
{
    if (trace->count == TRACE_MOST)
        return false;
    trace->events[trace->count].kind = kind;
    trace->events[trace->count++].value = value;
    return true;
}

static _Noreturn void finish(struct machine *machine, enum outcome outcome,
                             int line)
{
    machine->trace->outcome = outcome;
    machine->trace->line = line;
    longjmp(machine->end, 1);
}

static void count_step(struct machine *machine, int line)
{
    if (++machine->steps > STEPS_MOST)
        finish(machine, OUTCOME_RUNAWAY, line);
}

static void show(struct machine *machine, char kind, int64_t value)
{
    if (!trace_add(machine->trace, kind, value))
        finish(machine, OUTCOME_RUNAWAY, 0);
}

static int64_t *element(struct frame *frame, const struct node *node,
                        int64_t index)
{
    struct machine *machine = frame->machine;

    if ((uint32_t)index >= node->array->count)
        finish(machine, OUTCOME_MEMORY, node->line);
    return &machine->arrays[node->array - machine->script->arrays]
                           [(uint32_t)index];
}

/* --- expressions --------------------------------------------------------- */

static int64_t value_of(struct frame *frame, const struct node *node);
static int64_t call(struct machine *machine, const struct function *function,
                    const int64_t *arguments);

static int64_t call_node(struct frame *frame, const struct node *node)
{
    int64_t arguments[PARAMETERS_MOST];
    size_t count = 0;

    for (const struct node *kid = node->kids[0]; kid != NULL; kid = kid->next)
        arguments[count++] = value_of(frame, kid);
    return call(frame->machine, node->callee, arguments);
}

static int64_t yield(struct machine *machine, int64_t value)
{
    show(machine, 'y', value);
    if (++machine->trace->yields == YIELDS_MOST)
        finish(machine, OUTCOME_ABANDONED, 0);
    return trace_input(machine->trace->yields);
}

static int64_t divide(struct frame *frame, const struct node *node,
                      int64_t left, int64_t right)
{
    if (right == 0 || (right == -1 && left == INT64_MIN))
        finish(frame->machine, OUTCOME_ARITHMETIC, node->line);
    return node->kind == NODE_DIVIDE ? left / right : left % right;
}

static int64_t operate(struct frame *frame, const struct node *node)
{
    int64_t left = value_of(frame, node->kids[0]);
    int64_t right = value_of(frame, node->kids[1]);

    switch (node->kind) {
    case NODE_ADD:
        return (int64_t)((uint64_t)left + (uint64_t)right);
    case NODE_SUBTRACT:
        return (int64_t)((uint64_t)left - (uint64_t)right);
    case NODE_MULTIPLY:
        return (int64_t)((uint64_t)left * (uint64_t)right);
    case NODE_DIVIDE:
    case NODE_REMAINDER:
        return divide(frame, node, left, right);
    case NODE_EQUAL:
        return left == right;
    case NODE_UNEQUAL:
        return left != right;
    case NODE_LESS:
        return left < right;
    case NODE_LESS_EQUAL:
        return left <= right;
    case NODE_GREATER:
        return left > right;
    case NODE_GREATER_EQUAL:
        return left >= right;
    default:
        abort();
    }
}

static int64_t value_of(struct frame *frame, const struct node *node)
{
    count_step(frame->machine, node->line);
    switch (node->kind) {
    case NODE_NUMBER:
        return node->value;
    case NODE_LOCAL:
        return frame->locals[node->slot];
    case NODE_ELEMENT:
        return *element(frame, node, value_of(frame, node->kids[0]));
    case NODE_CALL:
        return call_node(frame, node);
    case NODE_YIELD:
        return yield(frame->machine, value_of(frame, node->kids[0]));
    case NODE_NEGATE:
        return (int64_t)(0 - (uint64_t)value_of(frame, node->kids[0]));
    case NODE_NOT:
        return !value_of(frame, node->kids[0]);
    case NODE_AND:
        return value_of(frame, node->kids[0]) && value_of(frame, node->kids[1]);
    case NODE_OR:
        return value_of(frame, node->kids[0]) || value_of(frame, node->kids[1]);
    default:
        return operate(frame, node);
    }
}

/* --- statements ---------------------------------------------------------- */

/* True: the function returns. */
static bool execute(struct frame *frame, const struct node *node)
{
    int64_t index, value;

    count_step(frame->machine, node->line);
    switch (node->kind) {
    case NODE_LET:
    case NODE_SET:
        frame->locals[node->slot] = value_of(frame, node->kids[0]);
        return false;
    case NODE_STORE:
        index = value_of(frame, node->kids[0]);
        value = value_of(frame, node->kids[1]);
        *element(frame, node, index) = value;
        return false;
    case NODE_PRINT:
        show(frame->machine, 'p', value_of(frame, node->kids[0]));
        return false;
    case NODE_RETURN:
        frame->result = value_of(frame, node->kids[0]);
        return true;
    case NODE_IF:
        if (value_of(frame, node->kids[0]))
            return execute(frame, node->kids[1]);
        return node->kids[2] != NULL && execute(frame, node->kids[2]);
    case NODE_WHILE:
        while (value_of(frame, node->kids[0]))
            if (execute(frame, node->kids[1]))
                return true;
        return false;
    case NODE_BLOCK:
        for (node = node->kids[0]; node != NULL; node = node->next)
            if (execute(frame, node))
                return true;
        return false;
    default:
        (void)value_of(frame, node);
        return false;
    }
}

static int64_t call(struct machine *machine, const struct function *function,
                    const int64_t *arguments)
{
    struct frame frame;

    if (++machine->calls > CALLS_MOST)
        finish(machine, OUTCOME_RUNAWAY, function->line);
    frame.machine = machine;
    frame.result = 0;
    if (function->parameters > 0)
        memcpy(frame.locals, arguments,
               function->parameters * sizeof *arguments);
    (void)execute(&frame, function->body);
    machine->calls--;
    return frame.result;
}

/* --- scripts ------------------------------------------------------------- */

static void free_arrays(int64_t **arrays, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(arrays[i]);
    free(arrays);
}

static int64_t **make_arrays(const struct script *script)
{
    int64_t **arrays = calloc(script->array_count + 1, sizeof *arrays);

    for (unsigned i = 0; arrays != NULL && i < script->array_count; i++) {
        arrays[i] = calloc(script->arrays[i].count, sizeof **arrays);
        if (arrays[i] == NULL)
            abort();
    }
    return arrays;
}

void interpret(const struct script *script, struct trace *out)
{
    struct machine machine = {.script = script, .trace = out};
    int64_t input = trace_input(0);

    machine.arrays = make_arrays(script);
    if (machine.arrays == NULL)
        abort();
    out->count = 0;
    out->yields = 0;
    if (setjmp(machine.end) == 0) {
        out->value = call(&machine, script->main, &input);
        out->outcome = OUTCOME_RETURNED;
        out->line = 0;
    }
    free_arrays(machine.arrays, script->array_count);
}
