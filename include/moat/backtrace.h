/*
 * backtrace.h: backtraces across coroutine borders, reports and core files.
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

/* Flags of a frame. */
#define MOAT_FRAME_ROOT    1u  /* the root frame, a coroutine's border      */
#define MOAT_FRAME_TRAP    2u  /* the faulting frame                        */
#define MOAT_FRAME_JIT     4u  /* registered code (moat_code_register)      */
#define MOAT_FRAME_GUESSED 8u  /* found by a repair of the walk             */
#define MOAT_FRAME_SCRIPT  16u /* moat_co_describe: a function of a script  */

/**
 * A frame of a backtrace.
 *
 * `pc` is a return address, with two exceptions: in the frame that faulted
 * (MOAT_FRAME_TRAP) it is the faulting instruction, and in the first frame of
 * a suspended coroutine the address at which it will continue.
 *
 * MOAT_FRAME_GUESSED marks a frame that a repair found (frame pointers,
 * restart at the root): frames between it and the previous one may be missing.
 */
typedef struct moat_frame {
    /* Program counter. */
    uintptr_t pc;
    /* Stack pointer in that frame. */
    uintptr_t sp;
    /* The coroutine that the frame belongs to. NULL: the host. */
    const moat_co *co;
    /* MOAT_FRAME_... */
    unsigned flags;
} moat_frame;

/**
 * A frame with its names, about 700 bytes. Unknown texts are "".
 */
typedef struct moat_described_frame {
    /* For a script's frame: the native frame that runs it, with flags set to
     * MOAT_FRAME_SCRIPT alone. */
    moat_frame frame;
    /* Position among the native frames, or among the frames of one script, from
     * 0, the innermost. Missing numbers were left out. */
    size_t number;
    /* Line of the source. 0: not known. */
    int line;
    /* As the linker knows it: names of C++ functions are mangled. */
    char function[192];
    /* File that native code was loaded from; language of a script. */
    char module[192];
    /* Source file. */
    char source[256];
    /* In a root frame, the reason why frames of the coroutine's script are
     * missing; static storage. NULL: none are. */
    const char *script_error;
} moat_described_frame;

MOAT_BEGIN_DECLS

/**
 * Walks from the caller through every coroutine to the thread's first
 * function.
 *
 * The walk uses the unwind information of the code. It takes no lock,
 * allocates no memory and makes no system call, provided that all code on the
 * way has unwind information in its file (.eh_frame, which gcc and clang write
 * for x86-64 unless told not to) or is registered.
 *
 * For other code libunwind looks for debug information, or guesses. It does so
 * under its locks and with all signals blocked except those of a fault and
 * SIGSYS. While it holds its cache lock those are blocked too, briefly. A fault
 * then, for example in the unwind information of a library that is being
 * unloaded, kills the process. The only part that is not safe in a
 * handler is dl_iterate_phdr, and only if the signal interrupted the dynamic
 * linker.
 *
 * A fault while the frames are written is the caller's, as if the caller had
 * written them.
 *
 * @param[out] frames  array of `capacity`, innermost frame first; the first is
 *                     the caller's
 * @param capacity     size of the array, in frames
 * @param[out] count   frames written
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        frames or count is NULL
 *         MOAT_E_FULL         there are more frames than capacity: the
 *                             innermost were written
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left:
 *                             count is 0
 *         MOAT_E_UNSUPPORTED  this build has no unwinder
 *
 * Thread-safety: any
 * Signal-safety: yes, with the exception above
 * Cost:          0.3 to 0.4 of the time of glibc's backtrace for frames met
 *                before; the first time about forty times as long
 *                (bench/backtrace)
 * See also:      moat_backtrace_fp, moat_co_backtrace, moat_frame_describe
 */
MOAT_API moat_status moat_backtrace(moat_frame *frames, size_t capacity,
                                    size_t *count);

