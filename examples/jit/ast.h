/*
 * ast.h: a script of the language Ditch, as the parser has understood it.
 *
 * All values are 64-bit integers that wrap around. A local variable is known by
 * its slot: the parameters come first, and a variable's slot is how many others
 * are in scope where it is declared.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_AST_H
#define DITCH_AST_H

#include <stdbool.h>
#include <stdint.h>

enum node_kind {
    /* Expressions */
    NODE_NUMBER,  /* value                                          */
    NODE_LOCAL,   /* slot                                           */
    NODE_ELEMENT, /* array[kid 0]: its low 32 bits, without a sign  */
    NODE_CALL,    /* callee(kid 0, the next of that, ...)           */
    NODE_YIELD,   /* of kid 0; the value is the next input          */
    NODE_START,   /* as NODE_CALL, as a generator: its number       */
    NODE_NEXT,    /* generator in kid 0, its input in kid 1 or NULL;
                     1: it has yielded, 0: it has returned          */
    NODE_VALUE,   /* what generator kid 0 has given last            */
    NODE_NEGATE,
    NODE_NOT,
    NODE_AND, /* kid 1 is not asked where kid 0 decides; 0 or 1 */
    NODE_OR,
    NODE_ADD,
    NODE_SUBTRACT,
    NODE_MULTIPLY,
    NODE_DIVIDE,    /* towards zero; by zero, and of the smallest number by */
    NODE_REMAINDER, /* -1: an arithmetic fault                              */
    NODE_EQUAL,     /* 0 or 1, as the following                             */
    NODE_UNEQUAL,
    NODE_LESS,
    NODE_LESS_EQUAL,
    NODE_GREATER,
    NODE_GREATER_EQUAL,
    /* Statements; an expression is one, too */
    NODE_LET,   /* a new local in `slot`, set to kid 0        */
    NODE_SET,   /* the local in `slot`, to kid 0              */
    NODE_STORE, /* array[kid 0] = kid 1, evaluated in this order */
    NODE_PRINT, /* kid 0                                      */
    NODE_RETURN,
    NODE_IF,    /* kid 0: condition; 1: block; 2: else, or NULL   */
    NODE_WHILE, /* kid 0: condition; 1: block                     */
    NODE_BLOCK  /* kid 0: its first statement, or NULL            */
};

struct array {
    const char *name;
    uint32_t count;
    int64_t *elements; /* where compiled code finds them */
};

struct function {
    const char *name;
    int line;
    unsigned parameters;
    bool started;      /* as a generator, at some place                */
    struct node *body; /* a block; a function without a return gives 0 */
};

struct node {
    enum node_kind kind;
    int line;
    unsigned height; /* of the tree below; bounded, so recursion over it is */
    union {
        int64_t value;
        unsigned slot;
        struct array *array;
        struct function *callee;
    };
    struct node *kids[3];
    struct node *next; /* statement or argument */
};

struct script {
    struct function *functions;
    unsigned function_count;
    struct array *arrays;
    unsigned array_count;
    struct function *main; /* one of them; takes no or one parameter */
    struct node *nodes;    /* memory that the above points to        */
    char *names;
};

#endif
