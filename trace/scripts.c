/*
 * scripts.c: the frames of all scripts in a backtrace, in position among the
 * native frames.
 *
 * A script's frames are read apart from the native ones (script.c), and nothing
 * in the stack shows which native frame runs which frame of the script. The
 * host can say two things: which native functions are the interpreter's loop
 * (`runs`), and which frame of the script entered a new activation of it. With
 * these, frames of activation n go after the n-th frame of the loop, counted
 * outwards from the fault. Past frames that the host skipped, and past native
 * frames that were left out, the count is done inwards from the border. If
 * neither works the frames go where native ones were left out, or, where no
 * loop is known, just before the border.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/coroutine.h"
#include "trace/frame.h"
#include "trace/scripts.h"
#include "unwind/symbol.h"

/* --- the interpreter's loop ---------------------------------------------- */

/* Addresses whose names were asked for. Naming one is slow, and a deep
 * recursion repeats a few of them thousands of times. */
#define KNOWN_MAX 64u

struct known {
    uintptr_t pc[KNOWN_MAX];
    bool runs[KNOWN_MAX];
    size_t count;
};

/* Compilers split and copy functions: "run.cold", "run.constprop.0". */
static void cut_suffix(char *function)
{
    static const char *const suffixes[] = {".cold",  ".constprop.", ".isra.",
                                           ".part.", ".lto_priv.",  ".llvm."};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *found = strstr(function, suffixes[i]);

        if (found != NULL)
            *found = '\0';
    }
}

static bool ask(struct moat_scripts *scripts, const moat_script *script,
                const moat_frame *frame)
{
    char *function = scripts->symbol.function;

    moat_frame_symbolise(frame, scripts->names, &scripts->symbol);
    cut_suffix(function);
    return script->runs(frame, function[0] != '\0' ? function : NULL);
}

static bool runs_script(struct moat_scripts *scripts, const moat_script *script,
                        struct known *known, const moat_frame *frame)
{
    bool runs;

    if (script->runs == NULL)
        return false;
    for (size_t i = 0; i < known->count; i++)
        if (known->pc[i] == frame->pc)
            return known->runs[i];
    runs = ask(scripts, script, frame);
    if (known->count < KNOWN_MAX) {
        known->pc[known->count] = frame->pc;
        known->runs[known->count++] = runs;
    }
    return runs;
}

/* --- positions ----------------------------------------------------------- */

/* The native frames after which frames of a script can stand. */
struct positions {
    const uint16_t *loops; /* native frames of the loop, innermost first */
    size_t count;          /* of these                                   */
    size_t before_gap;     /* of these, how many lie before the gap      */
    size_t activations;    /* of the loop, as the script counts them     */
    size_t last;           /* native frame before the border             */
    size_t gap;            /* native frames after this one were left out */
    bool has_gap;
    bool whole; /* the script was read up to its outermost frame         */
};

static void find_positions(struct moat_scripts *scripts,
                           const struct moat_both_ends *ends, size_t root,
                           const moat_script_walk *walk, struct positions *out)
{
    const moat_script *script = &cold_of(co_of(walk->co))->script;
    uint16_t *loops = scripts->loops;
    struct known known;

    known.count = 0;
    *out = (struct positions){.loops = loops, .last = root};
    for (size_t i = 0; i < root; i++) {
        if (ends->frames[i].co != walk->co)
            continue;
        out->last = i;
        if (runs_script(scripts, script, &known, &ends->frames[i]))
            loops[out->count++] = (uint16_t)i;
        if (moat_ends_gap(ends, i + 1) > 0) {
            out->has_gap = true;
            out->gap = i;
            out->before_gap = out->count;
        }
    }
    if (!out->has_gap)
        out->before_gap = out->count;
}

/* Counts activations from the fault outwards; after frames that the host
 * skipped or that were left out, from the border inwards. */
static size_t position_of(const struct positions *positions,
                          const struct moat_script_line *line)
{
    size_t from_border = positions->activations - line->activation;
    size_t first = positions->has_gap ? positions->before_gap : 0;

    if (positions->count == 0)
        return positions->last;
    if (line->activation < positions->before_gap && !line->after_skip)
        return positions->loops[line->activation];
    if ((line->after_skip || (positions->has_gap && positions->whole)) &&
        from_border <= positions->count - first)
        return positions->loops[positions->count - from_border];
    return positions->has_gap ? positions->gap
                              : positions->loops[positions->count - 1];
}

