/*
 * parse.c: lexer and recursive-descent parser of Ditch.
 *
 * After the first error the parser sees nothing but the end of the text, so it
 * comes back by itself. A node, a name, a function and an array each take up at
 * least one character of the text, so their memory is known from its length.
 *
 * SPDX-License-Identifier: MIT
 */
#include "parse.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tokens; any other character is its own. */
enum token {
    TOKEN_END = 0,
    TOKEN_NUMBER = 256,
    TOKEN_NAME,
    TOKEN_EQUAL,
    TOKEN_UNEQUAL,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER_EQUAL,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_ARRAY, /* the keywords */
    TOKEN_ELSE,
    TOKEN_FUNC,
    TOKEN_IF,
    TOKEN_LET,
    TOKEN_PRINT,
    TOKEN_RETURN,
    TOKEN_WHILE,
    TOKEN_YIELD
};

static const char *const keywords[] = {
    "array", "else", "func", "if", "let", "print", "return", "while", "yield"};

struct parser {
    struct script *script;
    struct parse_error *error;
    bool failed;
    const char *at; /* behind the token */
    int token;
    int line; /* of the token */
    int64_t number;
    const char *name;
    char *free_name;
    struct node *free_node;
    struct node *calls; /* whose callee is not known yet, by kid 1 */
    const char *locals[LOCALS_MOST];
    unsigned local_count;
    unsigned depth;
};

__attribute__((format(printf, 2, 3))) static void fail(struct parser *p,
                                                       const char *format, ...)
{
    va_list args;

    if (p->failed)
        return;
    p->failed = true;
    p->token = TOKEN_END;
    p->error->line = p->line;
    va_start(args, format);
    (void)vsnprintf(p->error->text, sizeof p->error->text, format, args);
    va_end(args);
}

/* --- tokens -------------------------------------------------------------- */

static void skip_space(struct parser *p)
{
    for (;; p->at++) {
        if (*p->at == '#')
            p->at += strcspn(p->at, "\n");
        if (*p->at == '\n')
            p->line++;
        else if (*p->at == '\0' || !isspace((unsigned char)*p->at))
            return;
    }
}

static int read_number(struct parser *p)
{
    int64_t value = 0;

    for (; isdigit((unsigned char)*p->at); p->at++) {
        int digit = *p->at - '0';

        if (value > (INT64_MAX - digit) / 10) {
            fail(p, "a number is too large");
            return TOKEN_END;
        }
        value = value * 10 + digit;
    }
    p->number = value;
    return TOKEN_NUMBER;
}

static int read_word(struct parser *p)
{
    size_t bytes = 0;

    while (isalnum((unsigned char)p->at[bytes]) || p->at[bytes] == '_')
        bytes++;
    memcpy(p->free_name, p->at, bytes);
    p->free_name[bytes] = '\0';
    p->at += bytes;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(p->free_name, keywords[i]) == 0)
            return TOKEN_ARRAY + (int)i;
    p->name = p->free_name;
    p->free_name += bytes + 1;
    return TOKEN_NAME;
}

static int read_sign(struct parser *p)
{
    static const char *const pairs[] = {"==", "!=", "<=", ">=", "&&", "||"};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strncmp(p->at, pairs[i], 2) == 0) {
            p->at += 2;
            return TOKEN_EQUAL + (int)i;
        }
    return (unsigned char)*p->at++;
}

static void advance(struct parser *p)
{
    if (p->failed)
        return;
    skip_space(p);
    if (*p->at == '\0')
        p->token = TOKEN_END;
    else if (isdigit((unsigned char)*p->at))
        p->token = read_number(p);
    else if (isalpha((unsigned char)*p->at) || *p->at == '_')
        p->token = read_word(p);
    else
        p->token = read_sign(p);
}

static bool accept(struct parser *p, int token)
{
    if (p->token != token)
        return false;
    advance(p);
    return true;
}

