/*
 * generator.c: expands the grammar with random choices.
 *
 * Most divisors are not 0, most indices are in range, most loops end and most
 * calls lead to a later function. So most scripts run for a while, and any of
 * them may still go wrong in any way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "generator.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "examples/jit/parse.h"

#define TEXT_ROOM 60000 /* no statement begins after this */

struct generator {
    uint64_t state;
    char *at, *end;
    unsigned functions, arrays;
    unsigned parameters[8]; /* of each function */
    unsigned counts[4];     /* of each array */
    unsigned function;      /* the current one */
    unsigned locals;        /* variables in scope, named v0 to v(locals - 1) */
};

static unsigned roll(struct generator *g, unsigned sides)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return (unsigned)((g->state >> 20) % sides);
}

__attribute__((format(printf, 2, 3))) static void put(struct generator *g,
                                                      const char *format, ...)
{
    va_list args;
    int count;

    va_start(args, format);
    count = vsnprintf(g->at, (size_t)(g->end - g->at), format, args);
    va_end(args);
    if (count > 0 && count < g->end - g->at)
        g->at += count;
    if (roll(g, 12) == 0 && g->end - g->at > 1)
        *g->at++ = '\n';
}

/* --- expressions --------------------------------------------------------- */

static void expression(struct generator *g, unsigned depth);

static void number(struct generator *g)
{
    switch (roll(g, 8)) {
    case 0:
        put(g, "%llu", (unsigned long long)(g->state & INT64_MAX));
        break;
    case 1:
        put(g, "9223372036854775807");
        break;
    case 2:
        put(g, "(-9223372036854775807 - 1)");
        break;
    default:
        put(g, "%u", roll(g, 10));
    }
}

static void leaf(struct generator *g)
{
    if (g->locals > 0 && roll(g, 3) > 0)
        put(g, "v%u", roll(g, g->locals));
    else
        number(g);
}

static void index_of(struct generator *g, unsigned array, unsigned depth)
{
    put(g, "a%u[", array);
    if (roll(g, 12) == 0)
        expression(g, depth);
    else
        put(g, "%u", roll(g, g->counts[array]));
    put(g, "]");
}

static void divisor(struct generator *g, unsigned depth)
{
    if (roll(g, 6) == 0) {
        expression(g, depth);
        return;
    }
    put(g, "(9 + ");
    expression(g, depth);
    put(g, " %% 8)");
}

static void binary(struct generator *g, unsigned depth)
{
    static const char *const operators[] = {"+",  "-",  "*",  "<",  "<=", ">",
                                            ">=", "==", "!=", "&&", "||"};

    put(g, "(");
    expression(g, depth);
    if (roll(g, 6) == 0) {
        put(g, roll(g, 2) ? " / " : " %% ");
        divisor(g, depth);
    } else {
        put(g, " %s ",
            operators[roll(g, sizeof operators / sizeof *operators)]);
        expression(g, depth);
    }
    put(g, ")");
}

static void arguments(struct generator *g, unsigned callee, unsigned depth)
{
    put(g, "f%u(", callee);
    for (unsigned i = 0; i < g->parameters[callee]; i++) {
        if (i > 0)
            put(g, ", ");
        expression(g, depth);
    }
    put(g, ")");
}

static void call(struct generator *g, unsigned depth)
{
    unsigned later = g->functions - g->function - 1;
    unsigned callee;

    if (later > 0 && roll(g, 20) != 0)
        callee = g->function + 1 + roll(g, later);
    else if (roll(g, 3) == 0)
        callee = roll(g, g->functions);
    else {
        leaf(g);
        return;
    }
    arguments(g, callee, depth);
}

/* Generators are numbered in the order of their start. */
static void generator(struct generator *g, unsigned depth)
{
    switch (roll(g, 8)) {
    case 0:
        put(g, "(start ");
        arguments(g, roll(g, g->functions), depth);
        put(g, ")");
        break;
    case 1:
    case 2:
        put(g, "(next %u with ", 1 + roll(g, 3));
        leaf(g);
        put(g, ")");
        break;
    default:
        put(g, "(%s %u)", roll(g, 2) ? "next" : "value", 1 + roll(g, 3));
    }
}

static void expression(struct generator *g, unsigned depth)
{
    unsigned kind = roll(g, 16);

    if (depth > 0 && roll(g, 200) == 0) {
        generator(g, depth - 1);
        return;
    }

    if (depth == 0 || kind < 4) {
        leaf(g);
    } else if (kind < 10) {
        binary(g, depth - 1);
    } else if (kind < 11) {
        put(g, roll(g, 2) ? "-" : "!");
        expression(g, depth - 1);
    } else if (kind < 13 && g->arrays > 0) {
        index_of(g, roll(g, g->arrays), depth - 1);
    } else if (kind < 15) {
        call(g, depth - 1);
    } else {
        put(g, "(yield ");
        expression(g, depth - 1);
        put(g, ")");
    }
}

