/*
 * backtrace.h: frames, linked across coroutine borders.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_BACKTRACE_H
#define MOAT_BACKTRACE_H

#include <stddef.h>
#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/status.h>

#define MOAT_FRAME_ROOT 1u /* the root frame: a coroutine's border          */
#define MOAT_FRAME_TRAP                                                    \
    2u                    /* the faulting frame: pc is exact, not a return \
                             address                                       */
#define MOAT_FRAME_JIT 4u /* registered JIT code                           */
#define MOAT_FRAME_GUESSED                              \
    8u /* found by a repair (frame pointers, restart at \
          the root): frames between it and the one      \
          before may be missing                         */
#define MOAT_FRAME_SCRIPT \
    16u /* moat_co_describe: a function of a script; see script.h */

typedef struct moat_frame {
    uintptr_t pc;      /* a return address, but for MOAT_FRAME_TRAP and the
                          first frame of a suspended coroutine              */
    uintptr_t sp;      /* stack pointer in that frame                       */
    const moat_co *co; /* the coroutine it belongs to; NULL: the host       */
    unsigned flags;    /* MOAT_FRAME_...                                    */
} moat_frame;

/* A frame with its names. Texts that are not known are "". */
typedef struct moat_described_frame {
    moat_frame frame; /* of a script's: the native frame that runs it, with the
                         flag MOAT_FRAME_SCRIPT and no other                 */
    size_t number;    /* among the native frames, and among those of one script;
                         0 is the innermost; numbers that are missing were left
                         out                                                 */
    int line;         /* in the source; 0: not known                         */
    char function[192];
    char module[192]; /* the file that native code was loaded from; of a script
                         its language                                        */
    char source[256];
    const char *script_error; /* of a root frame: why frames of the coroutine's
                                 script are missing; NULL: none are. Static  */
} moat_described_frame;

MOAT_BEGIN_DECLS

/**
 * Walks from the caller through every coroutine to the thread's first function,
 * by the unwind information of the code.
 *
 * @param[out] frames  innermost first; the first is the caller's
 * @param capacity     how many fit
 * @param[out] count   how many were written
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        frames or count is NULL
 *         MOAT_E_LIMIT        more frames than capacity: the innermost were
 *                             written and count says how many; or too little
 *                             stack is left to a guest for it: count is 0
 *         MOAT_E_UNSUPPORTED  this build has no unwinder
 *
 * A fault while frames are written is the caller's, as if it had written them.
 *
 * No lock is taken, no memory allocated and no system call made, as long as all
 * code on the way has unwind information in its file (.eh_frame, which gcc and
 * clang write for x86-64 unless they are told not to) or is registered. Behind
 * other code libunwind looks for debug information, or guesses: under its locks
 * and with all signals blocked but those of a fault and SIGSYS. For moments,
 * while it holds the lock of its cache, it blocks those too: a fault there, as
 * over the unwind information of a library that is being unloaded, ends the
 * process. Of all that only its dl_iterate_phdr is not safe in a handler, and
 * only where the signal interrupted the dynamic linker.
 *
 * Thread-safety: any. Signal-safety: yes, with the exception above.
 * Cost:          some 50 ns a frame that was met before, a third of what libgcc
 *                takes; one to two microseconds at the first time
 */
MOAT_API moat_status moat_backtrace(moat_frame *frames, size_t capacity,
                                    size_t *count);

/**
 * The same by frame pointers: each function's must lead to the frame record
 * {the caller's frame pointer, the return address} that its prologue has
 * written. All code on the way must be compiled for that
 * (-fno-omit-frame-pointer; libraries rarely are, and moat's out-of-line resume
 * is not). Where a function is not, its caller is left out; if it keeps
 * something else in the register, the walk ends there, and in a coroutine it
 * goes on at the root (MOAT_FRAME_GUESSED), so that the resumer's frames are
 * complete. But if what it keeps points higher up the same stack, the two words
 * there are taken for a frame record: frames that do not exist may follow, and
 * nothing marks them. Nothing outside of the thread's and its coroutines'
 * stacks is read, but for the stack of a handler that it is called from. In a
 * handler the function that was interrupted has no frame here: its pc is in the
 * handler's ucontext. In one that interrupted moat_co_switch_to the walk may
 * end at the border.
 *
 * Frames have the flags MOAT_FRAME_ROOT and MOAT_FRAME_GUESSED alone.
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   frames or count is NULL
 *         MOAT_E_LIMIT   more frames than capacity: the innermost were written
 *         MOAT_E_THREAD  the calling thread is not attached
 *
 * Thread-safety: any. Signal-safety: yes.
 * Cost:          about three nanoseconds a frame
 */
MOAT_API moat_status moat_backtrace_fp(moat_frame *frames, size_t capacity,
                                       size_t *count);

