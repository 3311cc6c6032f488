/*
 * chain.h: chains of program counters, the unwinders that fill them, and checks
 * of their content.
 *
 * Every unwinder found on the machine is tried: one may fail at a border that
 * another crosses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNWIND_CHAIN_H
#define TESTS_UNWIND_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <moat/moat.h>

#include "tests/support/frame.h"

#define CHAIN_MAX 4096

#if defined(__SANITIZE_ADDRESS__)
#    define UNDER_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define UNDER_ASAN 1
#    endif
#endif
#ifndef UNDER_ASAN
#    define UNDER_ASAN 0
#endif

struct chain {
    size_t count;
    uintptr_t pc[CHAIN_MAX];
};

/* Walks from the caller. The chain may begin with frames of the unwinder. */
typedef void (*chain_walk)(struct chain *out);

struct chain_walker {
    const char *name;
    chain_walk walk;
};

/* All walkers; the last has a NULL name. */
extern const struct chain_walker chain_walkers[];

/* Returns the name of the function that contains a return address, or "?" if it
 * has no dynamic symbol. */
const char *chain_name(uintptr_t pc);

/*
 * Compares a chain with names, innermost first, up to a NULL. "*" stands for
 * one frame of any name: the root of a coroutine. Frames before the first name
 * and after the last are ignored. Prints both if they differ.
 */
bool chain_matches(const char *what, const struct chain *chain,
                   const char *const *names);

/* Copies moat's frames, starting at number `first`. */
void chain_from_frames(struct chain *out, const moat_frame *frames,
                       size_t count, size_t first);

/*
 * Returns whether the address is in the library, other than in a root. Between
 * a guest and its resumer, only a build with the address sanitizer has such
 * frames: functions of moat report each switch to the sanitizer. Returns false
 * in any other build.
 */
bool chain_is_library(uintptr_t pc);

/* A check that makes the program fail only at its end. */
#define CHECK(condition) \
    chain_check((condition), #condition, __FILE__, __LINE__)

bool chain_check(bool holds, const char *what, const char *file, int line);

/* Returns main's result: 1 if a check failed. */
int chain_result(void);

#endif
