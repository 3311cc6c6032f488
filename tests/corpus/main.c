/*
 * main.c: the program corpus. Linked with a case's object file, it is a program
 * for that case only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

#include "corpus.h"
#include "job.h"

int hcase_setup(long n) __attribute__((weak));
int hcase_run(void) __attribute__((weak));
void hcase_teardown(void) __attribute__((weak));

int main(int argc, char **argv)
{
    struct case_functions linked = {hcase_setup, hcase_run, hcase_teardown};

    return corpus_main(argc, argv, linked.run != NULL ? &linked : NULL);
}
