/*
 * tree.c: nodes of the tree, and the lookup of names.
 *
 * SPDX-License-Identifier: MIT
 */
#include "parser.h"

#include <string.h>

void tree_grow(struct parser *p, struct node *node, const struct node *kid)
{
    for (; kid != NULL && !p->lexer.failed; kid = kid->next)
        if (node->height <= kid->height)
            node->height = kid->height + 1;
    if (node->height > MAX_HEIGHT)
        lexer_fail(&p->lexer, "nested too deeply");
}

struct node *tree_make(struct parser *p, enum node_kind kind, int line,
                       struct node *first, struct node *second)
{
    /* After an error all further nodes share one. */
    struct node *node = p->free_node;

    if (!p->lexer.failed)
        p->free_node++;
    memset(node, 0, sizeof *node);
    node->kind = kind;
    node->line = line;
    node->kids[0] = first;
    node->kids[1] = second;
    tree_grow(p, node, first);
    tree_grow(p, node, second);
    return node;
}

struct array *tree_find_array(const struct parser *p, const char *name)
{
    for (unsigned i = 0; i < p->script->array_count; i++)
        if (strcmp(p->script->arrays[i].name, name) == 0)
            return &p->script->arrays[i];
    return NULL;
}

struct function *tree_find_function(const struct script *script,
                                    const char *name)
{
    for (unsigned i = 0; i < script->function_count; i++)
        if (strcmp(script->functions[i].name, name) == 0)
            return &script->functions[i];
    return NULL;
}

void tree_declare(struct parser *p, const char *name)
{
    if (p->local_count == MAX_LOCALS)
        lexer_fail(&p->lexer, "more than %d variables", MAX_LOCALS);
    else
        p->locals[p->local_count++] = name;
}

unsigned tree_find_local(struct parser *p, const char *name)
{
    for (unsigned slot = p->local_count; slot-- > 0;)
        if (strcmp(p->locals[slot], name) == 0)
            return slot;
    lexer_fail(&p->lexer, "'%.40s' is not declared", name);
    return 0;
}
