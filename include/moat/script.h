/*
 * script.h: the frames of a script in backtraces, for hosts of interpreters.
 *
 * An interpreter's C stack shows its loop, not the script. A coroutine that was
 * created with a moat_script has both in its reports, in one order, from the
 * fault to main: behind each native frame of the loop stand the script's
 * functions that it was running.
 *
 *   static const moat_script lua = {sizeof lua, "lua", walk, runs};
 *   ...
 *   options.user = my_interpreter;
 *   options.script = &lua;
 *
 * moat asks in two steps, both in ordinary context and never in a signal
 * handler: `walk` names the script's frames, and marks where the interpreter's
 * loop was entered anew; `runs` tells the loop's native frames.
 *
 * The interpreter may be in any state, as whatever it ran has faulted. So
 * `walk` is called on a coroutine of its own, with a time limit: if it faults,
 * loops for ever or yields, what it had named until then is shown, and the
 * report says why the rest is missing. Nothing else is lost.
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

/* A function of the script that has not returned. */
typedef struct moat_script_frame {
    const char *function; /* "function 'f'"; NULL: not known         */
    const char *source;   /* "game.lua"; NULL: not known             */
    int line;             /* where it stands; 0 or less: not known   */
    unsigned flags;       /* MOAT_SCRIPT_...                         */
    size_t skipped;       /* how many before this one are not named: of a very
                             deep recursion the ends are enough      */
} moat_script_frame;

/* Native code called this function, so that the loop was entered anew: its
 * caller, the next frame, was run by another native frame. In an interpreter
 * that calls its loop for every call of the script's, each frame has it. */
#define MOAT_SCRIPT_ENTERED 1u

/* What a walk has named; good while `walk` runs. */
typedef struct moat_script_walk moat_script_walk;

/* How the script of a coroutine is read. */
typedef struct moat_script {
    size_t struct_size;   /* sizeof(moat_script); MOAT_SCRIPT_INIT sets it   */
    const char *language; /* "lua", in front of each of its frames; copied, at
                             most 15 bytes; NULL: "script"                   */
    /*
     * Names the frames, innermost first, by moat_script_put. The coroutine is
     * stopped, or has resumed the one that is reported: moat_co_user leads to
     * its interpreter. Not NULL.
     *
     * Called with 256 KiB of stack and 0.2 s of CPU time. It may read whatever
     * it likes; it should neither allocate nor lock, for what it holds when it
     * is cut stays held. It is not called once a guest of this process was
     * found poisoned (moat_co_is_poisoned), nor for a report that it asks for
     * itself.
     */
    void (*walk)(const moat_co *co, moat_script_walk *walk);
    /*
     * Is a native frame of the coroutine one of the interpreter's loop? Called
     * once for each address, not for each frame. `function` is as in reports,
     * without a compiler's suffix (".cold"), NULL if not known; the frame's pc
     * serves where there are no names. Called on the caller's stack: a fault in
     * it is the caller's. NULL: none is.
     */
    bool (*runs)(const moat_frame *frame, const char *function);
} moat_script;

#define MOAT_SCRIPT_INIT             \
    {                                \
        sizeof(moat_script), 0, 0, 0 \
    }

MOAT_BEGIN_DECLS

/**
 * Names the next frame of the script, from inside `walk`. The first native
 * frame of the loop gets the frames up to and with the first that is marked
 * MOAT_SCRIPT_ENTERED, the second those up to the next, and so on; the
 * outermost gets all that are left. Behind frames that were skipped this is
 * counted from the outermost inwards. Where native frames were left out of a
 * long backtrace, the script's that belong to them stand in their place.
 * Without any native frame of the loop all stand before the coroutine's border.
 * Of more than 1024 frames the first and the last 512 are kept; of outer
 * coroutines' scripts, for which less room is left, it may be fewer.
 *
 * @param walk   as given to `walk`
 * @param frame  copied; a function of more than 95 bytes and a source of more
 *               than 127 are cut off; NULL has no effect
 *
 * Thread-safety: the thread that called `walk`. Signal-safety: no.
 */
MOAT_API void moat_script_put(moat_script_walk *walk,
                              const moat_script_frame *frame);

MOAT_END_DECLS

#endif
