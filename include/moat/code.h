/*
 * code.h: code that is in no file, made by a JIT compiler, or code of a
 * library that the host wants to distinguish.
 *
 * Registered code has a name in backtraces and reports. Its frames have the
 * flag MOAT_FRAME_JIT in moat_frame (reports do not show it), and moat's
 * backtraces unwind them by the rules given here. A coroutine with the policy
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

/**
 * How to unwind a frame of registered code from any call or fault in it.
 *
 * Only MOAT_CODE_UNWIND_CFI recovers callee-saved registers that the code has
 * changed. Wrong information costs frames of moat's
 * backtraces, nothing more: the walk continues at the coroutine's root. Other
 * unwinders trust it.
 */
typedef enum moat_code_unwind {
    /* Not known: a walk guesses the caller. */
    MOAT_CODE_UNWIND_NONE = 0,
    /* The frame pointer leads to a frame record: the caller's frame pointer and
     * the return address. */
    MOAT_CODE_UNWIND_FP = 1,
    /* The return address is `frame_bytes` above the stack pointer; the frame
     * pointer is the caller's. */
    MOAT_CODE_UNWIND_FIXED = 2,
    /* By the rules in `eh_frame`. */
    MOAT_CODE_UNWIND_CFI = 3,
    MOAT_CODE_UNWIND_FORCE_INT = 0x7fffffff
} moat_code_unwind;

/** The source line of the code from `offset` up to the next entry's. */
typedef struct moat_code_line {
    /* Bytes from the code's start. */
    uint32_t offset;
    /* From 1. 0: made from no line. */
    uint32_t line;
} moat_code_line;

/**
 * A range of code to register.
 *
 * Initialise the struct with MOAT_CODE_INIT.
 *
 * `eh_frame` is what a compiler puts into a section .eh_frame (LSB Core 5.0,
 * 10.6; DWARF 4, 6.4): consecutive entries, CIEs before the FDEs that refer to
 * them, with or without a terminator. It is read where it lies and checked,
 * and moat keeps a copy in which all addresses are absolute.
 *
 * Accepted are CIEs of version 1 and 3 with the return address in column 16,
 * and the augmentations "" and "z" followed by any of R, L, P and S. Accepted
 * pointer encodings are DW_EH_PE_absptr, udata4, sdata4, udata8 and sdata8,
 * and those of four and eight bytes with DW_EH_PE_pcrel; for L and P also
 * DW_EH_PE_omit, and for P DW_EH_PE_indirect. A personality routine and the
 * data that it reads (LSDA) are not copied and must stay as long as the code.
 * The code of the FDEs lies within the range; each covers some, and no two
 * overlap. DW_CFA_set_loc, lengths of 64 bits and instructions that neither
 * DWARF 4 nor GNU defines are refused.
 */
typedef struct moat_code {
    /* sizeof(moat_code); MOAT_CODE_INIT sets it. */
    size_t struct_size;
    /* First byte. */
    const void *start;
    /* In bytes, at least one. */
    size_t size;
    /* Copied. NULL: the names of the dynamic linker and the debug information,
     * as for code of a file. */
    const char *name;
    /* For MOAT_CODE_UNWIND_FIXED, a multiple of 8 below 1 GiB; else 0. */
    size_t frame_bytes;
    moat_code_unwind unwind;
    /* 0. */
    uint32_t flags;
    /* The source file's name; copied. NULL: not known. */
    const char *file;
    /* Copied; offsets ascend, within the code. Requires a file. */
    const moat_code_line *lines;
    /* 0: the lines are not known. */
    size_t line_count;
    /* For MOAT_CODE_UNWIND_CFI; else NULL. Copied. */
    const void *eh_frame;
    size_t eh_frame_bytes;
} moat_code;

#define MOAT_CODE_INIT                                                         \
    {                                                                          \
        sizeof(moat_code), 0, 0, 0, 0, MOAT_CODE_UNWIND_NONE, 0, 0, 0, 0, 0, 0 \
    }

/* The number of a registration, unique in the process. 0: none. */
typedef uint64_t moat_code_id;