/* --- statements ---------------------------------------------------------- */

static void statements(struct generator *g, unsigned depth);
static void block(struct generator *g, unsigned depth);

/* Counts up to a small number, unless the body changes the counter. */
static void loop(struct generator *g, unsigned depth)
{
    unsigned counter = g->locals++;

    put(g, "let v%u = %u;\nwhile ", counter, roll(g, 6));
    if (roll(g, 15) == 0)
        expression(g, 2);
    else
        put(g, "v%u > 0", counter);
    put(g, " { v%u = v%u - 1;\n", counter, counter);
    statements(g, depth);
    g->locals = counter + 1;
    put(g, "}\n");
}

/* Starts a generator and loops over the values it yields. */
static void drain(struct generator *g, unsigned depth)
{
    unsigned later = g->functions - g->function - 1;
    unsigned number = g->locals;

    put(g, "let v%u = start ", number);
    arguments(g, later > 0 ? g->function + 1 + roll(g, later) : 0, 2);
    put(g, ";\nwhile next v%u {\nlet v%u = value v%u;\n", number, number + 1,
        number);
    g->locals += 2;
    statements(g, depth);
    g->locals = number + 1;
    put(g, "}\n");
}

static void statement(struct generator *g, unsigned depth)
{
    if (depth > 0 && roll(g, 12) == 0) {
        drain(g, depth - 1);
        return;
    }
    switch (roll(g, depth > 0 ? 10 : 6)) {
    case 0:
    case 1:
        put(g, "let v%u = ", g->locals);
        expression(g, 4);
        g->locals++;
        break;
    case 2:
        if (g->locals > 0) {
            put(g, "v%u = ", roll(g, g->locals));
            expression(g, 4);
        } else {
            expression(g, 4);
        }
        break;
    case 3:
        if (g->arrays > 0) {
            index_of(g, roll(g, g->arrays), 3);
            put(g, " = ");
        }
        expression(g, 4);
        break;
    case 4:
        put(g, "print ");
        expression(g, 4);
        break;
    case 5:
        if (roll(g, 4) == 0)
            put(g, "return ");
        expression(g, 4);
        break;
    case 6:
    case 7:
        loop(g, depth - 1);
        return;
    default:
        put(g, "if ");
        expression(g, 3);
        block(g, depth - 1);
        if (roll(g, 2)) {
            put(g, " else ");
            block(g, depth - 1);
        }
        return;
    }
    put(g, ";\n");
}

static void statements(struct generator *g, unsigned depth)
{
    unsigned count = roll(g, 6);

    while (count-- > 0 && g->end - g->at > MAX_SCRIPT_BYTES - TEXT_ROOM)
        statement(g, depth);
}

static void block(struct generator *g, unsigned depth)
{
    unsigned outer = g->locals;

    put(g, " {\n");
    statements(g, depth);
    g->locals = outer;
    put(g, "}\n");
}

/* --- scripts ------------------------------------------------------------- */

static void function(struct generator *g)
{
    put(g, "func f%u(", g->function);
    for (g->locals = 0; g->locals < g->parameters[g->function]; g->locals++)
        put(g, "%sv%u", g->locals > 0 ? ", " : "", g->locals);
    put(g, ") {\n");
    statements(g, 3);
    statements(g, 3);
    put(g, "return ");
    expression(g, 4);
    put(g, ";\n}\n");
}

void generate_script(char *buffer, uint64_t seed)
{
    struct generator g = {0};

    g.state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    g.at = buffer;
    g.end = buffer + MAX_SCRIPT_BYTES;
    g.arrays = roll(&g, 4);
    for (unsigned i = 0; i < g.arrays; i++) {
        g.counts[i] = 1 + roll(&g, i == 0 ? 2000 : 16);
        put(&g, "array a%u[%u];\n", i, g.counts[i]);
    }
    g.functions = 1 + roll(&g, 6);
    for (unsigned i = 0; i < g.functions; i++)
        g.parameters[i] = roll(&g, 4);
    put(&g, "func main(v0) { return f0(");
    for (unsigned i = 0; i < g.parameters[0]; i++)
        put(&g, "%sv0", i > 0 ? ", " : "");
    put(&g, "); }\n");
    for (g.function = 0; g.function < g.functions; g.function++)
        function(&g);
    *g.at = '\0';
}
