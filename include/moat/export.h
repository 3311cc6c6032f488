/*
 * export.h: the attributes of public declarations. Nothing else lives here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_EXPORT_H
#define MOAT_EXPORT_H

/* The library is built with -fvisibility=hidden; what carries MOAT_API leaves
 * it, and engine/moat.map lists the same names once more. */
#define MOAT_API       __attribute__((visibility("default")))
#define MOAT_NODISCARD __attribute__((warn_unused_result))
#define MOAT_NORETURN  __attribute__((noreturn))
#define MOAT_COLD      __attribute__((cold))

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
