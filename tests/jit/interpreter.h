/*
 * interpreter.h: what a script of the language Ditch does, by a walk over its
 * tree: what compiled code is compared with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_JIT_INTERPRETER_H
#define TESTS_JIT_INTERPRETER_H

#include <stddef.h>
#include <stdint.h>

#include "examples/jit/ast.h"

#define TRACE_MOST  2000
#define YIELDS_MOST 100

enum outcome {
    OUTCOME_RETURNED,
    OUTCOME_ARITHMETIC, /* a trap; in `line`                 */
    OUTCOME_MEMORY,
    OUTCOME_ERROR,     /* of a generator's number or state         */
    OUTCOME_ABANDONED, /* after YIELDS_MOST values           */
    OUTCOME_RUNAWAY,   /* used up what the interpreter gives */
    OUTCOMES
};

/* What a script shows to its host. */
struct trace {
    struct {
        char kind; /* 'p': has printed, 'y': has yielded */
        int64_t value;
    } events[TRACE_MOST];
    size_t count;
    int yields;
    enum outcome outcome;
    int64_t value; /* OUTCOME_RETURNED */
    int line;
};

/* What the host answers to the number-th yield; 0: what main is given. */
int64_t trace_input(int number);
/* False: there is no more room. */
_Bool trace_add(struct trace *trace, char kind, int64_t value);

void interpret(const struct script *script, struct trace *out);

#endif
