/*
 * code.h: code that no file holds: what a JIT compiler has made, or a library
 * that the host wants told apart.
 *
 * Registered code has a name in backtraces and reports, its frames have the
 * flag MOAT_FRAME_JIT in moat_frame (reports do not show it), and moat's
 * backtraces cross them as they are described here. A coroutine with the policy
 * MOAT_CO_RECOVER_CODE is trapped nowhere else.
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
 * But for MOAT_CODE_UNWIND_CFI, callee-saved registers that the code has
 * changed are lost to the walk. */
typedef enum moat_code_unwind {
    MOAT_CODE_UNWIND_NONE = 0, /* not known: a walk guesses what is behind it */
    MOAT_CODE_UNWIND_FP = 1,   /* the frame pointer leads to a frame record:
                                  the caller's and the return address         */
    MOAT_CODE_UNWIND_FIXED = 2, /* the return address is `frame_bytes` above the
                                   stack pointer; the frame pointer is the
                                   caller's */
    MOAT_CODE_UNWIND_CFI = 3,   /* as `eh_frame` describes it        */
    MOAT_CODE_UNWIND_FORCE_INT = 0x7fffffff
} moat_code_unwind;

/* The code from `offset` on, up to the next one's, was made from this line. */
typedef struct moat_code_line {
    uint32_t offset; /* in bytes from the code's start */
    uint32_t line;   /* counted from 1; 0: from none   */
} moat_code_line;

/*
 * `eh_frame` is what a compiler puts into a section .eh_frame (LSB Core 5.0,
 * 10.6; DWARF 4, 6.4): entries one behind the other, CIEs before the FDEs that
 * refer to them, with or without a terminator at the end. It is read where it
 * lies, and moat keeps a copy in which all addresses are absolute.
 *
 * Taken: CIEs of version 1 and 3 with the return address in column 16, and the
 * augmentations "" and "z" followed by any of R, L, P and S; the pointer
 * encodings DW_EH_PE_absptr, udata4, sdata4, udata8 and sdata8, and those of
 * four and eight bytes with DW_EH_PE_pcrel; for L and P DW_EH_PE_omit, too, and
 * DW_EH_PE_indirect for P; a personality routine and LSDAs are the caller's,
 * and stay as long as the code. The code of the FDEs lies within the range;
 * each has some, and no two share any. DW_CFA_set_loc, lengths of 64 bits and
 * instructions that DWARF 4 and GNU do not know are refused.
 */
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
    const char *file; /* of the source; copied; NULL: not known              */
    const moat_code_line *lines; /* copied; offsets ascend, within the code   */
    size_t line_count;           /* 0: not known. Lines need a file           */
    const void *eh_frame;        /* MOAT_CODE_UNWIND_CFI, else NULL; copied   */
    size_t eh_frame_bytes;
} moat_code;

#define MOAT_CODE_INIT                                                         \
    {                                                                          \
        sizeof(moat_code), 0, 0, 0, 0, MOAT_CODE_UNWIND_NONE, 0, 0, 0, 0, 0, 0 \
    }

/* A registration's number; no number is given twice in a process. 0: none. */
typedef uint64_t moat_code_id;

MOAT_BEGIN_DECLS

/**
 * Registers a range of code, before it runs. Initialises the engine with all
 * defaults if nobody did. The memory is the caller's; it stays registered over
 * a moat_engine_shutdown.
 *
 * It is known from here on to moat's backtraces and reports and to a
 * coroutine's policy; with a way of unwinding to libgcc, so that C++ exceptions
 * go through it, and to libunwind; to gdb and lldb. With MOAT_PERF_MAP=1 in the
 * environment its name goes to /tmp/perf-PID.map, with MOAT_JITDUMP=DIR its
 * name, bytes and lines go to DIR/jit-PID.dump, for the profiler perf. For that
 * dump alone moat reads the code's bytes. The man page has the details.
 *
 * @param code      copied, and all that it points to but the code itself
 * @param[out] out  for moat_code_unregister; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL    NULL arguments or start; a size of 0; a range that
 *                         is not in one piece of addressable memory; an
 *                         unknown flag or way of unwinding; frame_bytes or
 *                         an eh_frame that do not go with it; lines without a
 *                         file, or out of order, or outside the code; an
 *                         eh_frame that is not as above
 *         MOAT_E_OVERLAP  a part of it is registered
 *         MOAT_E_STATE    called from a fault region's `fix`
 *         MOAT_E_LIMIT    too little stack left (on a guest's stack)
 *         MOAT_E_NOMEM    and what moat_engine_init returns
 *
 * Thread-safety: any. Signal-safety: no.
 * Cost:          some 0.4 microseconds with a name alone, some 1.2 with a way
 *                of unwinding and lines, where 100 ranges are registered, and
 *                up to twice as much where 10,000 are (bench/code); while many
 *                threads trap, some tens of microseconds more. Some 750 to 950
 *                bytes of memory
 */
MOAT_API MOAT_NODISCARD moat_status moat_code_register(const moat_code *code,
                                                       moat_code_id *out);

/**
 * Ends a registration, everywhere; then the memory may be used for something
 * else. Frames of the code must be gone: later backtraces do not know it. So
 * write the reports of trapped coroutines that stand in it before, and reset or
 * destroy suspended ones.
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  no such registration
 *         MOAT_E_STATE  called from a fault region's `fix`
 *         MOAT_E_LIMIT  too little stack left (on a guest's stack)
 *
 * Thread-safety: any. Signal-safety: no.
 * Cost:          0.1 to 0.2 microseconds where 100 ranges are registered; where
 *                10,000 are, twice as much in the order of their addresses, and
 *                about a microsecond in random order (bench/code)
 */
MOAT_API moat_status moat_code_unregister(moat_code_id id);

MOAT_END_DECLS

#endif