/**
 * Walks as moat_backtrace does, by frame pointers.
 *
 * The frame pointer of each function must lead to the frame record that its
 * prologue has written: the caller's frame pointer and the return address. All
 * code on the way must be compiled for that (-fno-omit-frame-pointer);
 * libraries rarely are, and moat's out-of-line resume is not.
 *
 * If a function is not, its caller is missing. If it keeps another value in
 * the register, the walk ends there; in a coroutine it continues at the root
 * (MOAT_FRAME_GUESSED), so that the resumer's frames are complete. If that
 * value happens to point higher up the same stack, the walk takes the two words
 * there for a frame record and may report frames that do not exist, unmarked.
 *
 * The walk reads only the stacks of the thread and its coroutines, and the
 * stack of a handler that it is called from. In a handler the interrupted
 * function has no frame: its pc is in the handler's ucontext. If the handler
 * interrupted moat_co_switch_to, the walk may end at the border.
 *
 * Frames have no flags but MOAT_FRAME_ROOT and MOAT_FRAME_GUESSED.
 *
 * @param[out] frames  array of `capacity`, innermost frame first
 * @param capacity     size of the array, in frames
 * @param[out] count   frames written
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        frames or count is NULL
 *         MOAT_E_FULL         there are more frames than capacity: the
 *                             innermost were written
 *         MOAT_E_THREAD       the calling thread is not attached
 *         MOAT_E_UNSUPPORTED  there is no port to the CPU (docs/backends.md)
 *
 * Thread-safety: any
 * Signal-safety: yes
 * Cost:          0.02 of the time of glibc's backtrace (bench/backtrace)
 */
MOAT_API moat_status moat_backtrace_fp(moat_frame *frames, size_t capacity,
                                       size_t *count);

/**
 * Walks a stopped coroutine.
 *
 *   SUSPENDED
 *     Its own frames, up to and including its root.
 *   TRAPPED
 *     Its own frames from the fault, and its root. While the function that
 *     resumed it is still active, also the chain of its resumers to the
 *     thread's first function.
 *   FRESH, DONE
 *     No frame.
 *
 * An overflow has thousands of frames. With MOAT_E_FULL the innermost are
 * written, without the root and the resumers; moat_co_describe and the reports
 * keep both ends. After moat_trap_raise the first frames are moat's own,
 * followed by the guest's that called it.
 *
 * If the guest left nothing to walk (pc = 0, smashed registers, code without
 * unwind information), the walk is repaired: frames found that way are marked
 * MOAT_FRAME_GUESSED, and the resumer's part is complete. Circular frame
 * records end the guest's part. The walk does not use libunwind. On a stack
 * that the guest has made for itself all frames are found while it is
 * registered (moat_stack_register), else the first; the root follows.
 *
 * @param co           created by this thread
 * @param[out] frames  array of `capacity`, innermost frame first
 * @param capacity     size of the array, in frames
 * @param[out] count   frames written
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        co, frames or count is NULL
 *         MOAT_E_STATE        it is running or resuming
 *         MOAT_E_THREAD       it belongs to another thread
 *         MOAT_E_FULL         there are more frames than capacity
 *         MOAT_E_LIMIT        less than 8 KiB of the stack is left: count is 0
 *         MOAT_E_UNSUPPORTED  this build has no unwinder
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 * See also:      moat_co_describe, moat_co_print_report
 */
MOAT_API moat_status moat_co_backtrace(const moat_co *co, moat_frame *frames,
                                       size_t capacity, size_t *count);

/**
 * Describes a frame in one line.
 *
 * The form is "function+0x1f in module at file:line"; unknown parts are left
 * out. Names are the linker's: those of C++ functions are mangled. An unknown
 * function reads "module+0x11fb", the address as the file counts it. If the
 * line is in an inlined function, " (that, inlined in function at file:line)"
 * follows. A root frame reads "[coroutine 'name']", or "[coroutine 0x...]" with
 * the address of one that has no name. Bytes of names that would leave the line
 * or steer a terminal are written as \xNN.
 *
 * @param frame        from a backtrace
 * @param[out] buffer  always terminated if size > 0; truncated if too small
 * @param size         size of the buffer, in bytes
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  frame or buffer is NULL, or size is 0
 *         MOAT_E_LIMIT  less than 16 KiB of the stack is left. With less than
 *                       192 KiB lines are missing, with less than 48 KiB also
 *                       the names of static functions
 *
 * Thread-safety: any; one call at a time, others wait for it
 * Signal-safety: no
 */
MOAT_API moat_status moat_frame_describe(const moat_frame *frame, char *buffer,
                                         size_t size);

