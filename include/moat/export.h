/*
 * export.h: the attributes of public declarations, and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_EXPORT_H
#define MOAT_EXPORT_H

/* The library is built with -fvisibility=hidden and exports what carries
 * MOAT_API. engine/moat.map lists the same names. */
#define MOAT_API       __attribute__((visibility("default")))
#define MOAT_NODISCARD __attribute__((warn_unused_result))
#define MOAT_NORETURN  __attribute__((noreturn))
#define MOAT_COLD      __attribute__((cold))

/* A function that the library exports and co_inline.h also defines inline. */
#ifdef MOAT_NO_INLINE
#    define MOAT_API_INLINE MOAT_API
#else
#    define MOAT_API_INLINE static inline __attribute__((always_inline))
#endif

#define MOAT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define MOAT_UNLIKELY(x) __builtin_expect(!!(x), 0)

#ifdef __cplusplus
#    define MOAT_BEGIN_DECLS extern "C" {
#    define MOAT_END_DECLS   }
#else
#    define MOAT_BEGIN_DECLS
#    define MOAT_END_DECLS
#endif

#endif