MOAT_BEGIN_DECLS

/**
 * Registers a range of code.
 *
 * Register code before it runs, and unregister it when none of its frames is
 * left. Initialises the engine with all defaults if the program has not. The
 * code stays registered over a moat_engine_shutdown.
 *
 * From then on moat's backtraces and reports and the policies of coroutines
 * know the code. With a way of unwinding, libgcc (so that C++ exceptions pass
 * through it) and libunwind know it, too. With a name, lines or a way of
 * unwinding, so do gdb and lldb (in lldb: settings set
 * plugin.jit-loader.gdb.enable on).
 *
 * Two variables of the environment serve the profiler perf. Both are read
 * once, at the first registration; set-user-ID programs ignore them. The files
 * are an aid: what cannot be opened or written is left out, and no status
 * reports it. A forked child has files of its own, with the code that it
 * registers itself.
 *
 *   MOAT_PERF_MAP=1
 *     Each named range is listed in /tmp/perf-PID.map. Lines are only added:
 *     of ranges that begin at the same address the last counts. The file is
 *     not removed: a later process with the same number adds to it. It is
 *     written only if it is a regular file of this user's, without another
 *     link.
 *   MOAT_JITDUMP=DIR
 *     Each named range goes to DIR/jit-PID.dump, with its bytes and lines, as
 *     "perf inject --jit" reads them; record with "perf record -k mono". For
 *     this file alone moat reads the code's bytes. A range that is registered
 *     again has a record of its own, with the bytes and lines of that time:
 *     perf tells them apart by time. From the dump perf makes an object file
 *     for each range beside it, jitted-PID-N.so. If jit-PID.dump exists
 *     already, it is left alone and nothing is dumped. Neither the dump nor
 *     the object files are ever removed.
 *
 * @param code      copied, with all that it points to except the code itself
 * @param[out] out  for moat_code_unregister; written only on MOAT_OK
 *
 * @return MOAT_OK; a status of moat_engine_init, if it has to initialise; or
 *         MOAT_E_INVAL    NULL arguments or start; a size of 0; a range that
 *                         is not one piece of addressable memory; an unknown
 *                         flag or way of unwinding; frame_bytes or an eh_frame
 *                         that do not fit it; lines without a file, out of
 *                         order, or outside the code; an eh_frame that
 *                         moat_code does not accept
 *         MOAT_E_UNSUPPORTED  an eh_frame, and no port to the CPU
 *                         (docs/backends.md)
 *         MOAT_E_OVERLAP  part of the range is registered
 *         MOAT_E_STATE    called from a fault region's `fix`
 *         MOAT_E_LIMIT    less than 8 KiB of a guest's stack is left
 *         MOAT_E_NOMEM    no memory; nothing has changed
 *
 * Ownership:     the code's memory stays the caller's
 * Thread-safety: any
 * Signal-safety: no
 * Cost:          with a way of unwinding and lines about three times as much as
 *                with a name alone; among 10,000 ranges up to 2.2 times as much
 *                as among 100 (docs/performance.md, bench/code). Waits until
 *                handlers of other threads have left the map
 * See also:      moat_code, moat_co_options, moat_frame_describe
 */
MOAT_API MOAT_NODISCARD moat_status moat_code_register(const moat_code *code,
                                                       moat_code_id *out);

/**
 * Ends a registration.
 *
 * The memory may be used for something else afterwards. Frames of the code
 * must be gone, since later backtraces do not know it. So write the reports of
 * trapped coroutines that have such frames first, and reset or destroy
 * suspended ones.
 *
 * @param id  from moat_code_register
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  no such registration
 *         MOAT_E_STATE  called from a fault region's `fix`
 *         MOAT_E_LIMIT  less than 8 KiB of a guest's stack is left
 *
 * Thread-safety: any
 * Signal-safety: no
 * Cost:          less than registering; among 10,000 ranges about twice as much
 *                as among 100 in the order of their addresses, up to 5.7 times
 *                in random order (docs/performance.md, bench/code)
 */
MOAT_API moat_status moat_code_unregister(moat_code_id id);

MOAT_END_DECLS

#endif
