/*
 * wrap.h: makes a function of the C library's name that runs the C library's
 * own function by a moat_libc_call.
 *
 *     WRAP_2(int, fputs, STREAM(b), const char *, FILE *)
 *
 * defines fputs. The third argument is what is done first for a guest: it names
 * the arguments a, b, ... by their order. WRAPV_2 is the same for a function
 * without a result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_WRAP_H
#define MOAT_MALLOC_WRAP_H

#include <limits.h>

#include "malloc/libc_call.h"
#include "malloc/owner.h"
#include "malloc/real.h"
#include "malloc/touch.h"

/* clang-format off */

/* Steps before the call; see above. */
#define NOTHING            (void)0
#define STREAM(file)       each.call.stream = (file)
#define CLOSES(file)       each.call.stream = (file); each.call.is_closed = true
#define TEXT(text)         (void)moat_touch_text(text)
#define IN(memory)         moat_touch_in(memory, sizeof(__typeof__(*(memory))))
#define OUT(memory)        moat_touch_out(memory, sizeof(__typeof__(*(memory))))
#define IN_N(memory, n)    moat_touch_in(memory, n)
#define OUT_N(memory, n)   moat_touch_out(memory, n)

/* For a name that the C library copies to the stack, which is the host's. None of
 * its names is longer than that of a file. */
#define NAME(text, if_longer)                                                 \
    if (moat_touch_text(text) >= PATH_MAX)                                    \
        return if_longer

/* Where NULL means something to the function. */
#define NULL_OR(look, argument)                                               \
    if (!moat_touch_is_null(argument)) look(argument)
#define NULL_OR_N(look, argument, n)                                          \
    if (!moat_touch_is_null(argument)) look(argument, n)

/* The parameters of a function, by their number and then their types: as
 * fields, as initialisers of these, as parameters, as types, and as what is
 * passed. */
#define FIELDS_0(...)
#define FIELDS_1(A)                      A a;
#define FIELDS_2(A, B)                   FIELDS_1(A) B b;
#define FIELDS_3(A, B, C)                FIELDS_2(A, B) C c;
#define FIELDS_4(A, B, C, D)             FIELDS_3(A, B, C) D d;
#define FIELDS_5(A, B, C, D, E)          FIELDS_4(A, B, C, D) E e;
#define FIELDS_6(A, B, C, D, E, F)       FIELDS_5(A, B, C, D, E) F f;
#define FIELDS_7(A, B, C, D, E, F, G)    FIELDS_6(A, B, C, D, E, F) G g;
#define FIELDS_8(A, B, C, D, E, F, G, H) FIELDS_7(A, B, C, D, E, F, G) H h;
#define FIELDS_9(A, B, C, D, E, F, G, H, I)                                   \
    FIELDS_8(A, B, C, D, E, F, G, H) I i;
#define FIELDS_10(A, B, C, D, E, F, G, H, I, J)                               \
    FIELDS_9(A, B, C, D, E, F, G, H, I) J j;

#define VALUES_0
#define VALUES_1 , .a = a
#define VALUES_2 VALUES_1, .b = b
#define VALUES_3 VALUES_2, .c = c
#define VALUES_4 VALUES_3, .d = d
#define VALUES_5 VALUES_4, .e = e
#define VALUES_6 VALUES_5, .f = f
#define VALUES_7 VALUES_6, .g = g
#define VALUES_8 VALUES_7, .h = h
#define VALUES_9 VALUES_8, .i = i
#define VALUES_10 VALUES_9, .j = j

#define PARAMETERS_0(...)                    void
#define PARAMETERS_1(A)                      A a
#define PARAMETERS_2(A, B)                   A a, B b
#define PARAMETERS_3(A, B, C)                A a, B b, C c
#define PARAMETERS_4(A, B, C, D)             A a, B b, C c, D d
#define PARAMETERS_5(A, B, C, D, E)          A a, B b, C c, D d, E e
#define PARAMETERS_6(A, B, C, D, E, F)       A a, B b, C c, D d, E e, F f
#define PARAMETERS_7(A, B, C, D, E, F, G)    A a, B b, C c, D d, E e, F f, G g
#define PARAMETERS_8(A, B, C, D, E, F, G, H)                                  \
    A a, B b, C c, D d, E e, F f, G g, H h
#define PARAMETERS_9(A, B, C, D, E, F, G, H, I)                               \
    PARAMETERS_8(A, B, C, D, E, F, G, H), I i
#define PARAMETERS_10(A, B, C, D, E, F, G, H, I, J)                           \
    PARAMETERS_9(A, B, C, D, E, F, G, H, I), J j

#define PASSED_0
#define PASSED_1 each->a
#define PASSED_2 PASSED_1, each->b
#define PASSED_3 PASSED_2, each->c
#define PASSED_4 PASSED_3, each->d
#define PASSED_5 PASSED_4, each->e
#define PASSED_6 PASSED_5, each->f
#define PASSED_7 PASSED_6, each->g
#define PASSED_8 PASSED_7, each->h
#define PASSED_9 PASSED_8, each->i
#define PASSED_10 PASSED_9, each->j

/* `field` is the result's, `store` what is done with the result, and `give` is
 * returned. */
#define WRAP(result, name, first, field, store, give, count, ...)             \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        field                                                                 \
        FIELDS_##count(__VA_ARGS__)                                           \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                                       \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(PARAMETERS_##count(__VA_ARGS__));                  \
                                                                              \
        (void)each;                                                           \
        moat_real_get(&real, &function);                                      \
        store function(PASSED_##count);                                       \
    }                                                                         \
    MOAT_API result name(PARAMETERS_##count(__VA_ARGS__))                     \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}                \
                                   VALUES_##count};                           \
                                                                              \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return give;                                                          \
    }

#define WRAP_RESULT(result, name, first, ...)                                 \
    WRAP(result, name, first, result out;, each->out =, each.out, __VA_ARGS__)
#define WRAP_0(result, name, first) WRAP_RESULT(result, name, first, 0, )
#define WRAP_1(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 1, __VA_ARGS__)
#define WRAP_2(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 2, __VA_ARGS__)
#define WRAP_3(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 3, __VA_ARGS__)
#define WRAP_4(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 4, __VA_ARGS__)
#define WRAP_5(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 5, __VA_ARGS__)
#define WRAP_6(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 6, __VA_ARGS__)
#define WRAP_7(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 7, __VA_ARGS__)
#define WRAP_8(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 8, __VA_ARGS__)
#define WRAP_9(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 9, __VA_ARGS__)
#define WRAP_10(result, name, first, ...) \
    WRAP_RESULT(result, name, first, 10, __VA_ARGS__)

#define WRAPV_0(name, first)      WRAP(void, name, first, , , , 0, )
#define WRAPV_1(name, first, ...) WRAP(void, name, first, , , , 1, __VA_ARGS__)
#define WRAPV_2(name, first, ...) WRAP(void, name, first, , , , 2, __VA_ARGS__)
#define WRAPV_3(name, first, ...) WRAP(void, name, first, , , , 3, __VA_ARGS__)
#define WRAPV_4(name, first, ...) WRAP(void, name, first, , , , 4, __VA_ARGS__)

/* clang-format on */

#endif