/**
 * Walks a stopped coroutine and describes the frames.
 *
 * The walk is that of moat_co_backtrace. Frames of scripts follow the native
 * frame that runs them (moat_script); the call runs the `walk` of each
 * coroutine's script. Of more than 3,584 native frames the first 3,072 and the
 * last 512 are described, and of the roots between them the first 512.
 *
 * If there are more frames than `capacity`, three eighths of the array hold the
 * outermost ones, the rest the innermost. So both the fault and the host's main
 * are there. `number` shows the gap.
 *
 * @param co           created by this thread
 * @param[out] frames  array of `capacity`, innermost frame first
 * @param capacity     size of the array, in frames
 * @param[out] count   frames written
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        co, frames or count is NULL
 *         MOAT_E_STATE        it is running or resuming
 *         MOAT_E_THREAD       it belongs to another thread
 *         MOAT_E_FULL         there are more frames than capacity: both ends
 *                             were written
 *         MOAT_E_LIMIT        less than 8 KiB of the stack is left: count is 0.
 *                             With less than 192 KiB lines are missing, with
 *                             less than 48 KiB also the names of static
 *                             functions
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  this build has no unwinder
 *
 * Ownership:     all texts are the caller's, except script_error
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 * See also:      moat_described_frame, moat_script_put
 */
MOAT_API moat_status moat_co_describe(const moat_co *co,
                                      moat_described_frame *frames,
                                      size_t capacity, size_t *count);

/**
 * Writes the report of a trapped coroutine, for people.
 *
 * The report has the trap record and the linked backtrace, with the frames of
 * the coroutine's script, if it has one (moat_script). After a transfer use
 * the coroutine that trapped, moat_event.co, not the one that was resumed.
 *
 * It is composed in memory and written in one piece, without the heap and
 * without a FILE: the guest may have died with their locks held
 * (moat_co_lock_function). The frames of a script are read on a coroutine that
 * is created for it, unless a poisoned one was found before. Of more than 64
 * frames it shows the first 40 and the last 24, and of the roots between them
 * the first 8; it counts the others.
 *
 * @param co  created by this thread
 * @param fd  a descriptor open for writing
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co is NULL or fd is negative
 *         MOAT_E_STATE   it is not trapped
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of the stack is left. With less than
 *                        192 KiB the lines of the frames are missing, with less
 *                        than 48 KiB also the names of static functions, and
 *                        near 8 KiB all names; the report says so
 *         MOAT_E_NOMEM   no memory
 *         MOAT_E_SYSTEM  write failed; see errno. A pipe or socket without a
 *                        reader raises SIGPIPE, which ends the process unless
 *                        the caller ignores it; then this status, and EPIPE
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      TRAPPED
 * See also:      moat_co_trap_info, moat_co_write_json, moat_co_write_core
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_print_report(const moat_co *co,
                                                         int fd);

/**
 * Writes the report of a trapped coroutine as JSON, for programs.
 *
 * The report is one object on one line; addresses are hexadecimal strings.
 * docs/report.md lists the members, and what only one of the two forms
 * contains. It is written as that of moat_co_print_report. Of more than 256
 * frames it has the first and the last 128, and of the roots between them the
 * first 512; it counts the others.
 *
 * @param co  created by this thread
 * @param fd  a descriptor open for writing
 * @return as moat_co_print_report
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      TRAPPED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_write_json(const moat_co *co,
                                                       int fd);

/**
 * Writes an ELF core file of a trapped coroutine while the process goes on.
 *
 * gdb, lldb and eu-stack open it as any core file: its one thread stands where
 * the guest trapped, and the backtrace leads through the coroutine's root to
 * its resumers, as that of moat_co_backtrace. Write it before the function
 * that resumed the coroutine returns; later, and in a build without an
 * unwinder, it has the coroutine's own frames only.
 *
 * The file holds the registers of the trap, the stacks of the guest and its
 * resumers, the data of all modules, and the control records and used stacks
 * of the other coroutines, for moat's extensions of gdb and lldb; not the
 * heap. docs/debugging.md lists the contents and the size. It is memory of the
 * host and of other guests: create it with mode 0600, in a directory that
 * others cannot write to.
 *
 * It is written front to back, so that fd may be a pipe or a socket, and
 * without the heap. Unreadable memory is left out. Memory that was never
 * touched is not read, and becomes holes in a regular file. Other threads go
 * on, so memory that they change meanwhile may be torn.
 *
 * @param co  created by this thread
 * @param fd  a descriptor open for writing
 *
 * @return as moat_co_print_report; and
 *         MOAT_E_SYSTEM       also if /proc or the memory could not be read: a
 *                             process that is not dumpable, a filter of system
 *                             calls. Part of the file may have been written
 *         MOAT_E_UNSUPPORTED  there is no port to the CPU (docs/backends.md)
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      TRAPPED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_write_core(const moat_co *co,
                                                       int fd);

MOAT_END_DECLS

#endif
