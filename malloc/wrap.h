/*
 * wrap.h: makes a function of the C library's name that runs the C library's
 * own function by a moat_libc_call.
 *
 *     WRAP_2(int, fputs, STREAM(b), const char *, FILE *)
 *
 * defines fputs. The third argument is what is done first for a guest: it names
 * the arguments a, b, ... by their order.
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
#define CLOSES(file)       each.call.stream = (file), each.call.is_closed = true
#define TEXT(text)         (void)moat_touch_text(text)
#define IN(memory)         moat_touch_in(memory, sizeof(__typeof__(*(memory))))
#define OUT(memory)        moat_touch_out(memory, sizeof(__typeof__(*(memory))))
#define IN_N(memory, n)    moat_touch_in(memory, n)
#define OUT_N(memory, n)   moat_touch_out(memory, n)

/* What the C library copies to the stack, which is the host's. None of its names
 * is longer than that of a file. */
#define NAME(text, if_longer)                                                 \
    if (moat_touch_text(text) >= PATH_MAX)                                    \
        return if_longer

/* Where NULL means something to the function. */
#define NULL_OR(look, argument)                                               \
    if (!moat_touch_is_null(argument)) look(argument)
#define NULL_OR_N(look, argument, n)                                          \
    if (!moat_touch_is_null(argument)) look(argument, n)

#define WRAP_0(result, name, first)                                           \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(void);                                             \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function();                                               \
    }                                                                         \
    MOAT_API result name(void)                                                \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAP_1(result, name, first, Ta)                                       \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
        Ta a;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(Ta);                                               \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function(each->a);                                        \
    }                                                                         \
    MOAT_API result name(Ta a)                                                \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAP_2(result, name, first, Ta, Tb)                                   \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(Ta, Tb);                                           \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function(each->a, each->b);                               \
    }                                                                         \
    MOAT_API result name(Ta a, Tb b)                                          \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAP_3(result, name, first, Ta, Tb, Tc)                               \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
        Tc c;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(Ta, Tb, Tc);                                       \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function(each->a, each->b, each->c);                      \
    }                                                                         \
    MOAT_API result name(Ta a, Tb b, Tc c)                                    \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        each.c = c;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAP_4(result, name, first, Ta, Tb, Tc, Td)                           \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
        Tc c;                                                                 \
        Td d;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(Ta, Tb, Tc, Td);                                   \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function(each->a, each->b, each->c, each->d);             \
    }                                                                         \
    MOAT_API result name(Ta a, Tb b, Tc c, Td d)                              \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        each.c = c;                                                           \
        each.d = d;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAP_5(result, name, first, Ta, Tb, Tc, Td, Te)                       \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
        Tc c;                                                                 \
        Td d;                                                                 \
        Te e;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(Ta, Tb, Tc, Td, Te);                               \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function(each->a, each->b, each->c,                       \
                             each->d, each->e);                               \
    }                                                                         \
    MOAT_API result name(Ta a, Tb b, Tc c, Td d, Te e)                        \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        each.c = c;                                                           \
        each.d = d;                                                           \
        each.e = e;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAP_6(result, name, first, Ta, Tb, Tc, Td, Te, Tf)                   \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
        Tc c;                                                                 \
        Td d;                                                                 \
        Te e;                                                                 \
        Tf f;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(Ta, Tb, Tc, Td, Te, Tf);                           \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function(each->a, each->b, each->c, each->d,              \
                             each->e, each->f);                               \
    }                                                                         \
    MOAT_API result name(Ta a, Tb b, Tc c, Td d, Te e, Tf f)                  \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        each.c = c;                                                           \
        each.d = d;                                                           \
        each.e = e;                                                           \
        each.f = f;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAP_7(result, name, first, Ta, Tb, Tc, Td, Te, Tf, Tg)               \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
        Tc c;                                                                 \
        Td d;                                                                 \
        Te e;                                                                 \
        Tf f;                                                                 \
        Tg g;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(Ta, Tb, Tc, Td, Te, Tf, Tg);                       \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function(each->a, each->b, each->c, each->d,              \
                             each->e, each->f, each->g);                      \
    }                                                                         \
    MOAT_API result name(Ta a, Tb b, Tc c, Td d, Te e, Tf f, Tg g)            \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        each.c = c;                                                           \
        each.d = d;                                                           \
        each.e = e;                                                           \
        each.f = f;                                                           \
        each.g = g;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAP_8(result, name, first, Ta, Tb, Tc, Td, Te, Tf, Tg, Th)           \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        result out;                                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
        Tc c;                                                                 \
        Td d;                                                                 \
        Te e;                                                                 \
        Tf f;                                                                 \
        Tg g;                                                                 \
        Th h;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        result (*function)(Ta, Tb, Tc, Td, Te, Tf, Tg, Th);                   \
                                                                              \
        moat_real_get(&real, &function);                                      \
        each->out = function(each->a, each->b, each->c, each->d, each->e,     \
                             each->f, each->g, each->h);                      \
    }                                                                         \
    MOAT_API result name(Ta a, Tb b, Tc c, Td d, Te e, Tf f, Tg g, Th h)      \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        each.c = c;                                                           \
        each.d = d;                                                           \
        each.e = e;                                                           \
        each.f = f;                                                           \
        each.g = g;                                                           \
        each.h = h;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
        return each.out;                                                      \
    }

