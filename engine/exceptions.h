/*
 * exceptions.h: the C++ runtime's count of exceptions in flight.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_EXCEPTIONS_H
#define MOAT_ENGINE_EXCEPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <unwind.h>

/* The runtime's words of a thread: a list of the exceptions that are being
 * handled, innermost first, and the number of those in flight. */
struct moat_exceptions {
    void *caught;
    unsigned uncaught;
};

/* Returns whether there is a runtime. */
bool moat_exceptions_exist(void);

/* Reads or writes the words of this thread, if there is a runtime. */
void moat_exceptions_get(struct moat_exceptions *out);
void moat_exceptions_set(const struct moat_exceptions *words);

/* The number of exceptions that the runtime takes to be in flight on this
 * thread. */
unsigned moat_exceptions_uncaught(void);
void moat_exceptions_set_uncaught(unsigned count);

/* Returns whether exceptions of that class are C++'s; libstdc++'s. */
bool moat_exceptions_are_cxx(uint64_t exception_class);
bool moat_exceptions_are_gnu(uint64_t exception_class);

/* An exception has ended at a root frame. */
void moat_exceptions_landed(const struct _Unwind_Exception *exception);

#endif
