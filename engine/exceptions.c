/*
 * exceptions.c: the C++ runtime's words of exceptions on a thread: exchanged
 * where a guest is preempted, corrected where one ends with an exception in
 * flight.
 *
 * The runtime is a weak symbol: a program in C has none.
 *
 * Source: the C++ ABI for Itanium, Exception Handling, 2.2.2 (caught exception
 * stack), whose layout is fixed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/exceptions.h"

#include <stddef.h>
#include <stdint.h>

__attribute__((weak)) struct moat_exceptions *__cxa_get_globals(void);

/* The last byte of a C++ exception class only distinguishes kinds of objects.
 */
#define CLASS_MASK (~UINT64_C(0xff))
#define CLASS_GNU  UINT64_C(0x474e5543432b2b00) /* "GNUCC++" */
#define CLASS_LLVM UINT64_C(0x434c4e47432b2b00) /* "CLNGC++" */

bool moat_exceptions_exist(void)
{
    return __cxa_get_globals != NULL;
}

void moat_exceptions_get(struct moat_exceptions *out)
{
    if (__cxa_get_globals != NULL)
        *out = *__cxa_get_globals();
}

void moat_exceptions_set(const struct moat_exceptions *words)
{
    if (__cxa_get_globals != NULL)
        *__cxa_get_globals() = *words;
}

unsigned moat_exceptions_uncaught(void)
{
    return __cxa_get_globals != NULL ? __cxa_get_globals()->uncaught : 0;
}

void moat_exceptions_set_uncaught(unsigned count)
{
    if (__cxa_get_globals != NULL)
        __cxa_get_globals()->uncaught = count;
}

bool moat_exceptions_are_gnu(uint64_t exception_class)
{
    return (exception_class & CLASS_MASK) == CLASS_GNU;
}

bool moat_exceptions_are_cxx(uint64_t exception_class)
{
    return moat_exceptions_are_gnu(exception_class) ||
           (exception_class & CLASS_MASK) == CLASS_LLVM;
}

/* The exception is a value of the event now, and no longer in flight. */
void moat_exceptions_landed(const struct _Unwind_Exception *exception)
{
    unsigned count = moat_exceptions_uncaught();

    if (count > 0 && moat_exceptions_are_cxx(exception->exception_class))
        moat_exceptions_set_uncaught(count - 1);
}
