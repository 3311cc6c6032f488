/*
 * parse.c: Ditch's statements, functions and scripts, by recursive descent.
 *
 * A node, a name, a function and an array each need at least one character of
 * the text, so the text's length bounds their memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include "parser.h"

/* --- statements ---------------------------------------------------------- */

static struct node *block(struct parser *p);

static struct node *let(struct parser *p)
{
    int line = p->lexer.line;
    const char *name;
    struct node *node;

    lexer_advance(&p->lexer);
    name = lexer_expect_name(&p->lexer);
    lexer_expect(&p->lexer, '=');
    node = tree_make(p, NODE_LET, line, parse_expression(p), NULL);
    node->slot = p->local_count;
    tree_declare(p, name);
    lexer_expect(&p->lexer, ';');
    return node;
}

static struct node *if_else(struct parser *p)
{
    int line = p->lexer.line;
    struct node *condition, *node;

    if (++p->depth > MAX_HEIGHT)
        lexer_fail(&p->lexer, "nested too deeply");
    lexer_advance(&p->lexer);
    condition = parse_expression(p);
    node = tree_make(p, NODE_IF, line, condition, block(p));
    if (lexer_accept(&p->lexer, TOKEN_ELSE)) {
        struct node *other = p->lexer.token == TOKEN_IF ? if_else(p) : block(p);

        if (!p->lexer.failed) {
            node->kids[2] = other;
            tree_grow(p, node, other);
        }
    }
    p->depth--;
    return node;
}

/* An expression, which may be the left side of a "=". */
static struct node *assignment(struct parser *p)
{
    int line = p->lexer.line;
    struct node *to = parse_expression(p), *node = to;

    if (p->lexer.token == '=' && to->kind == NODE_LOCAL) {
        lexer_advance(&p->lexer);
        node = tree_make(p, NODE_SET, line, parse_expression(p), NULL);
        node->slot = to->slot;
    } else if (p->lexer.token == '=' && to->kind == NODE_ELEMENT) {
        lexer_advance(&p->lexer);
        node = tree_make(p, NODE_STORE, line, to->kids[0], parse_expression(p));
        node->array = to->array;
    }
    lexer_expect(&p->lexer, ';');
    return node;
}

static struct node *statement(struct parser *p)
{
    int line = p->lexer.line;
    struct node *node;

    switch (p->lexer.token) {
    case TOKEN_LET:
        return let(p);
    case TOKEN_IF:
        return if_else(p);
    case TOKEN_WHILE:
        lexer_advance(&p->lexer);
        node = parse_expression(p);
        return tree_make(p, NODE_WHILE, line, node, block(p));
    case TOKEN_RETURN:
    case TOKEN_PRINT:
        node = tree_make(
            p, p->lexer.token == TOKEN_PRINT ? NODE_PRINT : NODE_RETURN, line,
            NULL, NULL);
        lexer_advance(&p->lexer);
        node->kids[0] = parse_expression(p);
        tree_grow(p, node, node->kids[0]);
        lexer_expect(&p->lexer, ';');
        return node;
    default:
        return assignment(p);
    }
}

static struct node *block(struct parser *p)
{
    int line = p->lexer.line;
    unsigned outer = p->local_count;
    struct node *first = NULL;
    struct node **end = &first;

    if (++p->depth > MAX_HEIGHT)
        lexer_fail(&p->lexer, "nested too deeply");
    lexer_expect(&p->lexer, '{');
    while (!p->lexer.failed && p->lexer.token != '}') {
        *end = statement(p);
        end = &(*end)->next;
    }
    lexer_expect(&p->lexer, '}');
    p->local_count = outer;
    p->depth--;
    return tree_make(p, NODE_BLOCK, line, p->lexer.failed ? NULL : first, NULL);
}

/* --- scripts ------------------------------------------------------------- */

static void array(struct parser *p)
{
    struct array *made = &p->script->arrays[p->script->array_count];

    lexer_advance(&p->lexer);
    made->name = lexer_expect_name(&p->lexer);
    if (!p->lexer.failed && tree_find_array(p, made->name) != NULL)
        lexer_fail(&p->lexer, "a second array '%.40s'", made->name);
    lexer_expect(&p->lexer, '[');
    if (p->lexer.token != TOKEN_NUMBER || p->lexer.number < 1 ||
        p->lexer.number > MAX_ARRAY_COUNT)
        lexer_fail(&p->lexer, "an array has 1 to %d elements", MAX_ARRAY_COUNT);
    made->count = (uint32_t)p->lexer.number;
    lexer_advance(&p->lexer);
    lexer_expect(&p->lexer, ']');
    lexer_expect(&p->lexer, ';');
    p->script->array_count += !p->lexer.failed;
}

