/*
 * parse_expression.c: expressions, by recursive descent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "parser.h"

static struct node *element(struct parser *p, const char *name, int line)
{
    struct array *array = tree_find_array(p, name);
    struct node *node;

    if (array == NULL)
        lexer_fail(&p->lexer, "there is no array '%.40s'", name);
    lexer_expect(&p->lexer, '[');
    node = tree_make(p, NODE_ELEMENT, line, parse_expression(p), NULL);
    node->array = array;
    lexer_expect(&p->lexer, ']');
    return node;
}

/* `value` keeps the name, and kid 1 the list of calls, until link_calls. */
static struct node *call(struct parser *p, enum node_kind kind,
                         const char *name, int line)
{
    struct node *first = NULL, *node;
    struct node **end = &first;
    unsigned count = 0;

    lexer_expect(&p->lexer, '(');
    while (!p->lexer.failed && p->lexer.token != ')') {
        *end = parse_expression(p);
        end = &(*end)->next;
        if (++count > MAX_PARAMETERS)
            lexer_fail(&p->lexer, "more than %d arguments", MAX_PARAMETERS);
        if (p->lexer.token != ')')
            lexer_expect(&p->lexer, ',');
    }
    lexer_expect(&p->lexer, ')');
    if (p->lexer.failed)
        return tree_make(p, NODE_NUMBER, line, NULL, NULL);
    node = tree_make(p, kind, line, first, NULL);
    node->value = (intptr_t)name;
    node->kids[1] = p->calls;
    p->calls = node;
    return node;
}

static struct node *primary(struct parser *p)
{
    int line = p->lexer.line;
    const char *name;
    struct node *node;

    if (p->lexer.token == TOKEN_NUMBER) {
        node = tree_make(p, NODE_NUMBER, line, NULL, NULL);
        node->value = p->lexer.number;
        lexer_advance(&p->lexer);
        return node;
    }
    if (lexer_accept(&p->lexer, '(')) {
        node = parse_expression(p);
        lexer_expect(&p->lexer, ')');
        return node;
    }
    name = lexer_expect_name(&p->lexer);
    if (p->lexer.token == '(')
        return call(p, NODE_CALL, name, line);
    if (p->lexer.token == '[')
        return element(p, name, line);
    node = tree_make(p, NODE_LOCAL, line, NULL, NULL);
    if (!p->lexer.failed)
        node->slot = tree_find_local(p, name);
    return node;
}

static struct node *unary(struct parser *p);

static struct node *next(struct parser *p, int line)
{
    struct node *generator = unary(p), *input = NULL;

    if (lexer_accept(&p->lexer, TOKEN_WITH))
        input = unary(p);
    return tree_make(p, NODE_NEXT, line, generator, input);
}

static struct node *unary(struct parser *p)
{
    int line = p->lexer.line;
    struct node *node;

    if (++p->depth > MAX_HEIGHT)
        lexer_fail(&p->lexer, "nested too deeply");
    if (lexer_accept(&p->lexer, '-'))
        node = tree_make(p, NODE_NEGATE, line, unary(p), NULL);
    else if (lexer_accept(&p->lexer, '!'))
        node = tree_make(p, NODE_NOT, line, unary(p), NULL);
    else if (lexer_accept(&p->lexer, TOKEN_NEXT))
        node = next(p, line);
    else if (lexer_accept(&p->lexer, TOKEN_VALUE))
        node = tree_make(p, NODE_VALUE, line, unary(p), NULL);
    else if (lexer_accept(&p->lexer, TOKEN_START))
        node = call(p, NODE_START, lexer_expect_name(&p->lexer), line);
    else
        node = primary(p);
    p->depth--;
    return node;
}

static const struct binary {
    int token;
    int binds; /* 1: loosest */
    enum node_kind kind;
} binaries[] = {
    {TOKEN_OR, 1, NODE_OR},       {TOKEN_AND, 2, NODE_AND},
    {TOKEN_EQUAL, 3, NODE_EQUAL}, {TOKEN_UNEQUAL, 3, NODE_UNEQUAL},
    {'<', 4, NODE_LESS},          {TOKEN_LESS_EQUAL, 4, NODE_LESS_EQUAL},
    {'>', 4, NODE_GREATER},       {TOKEN_GREATER_EQUAL, 4, NODE_GREATER_EQUAL},
    {'+', 5, NODE_ADD},           {'-', 5, NODE_SUBTRACT},
    {'*', 6, NODE_MULTIPLY},      {'/', 6, NODE_DIVIDE},
    {'%', 6, NODE_REMAINDER},
};

static const struct binary *find_binary(int token, int binds)
{
    for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++)
        if (binaries[i].token == token && binaries[i].binds >= binds)
            return &binaries[i];
    return NULL;
}

/* Parses operators that bind at least as tightly as `binds`. They associate to
 * the left. */
static struct node *operators(struct parser *p, int binds)
{
    struct node *left = unary(p);
    const struct binary *binary;

    while ((binary = find_binary(p->lexer.token, binds)) != NULL) {
        int line = p->lexer.line;

        lexer_advance(&p->lexer);
        left = tree_make(p, binary->kind, line, left,
                         operators(p, binary->binds + 1));
    }
    return left;
}

struct node *parse_expression(struct parser *p)
{
    int line = p->lexer.line;
    struct node *node;

    if (++p->depth > MAX_HEIGHT)
        lexer_fail(&p->lexer, "nested too deeply");
    if (lexer_accept(&p->lexer, TOKEN_YIELD))
        node = tree_make(p, NODE_YIELD, line, parse_expression(p), NULL);
    else
        node = operators(p, 1);
    p->depth--;
    return node;
}
