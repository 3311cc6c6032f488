/*
 * interpreter.c: values as the language defines them, and each fault with its
 * line.
 *
 * A generator is a coroutine here, too, but uses the header's resumes and
 * yields.
 *
 * SPDX-License-Identifier: MIT
 */
#include "interpreter.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

#include "examples/jit/parse.h"

#define MAX_STEPS      200000
#define MAX_CALLS      60
#define MAX_GENERATORS 100
#define STACK_BYTES    ((size_t)8 << 20)

struct generator {
    struct machine *machine;
    moat_co *co;
    const struct function *function;
    int64_t arguments[MAX_PARAMETERS];
    int64_t value;
};

struct machine {
    const struct script *script;
    struct trace *trace;
    int64_t **arrays;
    long steps;
    int calls;        /* of the running generator or main */
    moat_co *running; /* a generator, or NULL for main */
    bool is_finished; /* the remaining generators end one after the other */
    struct generator generators[MAX_GENERATORS];
    unsigned generator_count;
    jmp_buf end;
};

struct frame {
    struct machine *machine;
    int64_t locals[MAX_LOCALS];
    int64_t result;
};

int64_t trace_input(int number)
{
    return (int64_t)number * 7 - 3;
}

bool trace_add(struct trace *trace, char kind, int64_t value)
{
    if (trace->count == MAX_TRACE)
        return false;
    trace->events[trace->count].kind = kind;
    trace->events[trace->count++].value = value;
    return true;
}

static _Noreturn void finish(struct machine *machine, enum outcome outcome,
                             int line)
{
    if (!machine->is_finished) {
        machine->trace->outcome = outcome;
        machine->trace->line = line;
        machine->is_finished = true;
    }
    if (machine->running == NULL)
        longjmp(machine->end, 1);
    (void)moat_co_yield(machine->running, NULL);
    abort(); /* it is never resumed */
}

static void count_step(struct machine *machine, int line)
{
    if (++machine->steps > MAX_STEPS)
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

static void *as_pointer(int64_t value)
{
    return (void *)(intptr_t)value;
}

static int64_t value_of(struct frame *frame, const struct node *node);
static int64_t call(struct machine *machine, const struct function *function,
                    const int64_t *arguments);

static void read_arguments(struct frame *frame, const struct node *node,
                           int64_t *arguments)
{
    for (const struct node *kid = node->kids[0]; kid != NULL; kid = kid->next)
        *arguments++ = value_of(frame, kid);
}

static int64_t call_node(struct frame *frame, const struct node *node)
{
    int64_t arguments[MAX_PARAMETERS];

    read_arguments(frame, node, arguments);
    return call(frame->machine, node->callee, arguments);
}

static int64_t yield(struct machine *machine, int64_t value)
{
    int calls = machine->calls;

    if (machine->running != NULL) {
        value = (intptr_t)moat_co_yield(machine->running, as_pointer(value));
        machine->calls = calls;
        return value;
    }
    show(machine, 'y', value);
    if (++machine->trace->yields == MAX_YIELDS)
        finish(machine, OUTCOME_ABANDONED, 0);
    return trace_input(machine->trace->yields);
}

/* --- generators ---------------------------------------------------------- */

static void *generate(moat_co *self, void *input)
{
    const struct generator *generator = moat_co_user(self);

    (void)input;
    return as_pointer(
        call(generator->machine, generator->function, generator->arguments));
}

static int64_t start(struct frame *frame, const struct node *node)
{
    struct machine *machine = frame->machine;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    int64_t arguments[MAX_PARAMETERS];
    struct generator *made;

    read_arguments(frame, node, arguments);
    if (machine->generator_count == MAX_GENERATORS)
        finish(machine, OUTCOME_RUNAWAY, node->line);
    made = &machine->generators[machine->generator_count];
    memset(made, 0, sizeof *made);
    made->machine = machine;
    made->function = node->callee;
    if (node->callee->parameters > 0)
        memcpy(made->arguments, arguments,
               node->callee->parameters * sizeof *arguments);
    options.user = made;
    options.stack_bytes = STACK_BYTES;
    if (moat_co_create(&made->co, generate, &options) != MOAT_OK)
        abort();
    return ++machine->generator_count;
}

static struct generator *find(struct frame *frame, const struct node *node)
{
    struct machine *machine = frame->machine;
    int64_t number = value_of(frame, node->kids[0]);

    if (number < 1 || number > machine->generator_count)
        finish(machine, OUTCOME_ERROR, node->line);
    return &machine->generators[number - 1];
}

static int64_t next(struct frame *frame, const struct node *node)
{
    struct machine *machine = frame->machine;
    struct generator *generator = find(frame, node);
    const struct node *with = node->kids[1];
    int64_t input = with != NULL ? value_of(frame, with) : 0;
    moat_co *running = machine->running;
    int calls = machine->calls;
    moat_event event = {.kind = MOAT_EVENT_TRAP};
    moat_status status;

    machine->running = generator->co;
    status = moat_co_resume(generator->co, as_pointer(input), &event);
    machine->running = running;
    machine->calls = calls;
    if (status != MOAT_OK || machine->is_finished)
        finish(machine, OUTCOME_ERROR, node->line);
    generator->value = (intptr_t)event.value;
    return event.kind == MOAT_EVENT_YIELD;
}

/* Suspended generators are reset: none of their code runs. */
static void free_generators(struct machine *machine)
{
    for (unsigned i = 0; i < machine->generator_count; i++) {
        (void)!moat_co_reset(machine->generators[i].co);
        moat_co_destroy(machine->generators[i].co);
    }
}

/* --- operators ----------------------------------------------------------- */

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
    case NODE_START:
        return start(frame, node);
    case NODE_NEXT:
        return next(frame, node);
    case NODE_VALUE:
        return find(frame, node)->value;
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

/* Returns true if the function returns. */
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

    if (++machine->calls > MAX_CALLS)
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
    static struct machine machine;
    int64_t input = trace_input(0);

    memset(&machine, 0, sizeof machine);
    machine.script = script;
    machine.trace = out;
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
    free_generators(&machine);
    free_arrays(machine.arrays, script->array_count);
}
