/*
 * script.c: the frames of scripts, read from interpreters that may be in any
 * state, and their places among the native frames.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

/* --- options ------------------------------------------------------------- */

moat_status moat_script_check(const moat_script *asked, moat_script *out)
{
    moat_status status;

    memset(out, 0, sizeof *out);
    if (asked == NULL)
        return MOAT_OK;
    status = moat_options_copy(out, sizeof *out, asked, sizeof *asked);
    if (status == MOAT_OK && out->walk == NULL)
        status = MOAT_E_INVAL;
    return status;
}

void moat_script_set(struct co *co, const moat_script *script)
{
    const char *language =
        script->language != NULL ? script->language : "script";
    struct co_cold *cold = cold_of(co);

    co->flags |= CO_SCRIPTED;
    cold->script = *script;
    (void)strncpy(cold->language, language, sizeof cold->language - 1);
    cold->language[sizeof cold->language - 1] = '\0';
}

/* --- the walk's coroutine ------------------------------------------------ */

/* A walk takes microseconds; one that takes long is lost in a circle. */
#define WALK_CPU_NS  UINT64_C(200000000)
#define WALK_WALL_NS UINT64_C(2000000000)

static void copy_text(char *to, size_t size, const char *from)
{
    size_t length = from != NULL ? strnlen(from, size - 1) : 0;

    if (length > 0)
        memcpy(to, from, length);
    to[length] = '\0';
}

/* The line is made aside: the interpreter's text may be what faults. Zeros end
 * the texts of one that is overwritten and cut half-way. */
void moat_script_put(moat_script_walk *walk, const moat_script_frame *frame)
{
    struct moat_script_line line;
    size_t i = walk->count;

    if (frame == NULL)
        return;
    memset(&line, 0, sizeof line);
    walk->skipped += frame->skipped;
    line.number = walk->count + walk->skipped;
    line.after_skip = walk->skipped > 0;
    line.activation = walk->activations;
    line.language = cold_of(co_of(walk->co))->language;
    line.line = frame->line > 0 ? frame->line : 0;
    copy_text(line.function, sizeof line.function, frame->function);
    copy_text(line.source, sizeof line.source, frame->source);
    if (i >= walk->head && walk->room > walk->head)
        i = walk->head + (i - walk->head) % (walk->room - walk->head);
    if (i < walk->room)
        walk->lines[i] = line;
    if (frame->flags & MOAT_SCRIPT_ENTERED)
        walk->activations++;
    walk->count++;
}

static void *read_script(moat_co *self, void *input)
{
    moat_script_walk *walk = input;

    (void)self;
    cold_of(co_of(walk->co))->script.walk(walk->co, walk);
    return NULL;
}

static const char *judge(const moat_co *reader, const moat_event *event)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    switch (event->kind) {
    case MOAT_EVENT_RETURN:
        return NULL;
    case MOAT_EVENT_TRAP:
        /* If it held a lock, the rest of the report must not need it. */
        moat_poison_look(reader);
        return moat_co_trap_info(reader, &info) == MOAT_OK
                   ? moat_trap_kind_str(info.kind)
                   : "trapped";
    case MOAT_EVENT_PANIC:
        _Unwind_DeleteException(event->value);
        return "exception";
    default:
        return "yielded";
    }
}

static const char *resume(moat_co *reader, moat_script_walk *walk)
{
    moat_event event = {MOAT_EVENT_YIELD, NULL};
    moat_status status = moat_co_resume_slow(reader, walk, &event);

    return status == MOAT_OK ? judge(reader, &event) : moat_status_str(status);
}

static const char *call_walk(moat_script_walk *walk)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *reader;
    const char *error;
    moat_status status;

    limits.resume_cpu_ns = WALK_CPU_NS;
    limits.wall_ns = WALK_WALL_NS;
    options.limits = &limits;
    status = moat_co_create(&reader, read_script, &options);
    if (status != MOAT_OK)
        return moat_status_str(status);
    co_of(reader)->flags |= CO_READER;
    error = resume(reader, walk);
    /* No code of its runs once more, as a cancel would let it. */
    status = moat_co_reset(reader);
    (void)status;
    moat_co_destroy(reader);
    return error;
}

static const moat_co *resumer_of(const moat_co *co)
{
    return (const moat_co *)(co->resumer & ~(uintptr_t)1);
}

static bool is_reading(void)
{
    for (const moat_co *co = moat_co_current(); co != NULL; co = resumer_of(co))
        if (co_of(co)->flags & CO_READER)
            return true;
    return false;
}

/* One that is lost in a circle is enough. */
static const char *reason_not_to_read(const struct moat_scripts *scripts)
{
    const char *deadline = moat_trap_kind_str(MOAT_TRAP_DEADLINE);

    if (moat_poison_seen())
        return "poisoned";
    if (is_reading())
        return "it is being read";
    for (size_t i = 0; i < scripts->walk_count; i++)
        if (scripts->walks[i].error == deadline)
            return deadline;
    return NULL;
}

/* --- places -------------------------------------------------------------- */

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

/* Each may use half of the room that is left: the innermost tells most. */
static void read_one(struct moat_scripts *scripts,
                     const struct moat_both_ends *ends, size_t root)
{
    moat_script_walk *walk = &scripts->walks[scripts->walk_count];
    const char *error = reason_not_to_read(scripts);

    *walk = (moat_script_walk){
        .co = ends->frames[root].co,
        .lines = scripts->lines + scripts->used,
        .room = (MOAT_SCRIPT_LINES_MAX - scripts->used) / 2,
    };
    walk->head = walk->room / 2;
    walk->error = error != NULL ? error : call_walk(walk);
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
            (co_of(frame->co)->flags & CO_SCRIPTED) &&
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
    return (co_of(co)->flags & CO_SCRIPTED) ? too_many : NULL;
}