static size_t kept_of(const moat_script_walk *walk)
{
    return walk->count < walk->room ? walk->count : walk->room;
}

/* The lines after `head` form a ring; index `head` means the oldest in it. */
static struct moat_script_line *kept_line(const moat_script_walk *walk,
                                          size_t i)
{
    if (i >= walk->head && walk->count > walk->room)
        i = walk->head + (walk->count - walk->head + i - walk->head) %
                             (walk->room - walk->head);
    return &walk->lines[i];
}

/* Keeps the lines in the order of their positions. Frames of two coroutines mix
 * only if one makes a host call on the other (moat_call_on_parent). */
static void insert(struct moat_scripts *scripts,
                   const struct moat_script_line *line)
{
    size_t i = scripts->count++;

    for (;
         i > 0 && moat_scripts_line(scripts, i - 1)->position > line->position;
         i--)
        scripts->order[i] = scripts->order[i - 1];
    scripts->order[i] = (uint16_t)(line - scripts->lines);
}

static bool is_in_gap(const struct positions *positions,
                      const struct moat_script_line *line)
{
    return positions->has_gap && line->position == positions->gap &&
           (line->activation >= positions->before_gap || line->after_skip);
}

/* The host's counts may contradict the stack: the script's order wins. */
static void put_in_position(struct moat_scripts *scripts,
                            const struct moat_both_ends *ends, size_t root,
                            const moat_script_walk *walk)
{
    size_t next = 0, last_position = 0;
    struct positions positions;

    if (kept_of(walk) == 0)
        return;
    scripts->names = moat_names_possible(); /* the walk may have died */
    find_positions(scripts, ends, root, walk, &positions);
    positions.whole = walk->error == NULL;
    positions.activations = kept_line(walk, kept_of(walk) - 1)->activation + 1;
    for (size_t i = 0; i < kept_of(walk); i++) {
        struct moat_script_line *line = kept_line(walk, i);

        line->position = position_of(&positions, line);
        if (line->position < last_position)
            line->position = last_position;
        line->in_gap = is_in_gap(&positions, line);
        line->gap = line->number - next;
        next = line->number + 1;
        last_position = line->position;
        insert(scripts, line);
    }
}

/* --- all of a backtrace -------------------------------------------------- */

static const char too_many[] = "too many scripts";

/* Once one walk has hit its time limit no others are attempted: each might cost
 * as much. */
static const char *read_unless_lost(const struct moat_scripts *scripts,
                                    struct moat_script_walk *walk)
{
    const char *lost = moat_trap_kind_str(MOAT_TRAP_DEADLINE);

    for (size_t i = 0; i < scripts->walk_count; i++)
        if (scripts->walks[i].error == lost)
            return lost;
    return moat_script_read(walk);
}

/* Each script gets half of the remaining room, so the innermost gets the most.
 */
static void read_one(struct moat_scripts *scripts,
                     const struct moat_both_ends *ends, size_t root)
{
    moat_script_walk *walk = &scripts->walks[scripts->walk_count];

    *walk = (moat_script_walk){
        .co = ends->frames[root].co,
        .lines = scripts->lines + scripts->used,
        .room = (MOAT_SCRIPT_LINES_MAX - scripts->used) / 2,
    };
    walk->head = walk->room / 2;
    walk->error = read_unless_lost(scripts, walk);
    if (walk->error == NULL && walk->room == 0 && walk->count > 0)
        walk->error = too_many;
    scripts->walk_count++;
    scripts->used += kept_of(walk);
    put_in_position(scripts, ends, root, walk);
}

void moat_scripts_read(const struct moat_both_ends *ends,
                       struct moat_scripts *out)
{
    for (size_t i = 0; i < ends->count; i++) {
        const moat_frame *frame = &ends->frames[i];

        if ((frame->flags & MOAT_FRAME_ROOT) && frame->co != NULL &&
            (co_of(frame->co)->traits & CO_SCRIPTED) &&
            out->walk_count < MOAT_SCRIPT_WALKS_MAX)
            read_one(out, ends, i);
    }
}

const char *moat_scripts_error(const struct moat_scripts *scripts,
                               const moat_co *co)
{
    for (size_t i = 0; i < scripts->walk_count; i++)
        if (scripts->walks[i].co == co)
            return scripts->walks[i].error;
    return (co_of(co)->traits & CO_SCRIPTED) ? too_many : NULL;
}
