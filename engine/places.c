/*
 * places.c: the frames of all scripts in a backtrace, in their places among the
 * native frames.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

/* --- the interpreter's loop ---------------------------------------------- */

/* A deep recursion repeats a few addresses thousands of times, and naming one
 * is slow. */
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

static bool ask(const moat_script *script, const moat_frame *frame)
{
    struct moat_symbol symbol;
    bool named = moat_frame_symbolise(frame, &symbol) == MOAT_OK &&
                 symbol.function[0] != '\0';

    if (named)
        cut_suffix(symbol.function);
    return script->runs(frame, named ? symbol.function : NULL);
}

static bool runs_script(const moat_script *script, struct known *known,
                        const moat_frame *frame)
{
    bool runs;

    if (script->runs == NULL)
        return false;
    for (size_t i = 0; i < known->count; i++)
        if (known->pc[i] == frame->pc)
            return known->runs[i];
    runs = ask(script, frame);
    if (known->count < KNOWN_MAX) {
        known->pc[known->count] = frame->pc;
        known->runs[known->count++] = runs;
    }
    return runs;
}

/* --- places -------------------------------------------------------------- */

/* Where the frames of a script can stand. */
struct places {
    const uint16_t *loops; /* native frames of the loop, innermost first */
    size_t count;          /* of these                                   */
    size_t activations;    /* of the loop, as the script counts them     */
    size_t last;           /* native frame before the border             */
    bool has_gap;          /* behind that one native frames are missing  */
};

static void find_places(const struct moat_both_ends *ends, size_t root,
                        const moat_script_walk *walk, uint16_t *loops,
                        struct places *out)
{
    const moat_script *script = &cold_of(co_of(walk->co))->script;
    struct known known;

    known.count = 0;
    *out = (struct places){loops, 0, 0, root, false};
    for (size_t i = 0; i < root; i++) {
        if (ends->frames[i].co != walk->co)
            continue;
        out->last = i;
        if (runs_script(script, &known, &ends->frames[i]))
            loops[out->count++] = (uint16_t)i;
    }
    out->has_gap =
        ends->left_out > 0 && out->last + 1 == moat_both_ends_gap(ends);
}

/* Activations are counted from the fault outwards; behind frames that the host
 * skipped, from the border inwards. */
static size_t place_of(const struct places *places,
                       const struct moat_script_line *line)
{
    size_t from_border = places->activations - line->activation;

    if (places->count == 0)
        return places->last;
    if (line->activation < places->count && !line->after_skip)
        return places->loops[line->activation];
    if (places->has_gap)
        return places->last;
    if (line->after_skip && from_border <= places->count)
        return places->loops[places->count - from_border];
    return places->loops[places->count - 1];
}

static size_t kept_of(const moat_script_walk *walk)
{
    return walk->count < walk->room ? walk->count : walk->room;
}

/* Behind the head the oldest of the ring comes first. */
static struct moat_script_line *kept_line(const moat_script_walk *walk,
                                          size_t i)
{
    if (i >= walk->head && walk->count > walk->room)
        i = walk->head + (walk->count - walk->head + i - walk->head) %
                             (walk->room - walk->head);
    return &walk->lines[i];
}

/* In the order of places: two coroutines' frames lie among each other only if
 * one serves the other (moat_call_on_parent). */
static void insert(struct moat_scripts *scripts,
                   const struct moat_script_line *line)
{
    size_t i = scripts->count++;

    for (; i > 0 && moat_scripts_line(scripts, i - 1)->place > line->place; i--)
        scripts->order[i] = scripts->order[i - 1];
    scripts->order[i] = (uint16_t)(line - scripts->lines);
}

static bool is_in_gap(const struct places *places,
                      const struct moat_script_line *line)
{
    return places->has_gap && line->place == places->last &&
           (line->activation >= places->count || line->after_skip);
}

/* What the host says may contradict the stack: the order is the script's. */
static void put_in_place(struct moat_scripts *scripts,
                         const struct moat_both_ends *ends, size_t root,
                         const moat_script_walk *walk)
{
    size_t next = 0, last_place = 0;
    struct places places;

    if (kept_of(walk) == 0)
        return;
    find_places(ends, root, walk, scripts->loops, &places);
    places.activations = kept_line(walk, kept_of(walk) - 1)->activation + 1;
    for (size_t i = 0; i < kept_of(walk); i++) {
        struct moat_script_line *line = kept_line(walk, i);

        line->place = place_of(&places, line);
        if (line->place < last_place)
            line->place = last_place;
        line->in_gap = is_in_gap(&places, line);
        line->gap = line->number - next;
        next = line->number + 1;
        last_place = line->place;
        insert(scripts, line);
    }
}

/* --- all of a backtrace -------------------------------------------------- */

static const char too_many[] = "too many scripts";

/* One walk that is lost in a circle is enough. */
static const char *read_unless_lost(const struct moat_scripts *scripts,
                                    struct moat_script_walk *walk)
{
    const char *lost = moat_trap_kind_str(MOAT_TRAP_DEADLINE);

    for (size_t i = 0; i < scripts->walk_count; i++)
        if (scripts->walks[i].error == lost)
            return lost;
    return moat_script_read(walk);
}

/* Each may use half of the room that is left: the innermost tells most. */
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
    put_in_place(scripts, ends, root, walk);
}

void moat_scripts_read(const struct moat_both_ends *ends,
                       struct moat_scripts *out)
{
    for (size_t i = 0; i < ends->count; i++) {
        const moat_frame *frame = &ends->frames[i];

        if ((frame->flags & MOAT_FRAME_ROOT) && frame->co != NULL &&
            (frame->co->flags & CO_SCRIPTED) &&
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
    return (co->flags & CO_SCRIPTED) ? too_many : NULL;
}
