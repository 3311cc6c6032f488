/*
 * traces.h: work of libraries that allocate much, with any allocator.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TRACES_H
#define BENCH_TRACES_H

#include <stddef.h>

/* The functions that the libraries allocate with. */
struct trace_allocator {
    void *(*take)(size_t bytes);
    void *(*resize)(void *block, size_t bytes);
    void (*give_back)(void *block);
    /* The hooks of interpreters, with their first argument. NULL: made of the
     * functions above. */
    void *arg;
    void *(*lua)(void *arg, void *block, size_t had, size_t bytes);
    void *(*duk_take)(void *arg, size_t bytes);
    void *(*duk_resize)(void *arg, void *block, size_t bytes);
    void (*duk_give_back)(void *arg, void *block);
};

/* A trace: does its work once. */
struct trace {
    const char *name;
    void (*run)(const struct trace_allocator *allocator);
};

extern const struct trace traces[];
extern const size_t trace_count;

/* Makes the texts that are parsed, or frees them. The factor multiplies the
 * operations. */
void traces_begin(double factor);
void traces_end(void);

#endif
