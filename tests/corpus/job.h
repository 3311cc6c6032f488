/*
 * job.h: one case on its way: what the supervisor asks of the worker processes
 * and what they tell it, in memory that both see.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_JOB_H
#define CORPUS_JOB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* X(name, bit, text): what can come of a repetition, by the words of the cases'
 * classes. */
/* clang-format off */
#define VERDICT_MAP(X)                          \
    X(VERDICT_RETURNED,   0, "returned")        \
    X(VERDICT_ERROR,      1, "error")           \
    X(VERDICT_EXCEPTION,  2, "exception")       \
    X(VERDICT_OVERFLOW,   3, "stack-overflow")  \
    X(VERDICT_WILD,       4, "wild/null")       \
    X(VERDICT_ABORT,      5, "abort")           \
    X(VERDICT_DEADLINE,   6, "deadline")        \
    X(VERDICT_EXIT,       7, "exit")            \
    X(VERDICT_ARITHMETIC, 8, "sigfpe")          \
    X(VERDICT_ILLEGAL,    9, "sigill")          \
    X(VERDICT_OTHER,     10, "another trap")
/* clang-format on */

enum verdict {
#define VERDICT_ENUM(name, bit, text) name = (bit),
    VERDICT_MAP(VERDICT_ENUM)
#undef VERDICT_ENUM
        VERDICTS
};

const char *verdict_text(enum verdict verdict);
/* VERDICTS: there is no such class. */
enum verdict verdict_of_class(const char *class_name);

enum outcome {
    OUTCOME_NONE,     /* the worker is at work, or died                       */
    OUTCOME_DONE,     /* all repetitions are done                             */
    OUTCOME_REPLACE,  /* the worker asks for another one to go on             */
    OUTCOME_GIVEN_UP, /* `trouble` says why                                   */
};

#define WRONG_MOST 3 /* wrong verdicts after which a case is given up */

/* What a process has. */
struct footprint {
    size_t resident;  /* bytes, counted page by page; 0: not measured         */
    size_t anonymous; /* of these, what no file backs: heaps, stacks, variables
                         that were written to                                */
    int descriptors;
};

void footprint_measure(struct footprint *out);

struct job {
    /* Asked. */
    char path[PATH_MAX];
    size_t stack_bytes, guard_bytes;
    unsigned repetitions, phases;
    unsigned deadline_ms;  /* of the first repetition                        */
    enum verdict expected; /* VERDICTS: any                                  */
    bool verbose;

    /* Told; each repetition goes on from what the ones before have told. */
    unsigned done; /* repetitions                                   */
    unsigned tally[VERDICTS];
    unsigned late;  /* verdicts that are a deadline though none was expected */
    unsigned wrong; /* verdicts other than expected                  */
    unsigned limit_ms;     /* deadline from the second repetition on        */
    enum outcome outcome;  /* of the present worker                         */
    unsigned beat;         /* changes while there is progress               */
    char step[64];         /* what the worker is at                         */
    char trouble[128];     /* why the case does not hold                    */
    char replaced_for[64]; /* the last reason for OUTCOME_REPLACE           */
    unsigned held_locks;   /* repetitions that left a lock held             */
    struct footprint warm, end;

    /* Told by the supervisor. */
    unsigned workers;
};

/* A case that is linked into the program, or the functions of one that was
 * loaded. */
struct case_functions {
    int (*setup)(long);
    int (*run)(void);
    void (*teardown)(void); /* may be NULL */
};

/* The whole life of a worker process; does not return. `linked` is NULL or what
 * job->path, the program itself, has in it. */
_Noreturn void worker_run(struct job *job, const struct case_functions *linked);

/* Whatever is still to come, the case does not hold. What runs on garbage, or
 * on a machine that is too busy, passes its deadline now and then instead of
 * faulting: twice, or once in a hundred repetitions. */
bool job_is_lost(const struct job *job);

/* Has job->path run by as many workers as it takes. Where it took more than
 * one, `warm` and `end` are this process': it is the one that must not grow. */
void supervise(struct job *job);

#endif