static void expect(struct parser *p, int sign)
{
    if (!accept(p, sign))
        fail(p, "'%c' is missing", sign);
}

static const char *expect_name(struct parser *p)
{
    const char *name = p->name;

    if (!accept(p, TOKEN_NAME))
        fail(p, "a name is missing");
    return name;
}

/* --- nodes --------------------------------------------------------------- */

static void grow(struct parser *p, struct node *node, const struct node *kid)
{
    for (; kid != NULL && !p->failed; kid = kid->next)
        if (node->height <= kid->height)
            node->height = kid->height + 1;
    if (node->height > HEIGHT_MOST)
        fail(p, "nested too deeply");
}

static struct node *make(struct parser *p, enum node_kind kind, int line,
                         struct node *first, struct node *second)
{
    /* After an error nodes are no longer counted: all use the last one. */
    struct node *node = p->free_node;

    if (!p->failed)
        p->free_node++;
    memset(node, 0, sizeof *node);
    node->kind = kind;
    node->line = line;
    node->kids[0] = first;
    node->kids[1] = second;
    grow(p, node, first);
    grow(p, node, second);
    return node;
}

static struct array *find_array(const struct parser *p, const char *name)
{
    for (unsigned i = 0; i < p->script->array_count; i++)
        if (strcmp(p->script->arrays[i].name, name) == 0)
            return &p->script->arrays[i];
    return NULL;
}

static struct function *find_function(const struct script *script,
                                      const char *name)
{
    for (unsigned i = 0; i < script->function_count; i++)
        if (strcmp(script->functions[i].name, name) == 0)
            return &script->functions[i];
    return NULL;
}

static void declare(struct parser *p, const char *name)
{
    if (p->local_count == LOCALS_MOST)
        fail(p, "more than %d variables", LOCALS_MOST);
    else
        p->locals[p->local_count++] = name;
}

/* The innermost of the name. */
static unsigned find_local(struct parser *p, const char *name)
{
    for (unsigned slot = p->local_count; slot-- > 0;)
        if (strcmp(p->locals[slot], name) == 0)
            return slot;
    fail(p, "'%.40s' is not declared", name);
    return 0;
}

/* --- expressions --------------------------------------------------------- */

static struct node *expression(struct parser *p);

static struct node *element(struct parser *p, const char *name, int line)
{
    struct array *array = find_array(p, name);
    struct node *node;

    if (array == NULL)
        fail(p, "there is no array '%.40s'", name);
    expect(p, '[');
    node = make(p, NODE_ELEMENT, line, expression(p), NULL);
    node->array = array;
    expect(p, ']');
    return node;
}

/* `value` and `kids[2]` keep name and arguments until `link_calls`. */
static struct node *call(struct parser *p, const char *name, int line)
{
    struct node *first = NULL, *node;
    struct node **end = &first;
    unsigned count = 0;

    expect(p, '(');
    while (!p->failed && p->token != ')') {
        *end = expression(p);
        end = &(*end)->next;
        if (++count > PARAMETERS_MOST)
            fail(p, "more than %d arguments", PARAMETERS_MOST);
        if (p->token != ')')
            expect(p, ',');
    }
    expect(p, ')');
    if (p->failed)
        return make(p, NODE_NUMBER, line, NULL, NULL);
    node = make(p, NODE_CALL, line, first, NULL);
    node->value = (intptr_t)name;
    node->kids[1] = p->calls;
    p->calls = node;
    return node;
}

static struct node *primary(struct parser *p)
{
    int line = p->line;
    const char *name;
    struct node *node;

    if (p->token == TOKEN_NUMBER) {
        node = make(p, NODE_NUMBER, line, NULL, NULL);
        node->value = p->number;
        advance(p);
        return node;
    }
    if (accept(p, '(')) {
        node = expression(p);
        expect(p, ')');
        return node;
    }
    name = expect_name(p);
    if (p->token == '(')
        return call(p, name, line);
    if (p->token == '[')
        return element(p, name, line);
    node = make(p, NODE_LOCAL, line, NULL, NULL);
    if (!p->failed)
        node->slot = find_local(p, name);
    return node;
}