#define WRAPV_0(name, first)                                                  \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        void (*function)(void);                                               \
                                                                              \
        (void)call;                                                           \
        moat_real_get(&real, &function);                                      \
        function();                                                           \
    }                                                                         \
    MOAT_API void name(void)                                                  \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
    }

#define WRAPV_1(name, first, Ta)                                              \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        Ta a;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        void (*function)(Ta);                                                 \
                                                                              \
        moat_real_get(&real, &function);                                      \
        function(each->a);                                                    \
    }                                                                         \
    MOAT_API void name(Ta a)                                                  \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
    }

#define WRAPV_2(name, first, Ta, Tb)                                          \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        void (*function)(Ta, Tb);                                             \
                                                                              \
        moat_real_get(&real, &function);                                      \
        function(each->a, each->b);                                           \
    }                                                                         \
    MOAT_API void name(Ta a, Tb b)                                            \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
    }

#define WRAPV_3(name, first, Ta, Tb, Tc)                                      \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
        Tc c;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        void (*function)(Ta, Tb, Tc);                                         \
                                                                              \
        moat_real_get(&real, &function);                                      \
        function(each->a, each->b, each->c);                                  \
    }                                                                         \
    MOAT_API void name(Ta a, Tb b, Tc c)                                      \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        each.c = c;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
    }

#define WRAPV_4(name, first, Ta, Tb, Tc, Td)                                  \
    struct name##_call {                                                      \
        struct moat_libc_call call;                                           \
        Ta a;                                                                 \
        Tb b;                                                                 \
        Tc c;                                                                 \
        Td d;                                                                 \
    };                                                                        \
    static void name##_run(struct moat_libc_call *call)                       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        struct name##_call *each = (struct name##_call *)call;                \
        void (*function)(Ta, Tb, Tc, Td);                                     \
                                                                              \
        moat_real_get(&real, &function);                                      \
        function(each->a, each->b, each->c, each->d);                         \
    }                                                                         \
    MOAT_API void name(Ta a, Tb b, Tc c, Td d)                                \
    {                                                                         \
        struct name##_call each = {.call = {.run = name##_run}};              \
                                                                              \
        each.a = a;                                                           \
        each.b = b;                                                           \
        each.c = c;                                                           \
        each.d = d;                                                           \
        if (!moat_malloc_on_host()) {                                         \
            first;                                                            \
        }                                                                     \
        moat_libc_call(&each.call);                                           \
    }

/* clang-format on */

#endif
