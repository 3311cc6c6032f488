/*
 * target.h: a fuzz target, and how it reports what it has found.
 *
 * A target is one function, which libFuzzer calls with ever new inputs, and
 * replay.c with those of a folder.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* The name is libFuzzer's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Notes who receives SIGABRT; to be called before moat is armed. */
void target_begin(void);

/* Prints what is wrong and ends the process by SIGABRT, as a failed assertion
 * does. A guest's abort would be a trap, so moat's handler is removed first. */
_Noreturn void target_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#define TARGET_CHECK(condition)                                               \
    do {                                                                      \
        if (!(condition))                                                     \
            target_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition); \
    } while (0)

#endif
