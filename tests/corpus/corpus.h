/*
 * corpus.h: the runner as a whole: a library, for cases that can only be linked
 * statically need a program of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_H
#define CORPUS_H

struct case_functions;

/* Between the supervisor and its workers: the first argument of one, and the
 * descriptor of its job. */
#define CORPUS_WORKER "--worker"
#define CORPUS_JOB_FD 3

/* main of such a program. `linked`: the case in it, NULL: none. */
int corpus_main(int argc, char **argv, const struct case_functions *linked);

#endif
