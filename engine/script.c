/*
 * script.c: the frames of a script, read from an interpreter that may be in any
 * state, on a coroutine of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/internal.h"

/* --- options ------------------------------------------------------------- */

moat_status moat_script_check(const moat_script *asked, moat_script *out)
{
    moat_status status =
        moat_options_copy(out, sizeof *out, asked, sizeof *asked);

    if (status == MOAT_OK && out->walk == NULL)
        status = MOAT_E_INVAL;
    return status;
}

void moat_script_set(struct co *co, const moat_script *script)
{
    const char *language =
        script->language != NULL ? script->language : "script";
    struct co_cold *cold = cold_of(co);

    co->activation.co.flags |= CO_SCRIPTED;
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

/* The event may be that of one to which the reader has handed its place. */
static const char *judge(const moat_event *event)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    switch (event->kind) {
    case MOAT_EVENT_RETURN:
        return NULL;
    case MOAT_EVENT_TRAP:
        /* If it held a lock, the rest of the report must not need it. */
        moat_poison_look(event->co);
        return moat_co_trap_info(event->co, &info) == MOAT_OK
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
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_status status = moat_co_resume_slow(reader, walk, &event);

    return status == MOAT_OK ? judge(&event) : moat_status_str(status);
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
    reader->flags |= CO_READER;
    error = resume(reader, walk);
    /* No code of its runs once more, as a cancel would let it. */
    status = moat_co_reset(reader);
    (void)status;
    moat_co_destroy(reader);
    return error;
}

static bool is_reading(void)
{
    for (const moat_co *co = moat_co_current(); co != NULL;
         co = moat_resumer_of(co))
        if (co->flags & CO_READER)
            return true;
    return false;
}

const char *moat_script_read(struct moat_script_walk *walk)
{
    if (moat_poison_seen())
        return "poisoned";
    return is_reading() ? "it is being read" : call_walk(walk);
}
