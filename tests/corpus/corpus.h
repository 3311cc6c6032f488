/*
 * corpus.h: the runner as a library, because a case that can only be linked
 * statically needs a program of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_H
#define CORPUS_H

struct case_functions;

/* How the supervisor starts a worker: its first argument, and the descriptor of
 * its job. */
#define CORPUS_WORKER "--worker"
#define CORPUS_JOB_FD 3

/* main of such a program. `linked` is the case in it, or NULL. */
int corpus_main(int argc, char **argv, const struct case_functions *linked);

#endif
