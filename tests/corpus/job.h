/*
 * job.h: one case while it is run: the supervisor's orders to the workers and
 * their results, in memory that both share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_JOB_H
#define CORPUS_JOB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* X(name, bit, text): the possible results of a repetition, in the words of the
 * cases' classes. */
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
    X(VERDICT_MEMORY,    10, "memory-limit")        \
    X(VERDICT_OTHER,     11, "another trap")
/* clang-format on */

enum verdict {
#define VERDICT_ENUM(name, bit, text) name = (bit),
    VERDICT_MAP(VERDICT_ENUM)
#undef VERDICT_ENUM
        VERDICTS
};

const char *verdict_text(enum verdict verdict);
/* Returns VERDICTS if there is no such class. */
enum verdict verdict_of_class(const char *class_name);

enum outcome {
    OUTCOME_NONE,     /* the worker is running, or died */
    OUTCOME_DONE,     /* all repetitions are done */
    OUTCOME_REPLACE,  /* the worker asks to be replaced */
    OUTCOME_GIVEN_UP, /* `trouble` has the reason */
};

#define MAX_WRONG 3 /* wrong verdicts after which a case is given up */

/* The resources of a process. */
struct footprint {
    size_t resident;  /* bytes, counted page by page; 0: not measured */
    size_t anonymous; /* those without a file: heaps, stacks, written
                       * variables */
    int descriptors;
};

void footprint_measure(struct footprint *out);

struct job {
    /* Set by the supervisor. */
    char path[PATH_MAX];
    size_t stack_bytes, guard_bytes;
    unsigned repetitions, phases;
    unsigned deadline_ms;  /* of the first repetition */
    unsigned hang_seconds; /* without progress, beside the deadlines */
    enum verdict expected; /* VERDICTS: any */
    bool verbose;

    /* Set by the workers; each repetition continues from the results of the
     * previous ones. */
    unsigned done; /* repetitions */
    unsigned tally[VERDICTS];
    unsigned late;         /* unexpected verdicts that are a deadline */
    unsigned wrong;        /* other unexpected verdicts */
    unsigned limit_ms;     /* deadline from the second repetition on */
    enum outcome outcome;  /* of the present worker */
    unsigned beat;         /* changes while there is progress */
    char step[64];         /* the worker's current step */
    char trouble[128];     /* the reason why the case fails */
    char replaced_for[64]; /* the last reason for OUTCOME_REPLACE */
    unsigned held_locks;   /* repetitions that left a lock held */
    char lock[64];         /* the last function that did */
    unsigned turns;        /* times that the repetitions were done again */
    struct footprint warm, end;

    /* Set by the supervisor. */
    unsigned workers;
};

/* A case that is linked into the program, or the functions of one that was
 * loaded. */
struct case_functions {
    int (*setup)(long);
    int (*run)(void);
    void (*teardown)(void); /* may be NULL */
};

/* The life of a worker process; does not return. `linked` is NULL, or the case
 * in job->path, which is this program. */
_Noreturn void worker_run(struct job *job, const struct case_functions *linked);

/* Returns whether the case fails whatever happens in the remaining repetitions.
 * A guest that runs on garbage, or on a busy machine, may now and then exceed
 * its deadline instead of faulting: twice, or once in a hundred repetitions,
 * are allowed. */
bool job_is_lost(const struct job *job);

/* Returns false if there were enough repetitions for memory to be measured, and
 * it was not. */
bool growth_was_measured(const struct job *job);
/* Returns 0.002 for 0.2 %, and 0 if memory was not measured. */
double growth_of(const struct job *job);
bool growth_is_too_much(const struct job *job);

/* Returns where the footprint of this moment is wanted: after the warm-up and
 * after the last repetition; otherwise NULL. */
struct footprint *footprint_due(struct job *job);
/* Lets the repetitions be done again if memory has grown too much. */
void footprint_turn(struct job *job);

/* Runs job->path in as many workers as it needs. If it needed more than one,
 * `warm` and `end` describe the supervisor's process, which must not grow. */
void supervise(struct job *job);

#endif
