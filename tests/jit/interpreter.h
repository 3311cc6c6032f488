/*
 * interpreter.h: an interpreter of the language Ditch that walks the tree.
 * Compiled code is compared with it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_JIT_INTERPRETER_H
#define TESTS_JIT_INTERPRETER_H

#include <stddef.h>
#include <stdint.h>

#include "examples/jit/ast.h"

#define MAX_TRACE  2000
#define MAX_YIELDS 100

enum outcome {
    OUTCOME_RETURNED,
    OUTCOME_ARITHMETIC, /* a trap; `line` has its line */
    OUTCOME_MEMORY,
    OUTCOME_ERROR,     /* an invalid generator number or state */
    OUTCOME_ABANDONED, /* after MAX_YIELDS values */
    OUTCOME_RUNAWAY,   /* exceeded the interpreter's limits */
    OUTCOMES
};

/* The effects of a script that its host can see. */
struct trace {
    struct {
        char kind; /* 'p': printed, 'y': yielded */
        int64_t value;
    } events[MAX_TRACE];
    size_t count;
    int yields;
    enum outcome outcome;
    int64_t value; /* of OUTCOME_RETURNED */
    int line;
};

/* Returns the host's answer to a yield with that number; 0 is main's
 * argument. */
int64_t trace_input(int number);
/* Returns false if the trace is full. */
_Bool trace_add(struct trace *trace, char kind, int64_t value);

void interpret(const struct script *script, struct trace *out);

#endif