static struct node *unary(struct parser *p)
{
    int line = p->line;
    struct node *node;

    if (++p->depth > HEIGHT_MOST)
        fail(p, "nested too deeply");
    if (accept(p, '-'))
        node = make(p, NODE_NEGATE, line, unary(p), NULL);
    else if (accept(p, '!'))
        node = make(p, NODE_NOT, line, unary(p), NULL);
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

/* Operators that bind at least so; of the same binding the left one first. */
static struct node *operators(struct parser *p, int binds)
{
    struct node *left = unary(p);
    const struct binary *binary;

    while ((binary = find_binary(p->token, binds)) != NULL) {
        int line = p->line;

        advance(p);
        left =
            make(p, binary->kind, line, left, operators(p, binary->binds + 1));
    }
    return left;
}

static struct node *expression(struct parser *p)
{
    int line = p->line;
    struct node *node;

    if (++p->depth > HEIGHT_MOST)
        fail(p, "nested too deeply");
    if (accept(p, TOKEN_YIELD))
        node = make(p, NODE_YIELD, line, expression(p), NULL);
    else
        node = operators(p, 1);
    p->depth--;
    return node;
}

/* --- statements ---------------------------------------------------------- */

static struct node *block(struct parser *p);

static struct node *let(struct parser *p)
{
    int line = p->line;
    const char *name;
    struct node *node;

    advance(p);
    name = expect_name(p);
    expect(p, '=');
    node = make(p, NODE_LET, line, expression(p), NULL);
    node->slot = p->local_count;
    declare(p, name);
    expect(p, ';');
    return node;
}

static struct node *if_else(struct parser *p)
{
    int line = p->line;
    struct node *condition, *node;

    if (++p->depth > HEIGHT_MOST)
        fail(p, "nested too deeply");
    advance(p);
    condition = expression(p);
    node = make(p, NODE_IF, line, condition, block(p));
    if (accept(p, TOKEN_ELSE)) {
        struct node *other = p->token == TOKEN_IF ? if_else(p) : block(p);

        if (!p->failed) {
            node->kids[2] = other;
            grow(p, node, other);
        }
    }
    p->depth--;
    return node;
}

/* An expression, or what stands before a "=". */
static struct node *assignment(struct parser *p)
{
    int line = p->line;
    struct node *to = expression(p), *node = to;

    if (p->token == '=' && to->kind == NODE_LOCAL) {
        advance(p);
        node = make(p, NODE_SET, line, expression(p), NULL);
        node->slot = to->slot;
    } else if (p->token == '=' && to->kind == NODE_ELEMENT) {
        advance(p);
        node = make(p, NODE_STORE, line, to->kids[0], expression(p));
        node->array = to->array;
    }
    expect(p, ';');
    return node;
}

static struct node *statement(struct parser *p)
{
    int line = p->line;
    struct node *node;

    switch (p->token) {
    case TOKEN_LET:
        return let(p);
    case TOKEN_IF:
        return if_else(p);
    case TOKEN_WHILE:
        advance(p);
        node = expression(p);
        return make(p, NODE_WHILE, line, node, block(p));
    case TOKEN_RETURN:
    case TOKEN_PRINT:
        node = make(p, p->token == TOKEN_PRINT ? NODE_PRINT : NODE_RETURN, line,
                    NULL, NULL);
        advance(p);
        node->kids[0] = expression(p);
        grow(p, node, node->kids[0]);
        expect(p, ';');
        return node;
    default:
        return assignment(p);
    }
}

static struct node *block(struct parser *p)
{
    int line = p->line;
    unsigned outer = p->local_count;
    struct node *first = NULL;
    struct node **end = &first;

