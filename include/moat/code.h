/*
 * code.h: code that no file holds: what a JIT compiler has made, or a library
 * that the host wants told apart.
 *
 * Registered code has a name in backtraces and reports, its frames are marked
 * MOAT_FRAME_JIT, and moat's backtraces cross them as they are described here.
 * A coroutine with the policy MOAT_CO_RECOVER_CODE is trapped nowhere else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CODE_H
#define MOAT_CODE_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

/* How a frame of the code leads to its caller's, wherever it calls or faults.
 * Callee-saved registers that the code has changed are lost to the walk. */
typedef enum moat_code_unwind {
    MOAT_CODE_UNWIND_NONE = 0, /* not known: a walk guesses what is behind it */
    MOAT_CODE_UNWIND_FP = 1,   /* the frame pointer leads to a frame record:
                                  the caller's and the return address         */
    MOAT_CODE_UNWIND_FIXED = 2, /* the return address is `frame_bytes` above the
                                   stack pointer; the frame pointer is the
                                   caller's */
    MOAT_CODE_UNWIND_FORCE_INT = 0x7fffffff
} moat_code_unwind;

typedef struct moat_code {
    size_t struct_size; /* sizeof(moat_code); MOAT_CODE_INIT sets it         */
    const void *start;  /* first byte                                        */
    size_t size;        /* in bytes, at least one                            */
    const char *name;   /* copied; NULL: the dynamic linker's and the debug
                           information's names, as for code of a file        */
    size_t frame_bytes; /* MOAT_CODE_UNWIND_FIXED: a multiple of 8, less than
                           1 GiB; else 0                                     */
    moat_code_unwind unwind;
    uint32_t flags; /* 0                                                     */
} moat_code;

#define MOAT_CODE_INIT                                          \
    {                                                           \
        sizeof(moat_code), 0, 0, 0, 0, MOAT_CODE_UNWIND_NONE, 0 \
    }

/* Names a registration; never used twice in a process. 0: none. */
typedef uint64_t moat_code_id;

MOAT_BEGIN_DECLS

/**
 * Registers a range of code, before it runs. Initialises the engine with all
 * defaults if nobody did. The memory is the caller's: moat never reads it. It
 * stays registered over a moat_engine_shutdown. With MOAT_PERF_MAP=1 in the
 * environment its name goes to /tmp/perf-PID.map, for the profiler perf.
 *
 * @param code      copied, its name too
 * @param[out] out  for moat_code_unregister; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL    NULL arguments or start; a size of 0; a range that
 *                         is not in one piece of addressable memory; an
 *                         unknown flag or way of unwinding; frame_bytes that
 *                         do not go with it
 *         MOAT_E_OVERLAP  a part of it is registered
 *         MOAT_E_STATE    called from a fault region's `fix`
 *         MOAT_E_LIMIT    too little stack left (on a guest's stack)
 *         MOAT_E_NOMEM    and what moat_engine_init returns
 *
 * Thread-safety: any. Signal-safety: no.
 * Cost:          about the same for the first and the ten thousandth; while
 *                many threads trap, some tens of microseconds more
 */
MOAT_API MOAT_NODISCARD moat_status moat_code_register(const moat_code *code,
                                                       moat_code_id *out);

/**
 * Ends a registration; then the memory may be used for something else. Frames
 * of the code must be gone: later backtraces do not know it.
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  no such registration
 *         MOAT_E_STATE  called from a fault region's `fix`
 *         MOAT_E_LIMIT  too little stack left (on a guest's stack)
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API moat_status moat_code_unregister(moat_code_id id);

MOAT_END_DECLS

#endif