/**
 * Walks a stopped coroutine. SUSPENDED: its own frames, up to and with its
 * root. TRAPPED: its own frames from the fault, its root, then its resumer's
 * chain to the thread's first function, as long as the function that resumed it
 * has not returned; later only its own. FRESH and DONE: no frame.
 *
 * An overflow has thousands of frames: moat_co_print_report and
 * moat_co_write_json keep both ends of such a backtrace. The first frames after
 * moat_trap_raise are moat's own.
 *
 * Where the guest left nothing to walk (pc = 0, smashed registers, code without
 * unwind information) the walk is repaired; frames found so are marked
 * MOAT_FRAME_GUESSED, and the resumer's part is complete. Frame records in a
 * circle end the guest's part.
 *
 * @return as moat_backtrace, and
 *         MOAT_E_STATE   it is running or resuming
 *         MOAT_E_THREAD  it belongs to another thread
 *
 * Thread-safety: the owner's thread. Signal-safety: no.
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 */
MOAT_API moat_status moat_co_backtrace(const moat_co *co, moat_frame *frames,
                                       size_t capacity, size_t *count);

/**
 * Describes a frame in one line: "function+0x1f in module at file:line"; parts
 * that are not known are left out. A function that is not known reads
 * "module+0x11fb", the address as the file counts them. Where the line is in an
 * inlined function, " (that, inlined in function at file:line)" follows. A root
 * frame reads "[coroutine 'name']".
 *
 * @param[out] buffer  always terminated when size > 0; cut off if too small
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  frame or buffer is NULL, or size is 0
 *         MOAT_E_LIMIT  too little stack left (on a guest's stack)
 *
 * Thread-safety: any; one call at a time, others wait for it
 * Signal-safety: no
 */
MOAT_API moat_status moat_frame_describe(const moat_frame *frame, char *buffer,
                                         size_t size);

/**
 * Walks a stopped coroutine, as moat_co_backtrace does, and describes the
 * frames: native ones, and those of scripts behind the native frame that runs
 * them (moat_co_options.script). It calls the `walk` of each coroutine's
 * script. Of more than 4096 native frames the middle is left out.
 *
 * @param[out] frames  innermost first. Each is about 700 bytes
 *
 * @return as moat_co_backtrace, and MOAT_E_NOMEM
 *
 * Ownership:     all texts are the caller's, but for script_error
 * Thread-safety: the owner's thread. Signal-safety: no.
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 */
MOAT_API moat_status moat_co_describe(const moat_co *co,
                                      moat_described_frame *frames,
                                      size_t capacity, size_t *count);

/**
 * Writes the trap record and the linked backtrace of a trapped coroutine, for
 * people; with the frames of its script, if it has one
 * (moat_co_options.script).
 *
 * Whose: if the guest that was resumed has handed its place to another
 * (moat_co_switch_to), that one is trapped: moat_event.co.
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co is NULL or fd negative
 *         MOAT_E_STATE   it is not trapped
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   too little stack left (on a guest's stack)
 *         MOAT_E_NOMEM
 *         MOAT_E_SYSTEM  write failed; errno says why. A pipe or socket that
 *                        nobody reads raises SIGPIPE, which ends the process
 *                        unless the caller ignores it; then this, and EPIPE
 *
 * Thread-safety: the owner's thread. Signal-safety: no.
 * Legal in:      TRAPPED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_print_report(const moat_co *co,
                                                         int fd);

/**
 * Writes the trap record and the backtrace as one JSON object on one line, for
 * programs; addresses are strings in hexadecimal. docs/report.md lists the
 * members, and what only one of the two forms tells.
 *
 * @return as moat_co_print_report, SIGPIPE included
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_write_json(const moat_co *co,
                                                       int fd);

/**
 * Writes an ELF core file of a trapped coroutine while the process goes on:
 * gdb, lldb and eu-stack show its frames from the fault on, and behind its root
 * its resumers' as moat_co_backtrace does. Write it before the function that
 * resumed it returns: later it holds the coroutine's own frames only.
 *
 * The file is written front to back: fd may be a pipe. It holds memory of the
 * process: registers, stacks, the modules' data, the control records and stacks
 * of the other coroutines; not the heap. docs/debugging.md says what, and how
 * large it becomes. Give it the permissions of a secret (mode 0600).
 *
 * @return as moat_co_print_report, SIGPIPE included; and
 *         MOAT_E_SYSTEM  also if /proc or the memory could not be read: a
 *                        process that is not dumpable, a filter for system
 *                        calls
 *
 * Where this build has no unwinder, the file ends at the coroutine's root.
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_write_core(const moat_co *co,
                                                       int fd);

MOAT_END_DECLS

#endif
