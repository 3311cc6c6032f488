/*
 * ast.h: the syntax tree of a script in the language Ditch.
 *
 * All values are 64-bit integers that wrap around. A local variable is a slot
 * number. Parameters come first; a variable's slot is the number of variables
 * in scope at its declaration.
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
    NODE_CALL,    /* callee(kid 0, kid 0's next, ...)               */
    NODE_YIELD,   /* yields kid 0; the value is the next input      */
    NODE_START,   /* NODE_CALL as a generator; its number           */
    NODE_NEXT,    /* resumes generator kid 0 with kid 1 or NULL;
                     1: it yielded, 0: it returned                  */
    NODE_VALUE,   /* the last value of generator kid 0              */
    NODE_NEGATE,
    NODE_NOT,
    NODE_AND, /* skips kid 1 if kid 0 decides; 0 or 1 */
    NODE_OR,
    NODE_ADD,
    NODE_SUBTRACT,
    NODE_MULTIPLY,
    NODE_DIVIDE,    /* truncates; x / 0 and the minimum / -1 fault */
    NODE_REMAINDER, /* faults likewise                             */
    NODE_EQUAL,     /* 0 or 1, like the rest of the comparisons    */
    NODE_UNEQUAL,
    NODE_LESS,
    NODE_LESS_EQUAL,
    NODE_GREATER,
    NODE_GREATER_EQUAL,
    /* Statements; an expression is a statement, too */
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
    int64_t *elements; /* compiled code has this address */
};

struct function {
    const char *name;
    int line;
    unsigned parameters;
    bool started;      /* some "start" makes it a generator */
    struct node *body; /* a block; returns 0 at its end     */
};

struct node {
    enum node_kind kind;
    int line;
    unsigned height; /* of the subtree; its bound limits recursion */
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
    struct function *main; /* in functions; has 0 or 1 parameters */
    struct node *nodes;    /* memory that the trees point into    */
    char *names;
};

#endif
