/*
 * frame.c: what a frame is called: its function, its place in the source, what
 * was inlined there; and the line of text for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

static void find_registered_line(uintptr_t pc, struct moat_symbol *out)
{
    struct moat_place *place = &out->place;
    uint32_t line;

    if (!moat_codes_line(pc, place->file, sizeof place->file, &line))
        return;
    place->line = line <= INT_MAX ? (int)line : INT_MAX;
    out->inlined_count = 0;
}

moat_status moat_frame_symbolise(const moat_frame *frame,
                                 struct moat_symbol *out)
{
    uintptr_t pc = moat_frame_lookup_pc(frame->pc, frame->flags),
              behind = frame->pc - pc;
    moat_status status = moat_backtrace_begin(MOAT_HOLD_SYMBOL_BYTES);

    if (status != MOAT_OK)
        return status;
    memset(out, 0, sizeof *out);
    if (!moat_codes_name(pc, out->function, sizeof out->function, &out->offset))
        moat_symbolise(pc, !moat_poison_seen(), out);
    find_registered_line(pc, out);
    out->offset += behind;
    out->module_offset += behind;
    moat_backtrace_end();
    return MOAT_OK;
}

/* One line in a buffer of the caller's; what does not fit is cut off. */
struct line {
    char *buffer;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *line,
                                                      const char *format, ...)
{
    size_t room = line->size - line->used;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line->buffer + line->used, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->used += (size_t)length < room ? (size_t)length : room - 1;
}

static void put_place(struct line *line, const struct moat_place *place)
{
    if (place->file[0] != '\0')
        put(line, " at %s:%d", place->file, place->line);
}

/* From the innermost outwards, to the function that has a frame. */
static void put_inlined(struct line *line, const struct moat_symbol *symbol)
{
    unsigned count = symbol->inlined_count;

    for (unsigned i = 0; i < count; i++) {
        bool last = i + 1 == count;

        put(line, "%s%s, inlined in %s", i == 0 ? " (" : "",
            i == 0 ? symbol->inlined[0].function : "",
            last ? symbol->function : symbol->inlined[i + 1].function);
        put_place(line, &symbol->inlined[i].call);
    }
    if (count > 0)
        put(line, ")");
}

static void put_symbol(struct line *line, const struct moat_symbol *symbol,
                       uintptr_t pc)
{
    if (symbol->function[0] != '\0')
        put(line, "%s+0x%" PRIxPTR, symbol->function, symbol->offset);
    if (symbol->function[0] != '\0' && symbol->module[0] != '\0')
        put(line, " in %s", symbol->module);
    else if (symbol->module[0] != '\0')
        put(line, "%s+0x%" PRIxPTR, symbol->module, symbol->module_offset);
    else if (symbol->function[0] == '\0')
        put(line, "0x%" PRIxPTR, pc);
    put_place(line, &symbol->place);
    put_inlined(line, symbol);
}

moat_status moat_frame_describe(const moat_frame *frame, char *buffer,
                                size_t size)
{
    struct line line = {buffer, size, 0};
    struct moat_symbol symbol;
    moat_status status;

    if (frame == NULL || buffer == NULL || size == 0)
        return MOAT_E_INVAL;
    if (frame->flags & MOAT_FRAME_ROOT) {
        (void)snprintf(buffer, size, "[coroutine '%s']",
                       moat_co_name(frame->co));
        return MOAT_OK;
    }
    status = moat_frame_symbolise(frame, &symbol);
    if (status == MOAT_OK)
        put_symbol(&line, &symbol, frame->pc);
    return status;
}
