/*
 * describe.c: the frames of a stopped coroutine with their names, native ones
 * and scripts', in one array.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/mman.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

/* Too large for a guest's stack. */
struct stack {
    struct moat_both_ends ends;
    struct moat_scripts scripts;
};

/* What is asked for, and how much of it is there. */
struct request {
    moat_described_frame *frames;
    size_t capacity, count;
    bool full;
};

static void put(struct request *request, const moat_described_frame *frame)
{
    if (request->count < request->capacity)
        request->frames[request->count++] = *frame;
    else
        request->full = true;
}

#define COPY(to, from)                                                   \
    do {                                                                 \
        _Static_assert(sizeof(to) >= sizeof(from), "a text is cut off"); \
        memcpy((to), (from), sizeof(from));                              \
    } while (0)

/* A recursion repeats a few addresses thousands of times, and naming one is
 * slow. */
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

static bool find_name(moat_described_frame *out)
{
    struct moat_symbol symbol;

    if (moat_frame_symbolise(&out->frame, &symbol) != MOAT_OK)
        return false;
    COPY(out->function, symbol.function);
    COPY(out->module, symbol.module);
    COPY(out->source, symbol.place.file);
    out->line = symbol.place.line;
    return true;
}

static void put_native(struct request *request, const struct stack *stack,
                       size_t i)
{
    moat_described_frame out;

    memset(&out, 0, sizeof out);
    out.frame = stack->ends.frames[i];
    out.number = moat_both_ends_number(&stack->ends, i);
    if (!(out.frame.flags & MOAT_FRAME_ROOT))
        (void)(copy_name(request, &out) || find_name(&out));
    else if (out.frame.co != NULL)
        out.script_error = moat_scripts_error(&stack->scripts, out.frame.co);
    put(request, &out);
}

static void put_script(struct request *request, const struct stack *stack,
                       const struct moat_script_line *line)
{
    moat_described_frame out;

    memset(&out, 0, sizeof out);
    out.frame = stack->ends.frames[line->place];
    out.frame.flags = MOAT_FRAME_SCRIPT;
    out.number = line->number;
    out.line = line->line;
    COPY(out.function, line->function);
    COPY(out.source, line->source);
    (void)strncpy(out.module, line->language, sizeof out.module - 1);
    put(request, &out);
}

static void put_all(struct request *request, const struct stack *stack)
{
    const struct moat_scripts *scripts = &stack->scripts;
    size_t next = 0;

    for (size_t i = 0; i < stack->ends.count && !request->full; i++) {
        put_native(request, stack, i);
        for (; next < scripts->count; next++) {
            const struct moat_script_line *line =
                moat_scripts_line(scripts, next);

            if (line->place > i)
                break;
            put_script(request, stack, line);
        }
    }
}

static moat_status describe(const moat_co *co, uintptr_t from_sp,
                            struct request *request)
{
    struct stack *stack = mmap(NULL, sizeof *stack, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_status status;

    if (stack == MAP_FAILED)
        return MOAT_E_NOMEM;
    status = moat_backtrace_both_ends(co, from_sp, &stack->ends);
    if (status == MOAT_OK) {
        moat_scripts_read(&stack->ends, &stack->scripts);
        put_all(request, stack);
    }
    (void)munmap(stack, sizeof *stack);
    return status == MOAT_OK && request->full ? MOAT_E_LIMIT : status;
}

__attribute__((noinline)) moat_status
moat_co_describe(const moat_co *co, moat_described_frame *frames,
                 size_t capacity, size_t *count)
{
    struct request request = {frames, capacity, 0, false};
    uintptr_t from_sp = MOAT_CALLER_SP;
    moat_status status;

    if (frames == NULL || count == NULL)
        return MOAT_E_INVAL;
    *count = 0;
    status = moat_hold_begin(MOAT_HOLD_UNWIND_BYTES);
    if (status != MOAT_OK)
        return status;
    status = describe(co, from_sp, &request);
    moat_hold_end();
    *count = request.count;
    return status;
}
