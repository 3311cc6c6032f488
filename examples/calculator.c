/*
 * calculator.c: a lexer and a parser, each a generator: text becomes tokens,
 * tokens become the values of lines.
 *
 * Shows: a generator that consumes another; a stage that faults and is replaced
 * while the stage before it goes on; an early end.
 * Run: build/debug/examples/calculator
 * Prints: a value or a trap for each line. The third line divides by zero, and
 * the fourth nests deeper than the parser's stack allows. The fifth is not
 * complete (expected/calculator.txt).
 * Try: moat_co_print_report(moat_gen_co(values), 1) where a line has trapped.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moat/gen.h>

#define NESTED 20000

/* ---- Text to tokens ---- */

struct token {
    char kind; /* an operator, a parenthesis, 'n' for a number, '\n' */
    int number;
};

static void scan(moat_gen *gen, void *text)
{
    struct token token;

    for (const char *c = text; *c != '\0';) {
        if (*c == ' ') {
            c++;
            continue;
        }
        token = (struct token){*c, 0};
        if (isdigit((unsigned char)*c)) {
            char *end;

            token.kind = 'n';
            token.number = (int)strtol(c, &end, 10);
            c = end;
        } else {
            c++;
        }
        moat_gen_yield(gen, &token);
    }
}

/* ---- Tokens to values ---- */

struct parser {
    moat_gen *tokens;
    struct token token; /* the one that is looked at */
};

#define SYNTAX_ERROR 1

static void advance(struct parser *parser)
{
    void *token;

    if (!moat_gen_next(parser->tokens, &token))
        moat_trap_raise(SYNTAX_ERROR);
    parser->token = *(struct token *)token;
}

static int sum(struct parser *parser);

static int factor(struct parser *parser)
{
    int value = parser->token.number;

    if (parser->token.kind == '(') {
        advance(parser);
        value = sum(parser);
        if (parser->token.kind != ')')
            moat_trap_raise(SYNTAX_ERROR);
    } else if (parser->token.kind != 'n') {
        moat_trap_raise(SYNTAX_ERROR);
    }
    advance(parser);
    return value;
}

static int product(struct parser *parser)
{
    int value = factor(parser);

    for (;;)
        if (parser->token.kind == '*') {
            advance(parser);
            value *= factor(parser);
        } else if (parser->token.kind == '/') {
            advance(parser);
            value /= factor(parser); /* by 0: the CPU's fault, and a trap */
        } else {
            return value;
        }
}

static int sum(struct parser *parser)
{
    int value = product(parser);

    for (;;)
        if (parser->token.kind == '+') {
            advance(parser);
            value += product(parser);
        } else if (parser->token.kind == '-') {
            advance(parser);
            value -= product(parser);
        } else {
            return value;
        }
}

/* Yields the value of each line. */
static void parse(moat_gen *gen, void *arg)
{
    struct parser *parser = arg;

    for (;;) {
        int value;

        advance(parser);
        value = sum(parser);
        moat_gen_yield(gen, &value);
    }
}

/* ---- The host ---- */

static void print_trap(int line, const moat_gen *values)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(moat_gen_co(values), &info) == MOAT_OK)
        printf("line %d: %s\n", line,
               info.kind == MOAT_TRAP_RAISED ? "syntax error"
                                             : moat_trap_kind_str(info.kind));
}

/* Goes on after a line that has trapped. */
static void skip_line(struct parser *parser)
{
    void *token;

    while (parser->token.kind != '\n' && moat_gen_next(parser->tokens, &token))
        parser->token = *(struct token *)token;
}

/* Prints the value of each line; a parser that traps is followed by another,
 * from the same tokens. */
static void evaluate(moat_gen *tokens, moat_spec *spec, int lines)
{
    struct parser parser = {tokens, {'\n', 0}};
    moat_gen *values = NULL;

    for (int line = 1; line <= lines; line++) {
        void *value;

        if (values == NULL &&
            moat_gen_create_from(&values, spec, parse, &parser) != MOAT_OK)
            return;
        if (moat_gen_next(values, &value)) {
            printf("line %d: %d\n", line, *(int *)value);
            continue;
        }
        print_trap(line, values);
        moat_gen_destroy(values);
        values = NULL;
        skip_line(&parser);
    }
    moat_gen_destroy(values);
}

int main(void)
{
    static char text[NESTED + 100] = "1 + 2 * 3\n(4 + 5) * 6\n7 / (2 - 2)\n";
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_spec *spec = NULL;
    moat_gen *tokens = NULL;

    memset(text + strlen(text), '(', NESTED);
    strcat(text, "\n8 -\n9 / 2\n");
    options.name = "parser";
    options.stack_bytes = 64 << 10;
    if (moat_spec_create(&spec, &options) != MOAT_OK ||
        moat_gen_create(&tokens, scan, text, NULL) != MOAT_OK)
        return 1;
    evaluate(tokens, spec, 6);
    moat_gen_destroy(tokens);
    moat_spec_destroy(spec);
    return 0;
}
