/*
 * parser.h: what the parts of the parser share: the tree's nodes and names
 * (tree.c) and expressions (parse_expression.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_PARSER_H
#define DITCH_PARSER_H

#include "ast.h"
#include "lexer.h"

struct parser {
    struct lexer lexer;
    struct script *script;
    struct node *free_node;
    struct node *calls; /* whose callee is not known yet, by kid 1 */
    const char *locals[LOCALS_MOST];
    unsigned local_count;
    unsigned depth;
};

struct node *tree_make(struct parser *p, enum node_kind kind, int line,
                       struct node *first, struct node *second);
/* The node has got another kid, or several. */
void tree_grow(struct parser *p, struct node *node, const struct node *kid);

/* NULL: there is none. */
struct array *tree_find_array(const struct parser *p, const char *name);
struct function *tree_find_function(const struct script *script,
                                    const char *name);

/* A local variable; of equal names the innermost is found. */
void tree_declare(struct parser *p, const char *name);
unsigned tree_find_local(struct parser *p, const char *name);

/* The callees of calls are names until the script's end: `value` is the name,
 * and kid 1 the next call. */
struct node *parse_expression(struct parser *p);

#endif