    if (++p->depth > HEIGHT_MOST)
        fail(p, "nested too deeply");
    expect(p, '{');
    while (!p->failed && p->token != '}') {
        *end = statement(p);
        end = &(*end)->next;
    }
    expect(p, '}');
    p->local_count = outer;
    p->depth--;
    return make(p, NODE_BLOCK, line, p->failed ? NULL : first, NULL);
}

/* --- scripts ------------------------------------------------------------- */

static void array(struct parser *p)
{
    struct array *made = &p->script->arrays[p->script->array_count];

    advance(p);
    made->name = expect_name(p);
    if (!p->failed && find_array(p, made->name) != NULL)
        fail(p, "a second array '%.40s'", made->name);
    expect(p, '[');
    if (p->token != TOKEN_NUMBER || p->number < 1 ||
        p->number > ARRAY_COUNT_MOST)
        fail(p, "an array has 1 to %d elements", ARRAY_COUNT_MOST);
    made->count = (uint32_t)p->number;
    advance(p);
    expect(p, ']');
    expect(p, ';');
    p->script->array_count += !p->failed;
}

static void function(struct parser *p)
{
    struct function *made = &p->script->functions[p->script->function_count];

    made->line = p->line;
    advance(p);
    made->name = expect_name(p);
    if (!p->failed && find_function(p->script, made->name) != NULL)
        fail(p, "a second function '%.40s'", made->name);
    p->local_count = 0;
    expect(p, '(');
    while (!p->failed && p->token != ')') {
        declare(p, expect_name(p));
        if (p->local_count > PARAMETERS_MOST)
            fail(p, "more than %d parameters", PARAMETERS_MOST);
        if (p->token != ')')
            expect(p, ',');
    }
    expect(p, ')');
    made->parameters = p->local_count;
    made->body = block(p);
    p->script->function_count += !p->failed;
}

static void link_calls(struct parser *p)
{
    struct node *node, *next;

    for (node = p->calls; node != NULL && !p->failed; node = next) {
        const char *name = (const char *)(intptr_t)node->value;
        unsigned count = 0;

        next = node->kids[1];
        node->kids[1] = NULL;
        node->callee = find_function(p->script, name);
        for (struct node *kid = node->kids[0]; kid != NULL; kid = kid->next)
            count++;
        p->line = node->line;
        if (node->callee == NULL)
            fail(p, "there is no function '%.40s'", name);
        else if (node->callee->parameters != count)
            fail(p, "'%.40s' takes %u arguments", name,
                 node->callee->parameters);
    }
    p->script->main = find_function(p->script, "main");
    if (p->script->main == NULL || p->script->main->parameters > 1)
        fail(p, "there is no function main with at most one parameter");
}

static void parse(struct parser *p)
{
    advance(p);
    while (!p->failed && p->token != TOKEN_END) {
        if (p->token == TOKEN_ARRAY)
            array(p);
        else if (p->token == TOKEN_FUNC)
            function(p);
        else
            fail(p, "'func' or 'array' is missing");
    }
    if (!p->failed)
        link_calls(p);
}

/* "func a(){}" and "array a[1];" have more than 8 characters. */
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
    struct parser p;

    memset(out, 0, sizeof *out);
    memset(&p, 0, sizeof p);
    p.script = out;
    p.error = error;
    p.at = text;
    p.line = 1;
    p.name = "";
    if (bytes > SCRIPT_BYTES_MOST)
        fail(&p, "a script has at most %d bytes", SCRIPT_BYTES_MOST);
    else if (!reserve(out, bytes))
        fail(&p, "out of memory");
    p.free_node = out->nodes;
    p.free_name = out->names;
    if (!p.failed)
        parse(&p);
    if (p.failed)
        script_free(out);
    return !p.failed;
}

void script_free(struct script *script)
{
    free(script->nodes);
    free(script->names);
    free(script->functions);
    free(script->arrays);
}
