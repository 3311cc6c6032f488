/*
 * script.h: the frames of a script in backtraces, for hosts of interpreters.
 *
 * The C stack of an interpreter shows the interpreter's loop, not the script.
 * For a coroutine that was created with a moat_script, reports show both in
 * one order, from the fault to main: each native frame of the loop is followed
 * by the functions of the script that it was running.
 *
 *   static const moat_script lua = {sizeof lua, "lua", walk, runs};
 *   ...
 *   options.user = my_interpreter;
 *   options.script = &lua;
 *
 * The library asks two questions, both in ordinary context and never in a
 * signal handler: `walk` names the script's frames and marks where the loop
 * was entered anew; `runs` identifies the loop's native frames.
 *
 * The interpreter may be in any state, since the code that it ran has faulted.
 * So `walk` runs on a coroutine of its own, with a time limit: if it faults,
 * loops for ever or yields, the report shows the frames named until then and
 * why the rest is missing, and loses nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SCRIPT_H
#define MOAT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include <moat/backtrace.h>
#include <moat/cpu.h>
#include <moat/export.h>

/* Flag of moat_script_frame: native code called this function, so that the loop
 * was entered anew. */
#define MOAT_SCRIPT_ENTERED 1u

/**
 * A function of the script that has not returned.
 *
 * The flag MOAT_SCRIPT_ENTERED means that native code called this function, so
 * that the interpreter's loop was entered anew: its caller, the next frame,
 * was run by another native frame. In an interpreter that calls its loop for
 * every call of the script's, each frame has the flag.
 */
typedef struct moat_script_frame {
    /* Such as "function 'f'". NULL: not known. */
    const char *function;
    /* Such as "game.lua". NULL: not known. */
    const char *source;
    /* The line that it executes. 0 or less: not known. */
    int line;
    /* MOAT_SCRIPT_... */
    unsigned flags;
    /* Number of frames before this one that are not named: the ends of a very
     * deep recursion are enough. */
    size_t skipped;
} moat_script_frame;

/* The frames named so far; valid while `walk` runs. */
typedef struct moat_script_walk moat_script_walk;

/**
 * How to read the script of a coroutine, for moat_co_options.
 *
 * moat_co_print_report, moat_co_write_json and moat_co_describe call `walk`
 * and `runs` for each coroutine on the way, on the thread that makes the call,
 * in ordinary context. Extensions of debuggers do not call them.
 *
 * `walk` names the frames, innermost first, by moat_script_put. The coroutine
 * is stopped, or has resumed the one that is reported; moat_co_user leads to
 * its interpreter. It is called on a coroutine of its own, with 256 KiB of
 * stack, 0.2 s of CPU time and 2 s of real time, which has the effects that
 * moat_limits describes. If it faults, loops, yields or throws, the frames
 * named until then are shown, and the report has the reason why the rest is
 * missing. It may read anything. It should neither allocate nor lock, for what
 * it holds when it is stopped stays held. It is not called after a guest of
 * this process was found poisoned (moat_co_is_poisoned), nor for a report that
 * it asks for itself.
 *
 * `runs` returns whether a native frame of the coroutine belongs to the
 * interpreter's loop. It is called once for each address, not for each frame,
 * on the caller's stack, and should read only its arguments: a fault in it is
 * the caller's. `function` is the name as in reports, without a compiler's
 * suffix (".cold"), or NULL if it is not known; then the frame's pc may serve.
 */
typedef struct moat_script {
    /* sizeof(moat_script); MOAT_SCRIPT_INIT sets it. */
    size_t struct_size;
    /* Shown before each of the frames, such as "lua"; copied, at most 15 bytes.
     * NULL: "script". */
    const char *language;
    /* Names the frames. Not NULL. */
    void (*walk)(const moat_co *co, moat_script_walk *walk);
    /* Identifies the native frames of the loop. NULL: there are none. */
    bool (*runs)(const moat_frame *frame, const char *function);
} moat_script;

#define MOAT_SCRIPT_INIT             \
    {                                \
        sizeof(moat_script), 0, 0, 0 \
    }

MOAT_BEGIN_DECLS

/**
 * Names the next frame of the script, from inside `walk`.
 *
 * The first native frame of the loop is followed by the frames up to and
 * including the first with the flag MOAT_SCRIPT_ENTERED, the second by those
 * up to the next, and so on; the outermost loop frame takes the rest. If frames
 * were skipped, the later ones are matched inwards from the outermost. Where
 * native frames were left out of a long backtrace, their script frames appear
 * in the gap. Without any native frame of the loop, all
 * script frames stand before the coroutine's root. Of more than 1024 frames
 * the first and the last 512 are kept; for the scripts of outer coroutines,
 * which get less room, it may be fewer.
 *
 * @param walk   as passed to `walk`
 * @param frame  copied; a function is truncated to 95 bytes, a source to 127;
 *               NULL has no effect
 *
 * Thread-safety: the thread that called `walk`
 * Signal-safety: no
 * See also:      moat_script, moat_script_frame, moat_co_describe
 */
MOAT_API void moat_script_put(moat_script_walk *walk,
                              const moat_script_frame *frame);

MOAT_END_DECLS

#endif
