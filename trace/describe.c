/*
 * describe.c: the frames of a stopped coroutine with their names, native ones
 * and scripts', in one array.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/mman.h>

#include <moat/moat.h>

#include "engine/nointr.h"
#include "engine/room.h"
#include "sys/refusal.h"
#include "trace/frame.h"
#include "trace/scripts.h"
#include "trace/trace.h"
#include "unwind/symbol.h"

/* Lies in a mapping of its own: it is too large for a guest's stack. */
struct backtrace {
    struct moat_both_ends ends;
    struct moat_scripts scripts;
    enum moat_names names;     /* those that are possible */
    struct moat_symbol symbol; /* scratch: it is large    */
};

/* The caller's array, and how much of it is used. */
struct request {
    moat_described_frame *frames;
    size_t capacity, count;
    size_t met;              /* frames so far                                */
    size_t gap_from, gap_to; /* those between the two ends are left out      */
};

/* Decides what is left out, now that the number of frames is known. The parts
 * are those of a report. */
static void choose_ends(struct request *request, size_t total)
{
    size_t last = request->capacity / 8 * 3 + request->capacity % 8 * 3 / 8;

    if (total <= request->capacity)
        return;
    request->gap_from = request->capacity - last;
    request->gap_to = total - last;
}

static bool is_full(const struct request *request)
{
    return request->gap_to > request->gap_from;
}

/* Returns whether the next frame is one of those that fit. */
static bool next(struct request *request)
{
    size_t i = request->met++;

    return i < request->gap_from || i >= request->gap_to;
}

static void put(struct request *request, const moat_described_frame *frame)
{
    request->frames[request->count++] = *frame;
}

#define COPY(to, from)                                                   \
    do {                                                                 \
        _Static_assert(sizeof(to) >= sizeof(from), "a text is cut off"); \
        memcpy((to), (from), sizeof(from));                              \
    } while (0)

/* Naming an address is slow, and a recursion repeats a few of them thousands of
 * times: so many described frames are searched for the same address first. */
#define LOOK_BACK ((size_t)16)

static bool is_same_code(const moat_frame *a, const moat_frame *b)
{
    return a->pc == b->pc && a->flags == b->flags;
}

static bool copy_name(const struct request *request, moat_described_frame *out)
{
    size_t first = request->count > LOOK_BACK ? request->count - LOOK_BACK : 0;

    for (size_t i = first; i < request->count; i++) {
        const moat_described_frame *named = &request->frames[i];

        if (!is_same_code(&named->frame, &out->frame))
            continue;
        COPY(out->function, named->function);
        COPY(out->module, named->module);
        COPY(out->source, named->source);
        out->line = named->line;
        return true;
    }
    return false;
}

static void find_name(struct backtrace *backtrace, moat_described_frame *out)
{
    struct moat_symbol *symbol = &backtrace->symbol;

    moat_frame_symbolise(&out->frame, backtrace->names, symbol);
    COPY(out->function, symbol->function);
    COPY(out->module, symbol->module);
    COPY(out->source, symbol->location.file);
    out->line = symbol->location.line;
}

static void put_native(struct request *request, struct backtrace *backtrace,
                       size_t i)
{
    moat_described_frame out;

    if (!next(request))
        return;
    memset(&out, 0, sizeof out);
    out.frame = backtrace->ends.frames[i];
    out.number = moat_ends_number(&backtrace->ends, i);
    if (out.frame.flags & MOAT_FRAME_ROOT) {
        if (out.frame.co != NULL)
            out.script_error =
                moat_scripts_error(&backtrace->scripts, out.frame.co);
    } else if (!copy_name(request, &out)) {
        find_name(backtrace, &out);
    }
    put(request, &out);
}

static void put_script(struct request *request,
                       const struct backtrace *backtrace,
                       const struct moat_script_line *line)
{
    moat_described_frame out;

    if (!next(request))
        return;
    memset(&out, 0, sizeof out);
    out.frame = backtrace->ends.frames[line->position];
    out.frame.flags = MOAT_FRAME_SCRIPT;
    out.number = line->number;
    out.line = line->line;
    COPY(out.function, line->function);
    COPY(out.source, line->source);
    (void)strncpy(out.module, line->language, sizeof out.module - 1);
    put(request, &out);
}

static void put_all(struct request *request, struct backtrace *backtrace)
{
    const struct moat_scripts *scripts = &backtrace->scripts;
    size_t script = 0;

    choose_ends(request, backtrace->ends.count + scripts->count);
    for (size_t i = 0; i < backtrace->ends.count; i++) {
        put_native(request, backtrace, i);
        for (; script < scripts->count; script++) {
            const struct moat_script_line *line =
                moat_scripts_line(scripts, script);

            if (line->position > i)
                break;
            put_script(request, backtrace, line);
        }
    }
}

static moat_status describe(const moat_co *co, uintptr_t from_sp,
                            struct request *request)
{
    struct backtrace *backtrace =
        mmap(NULL, sizeof *backtrace, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_status status;

    if (backtrace == MAP_FAILED)
        return MOAT_E_NOMEM;
    status = moat_backtrace_both_ends(co, from_sp, &backtrace->ends);
    if (status == MOAT_OK) {
        moat_scripts_read(&backtrace->ends, &backtrace->scripts);
        backtrace->names = moat_names_possible();
        put_all(request, backtrace);
    }
    (void)munmap(backtrace, sizeof *backtrace);
    return status == MOAT_OK && is_full(request)
               ? moat_trace_refuse_full(request->capacity)
               : status;
}

__attribute__((noinline)) moat_status
moat_co_describe(const moat_co *co, moat_described_frame *frames,
                 size_t capacity, size_t *count)
{
    struct request request = {.frames = frames, .capacity = capacity};
    uintptr_t from_sp = MOAT_CALLER_SP;
    moat_status status;

    if (frames == NULL || count == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           frames == NULL ? "frames is NULL" : "count is NULL");
    *count = 0;
    status = moat_room_begin(MOAT_STACK_FOR_WALK);
    if (status != MOAT_OK)
        return status;
    status = describe(co, from_sp, &request);
    moat_nointr_end();
    *count = request.count;
    return status;
}
