/*
 * parser.h: the interface between the parts of the parser.
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
    struct node *calls; /* to be linked; a list by kid 1 */
    const char *locals[MAX_LOCALS];
    unsigned local_count;
    unsigned depth;
};

struct node *tree_make(struct parser *p, enum node_kind kind, int line,
                       struct node *first, struct node *second);
/* Updates a node's height after it got a kid, or a list of them. */
void tree_grow(struct parser *p, struct node *node, const struct node *kid);

/* Both return NULL if there is none. */
struct array *tree_find_array(const struct parser *p, const char *name);
struct function *tree_find_function(const struct script *script,
                                    const char *name);

/* Local variables. An inner declaration hides outer ones of the same name. */
void tree_declare(struct parser *p, const char *name);
unsigned tree_find_local(struct parser *p, const char *name);

/* A call's `value` is its callee's name, and kid 1 the next call, until the end
 * of the script links them. */
struct node *parse_expression(struct parser *p);

#endif
