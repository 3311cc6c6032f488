/*
 * script.c: the frames of a script, read by the host's `walk` from an
 * interpreter that a trap has stopped in any state.
 *
 * So the walk runs in a coroutine of its own, the reader, with a stack and a
 * time limit: whatever it does, the report goes on. Only one level: a report
 * that a walk makes reads no script.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <moat/moat.h>

#include "engine/coroutine.h"
#include "engine/nointr.h"
#include "engine/room.h"
#include "sys/copy.h"
#include "trace/lock_search.h"
#include "trace/poison.h"
#include "trace/script.h"
#include "trace/trace.h"

/* --- the walk's coroutine ------------------------------------------------ */

/* A walk takes microseconds. One that takes so long is in a loop. */
#define WALK_CPU_NS  UINT64_C(200000000)
#define WALK_WALL_NS UINT64_C(2000000000)

/* The line is composed in a local first, since reading the interpreter's texts
 * may fault. Its zeros terminate the texts of a line that is overwritten and
 * whose copy is interrupted. */
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
    moat_copy_text(line.function, sizeof line.function, frame->function);
    moat_copy_text(line.source, sizeof line.source, frame->source);
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

/* The event may be that of a coroutine to which the reader has switched. */
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
    /* Reset first: a cancel would let its cleanup code run once more. */
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
    if (!moat_room_for(MOAT_STACK_FOR_ENTRY))
        return moat_status_str(MOAT_E_LIMIT);
    return is_reading() ? "it is being read" : call_walk(walk);
}