static void function(struct parser *p)
{
    struct function *made = &p->script->functions[p->script->function_count];

    made->line = p->lexer.line;
    lexer_advance(&p->lexer);
    made->name = lexer_expect_name(&p->lexer);
    if (!p->lexer.failed && tree_find_function(p->script, made->name) != NULL)
        lexer_fail(&p->lexer, "a second function '%.40s'", made->name);
    p->local_count = 0;
    lexer_expect(&p->lexer, '(');
    while (!p->lexer.failed && p->lexer.token != ')') {
        tree_declare(p, lexer_expect_name(&p->lexer));
        if (p->local_count > MAX_PARAMETERS)
            lexer_fail(&p->lexer, "more than %d parameters", MAX_PARAMETERS);
        if (p->lexer.token != ')')
            lexer_expect(&p->lexer, ',');
    }
    lexer_expect(&p->lexer, ')');
    made->parameters = p->local_count;
    made->body = block(p);
    p->script->function_count += !p->lexer.failed;
}

static void link_calls(struct parser *p)
{
    struct node *node, *next;

    for (node = p->calls; node != NULL && !p->lexer.failed; node = next) {
        const char *name = (const char *)(intptr_t)node->value;
        unsigned count = 0;

        next = node->kids[1];
        node->kids[1] = NULL;
        node->callee = tree_find_function(p->script, name);
        for (struct node *kid = node->kids[0]; kid != NULL; kid = kid->next)
            count++;
        p->lexer.line = node->line;
        if (node->callee == NULL)
            lexer_fail(&p->lexer, "there is no function '%.40s'", name);
        else if (node->callee->parameters != count)
            lexer_fail(&p->lexer, "'%.40s' takes %u arguments", name,
                       node->callee->parameters);
        else if (node->kind == NODE_START)
            node->callee->started = true;
    }
    p->script->main = tree_find_function(p->script, "main");
    if (p->script->main == NULL || p->script->main->parameters > 1)
        lexer_fail(&p->lexer,
                   "there is no function main with at most one parameter");
}

static void parse(struct parser *p)
{
    lexer_advance(&p->lexer);
    while (!p->lexer.failed && p->lexer.token != TOKEN_END) {
        if (p->lexer.token == TOKEN_ARRAY)
            array(p);
        else if (p->lexer.token == TOKEN_FUNC)
            function(p);
        else
            lexer_fail(&p->lexer, "'func' or 'array' is missing");
    }
    if (!p->lexer.failed)
        link_calls(p);
}

/* The shortest function and array, "func a(){}" and "array a[1];", have more
 * than 8 characters. */
static bool reserve(struct script *script, size_t bytes)
{
    script->nodes = calloc(bytes + 1, sizeof *script->nodes);
    script->names = malloc(2 * bytes + 1);
    script->functions = calloc(bytes / 8 + 1, sizeof *script->functions);
    script->arrays = calloc(bytes / 8 + 1, sizeof *script->arrays);
    return script->nodes != NULL && script->names != NULL &&
           script->functions != NULL && script->arrays != NULL;
}

bool script_parse(struct script *out, const char *text,
                  struct parse_error *error)
{
    size_t bytes = strlen(text);
    bool fits = bytes <= MAX_SCRIPT_BYTES;
    struct parser p;
    bool reserved;

    memset(out, 0, sizeof *out);
    memset(&p, 0, sizeof p);
    reserved = fits && reserve(out, bytes);
    p.script = out;
    p.free_node = out->nodes;
    lexer_begin(&p.lexer, text, out->names, error);
    if (!fits)
        lexer_fail(&p.lexer, "a script has at most %d bytes", MAX_SCRIPT_BYTES);
    else if (!reserved)
        lexer_fail(&p.lexer, "out of memory");
    else
        parse(&p);
    if (p.lexer.failed)
        script_free(out);
    return !p.lexer.failed;
}

void script_free(struct script *script)
{
    free(script->nodes);
    free(script->names);
    free(script->functions);
    free(script->arrays);
}
