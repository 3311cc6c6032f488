/*
 * frame.c: what a frame is called: its function, its source location, the
 * functions inlined there; and the line of text for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <moat/moat.h>

#include "engine/nointr.h"
#include "engine/room.h"
#include "registry/code.h"
#include "sys/refusal.h"
#include "trace/frame.h"
#include "trace/lock_search.h"
#include "trace/shown.h"
#include "trace/trace.h"
#include "trap/probe.h"

static void find_registered_line(uintptr_t pc, struct moat_symbol *out)
{
    struct moat_location *place = &out->location;
    uint32_t line;

    if (!moat_codes_line(pc, place->file, sizeof place->file, &line))
        return;
    place->line = line <= INT_MAX ? (int)line : INT_MAX;
    out->inlined_count = 0;
}

struct question {
    uintptr_t pc;
    struct moat_symbol *out;
};

/* Takes no lock, so a fault may end it: another thread may unload the library.
 */
static void symbolise_without_files(void *arg)
{
    const struct question *question = arg;

    moat_symbolise(question->pc, MOAT_NAMES_EXPORTS, question->out);
}

static void symbolise(uintptr_t pc, enum moat_names names,
                      struct moat_symbol *out)
{
    struct question question = {pc, out};

    if (names >= MOAT_NAMES_TABLES)
        moat_symbolise(pc, names, out);
    else if (names == MOAT_NAMES_EXPORTS)
        (void)moat_trap_try(symbolise_without_files, &question);
}

/* Names from files take the heap and locks. */
enum moat_names moat_names_possible(void)
{
    if (!moat_room_for(MOAT_STACK_FOR_EXPORTS))
        return MOAT_NAMES_NONE;
    if (moat_poison_seen() || !moat_room_for(MOAT_STACK_FOR_TABLES))
        return MOAT_NAMES_EXPORTS;
    return moat_room_for(MOAT_STACK_FOR_LINES) ? MOAT_NAMES_LINES
                                               : MOAT_NAMES_TABLES;
}

const char *moat_names_missing(enum moat_names names)
{
    static const char *const missing[] = {
        "names", "names of static functions and lines", "lines"};

    return missing[names];
}

const char *moat_names_obstacle(void)
{
    return moat_poison_seen() ? "poisoned" : "too little stack is left";
}

void moat_frame_symbolise(const moat_frame *frame, enum moat_names names,
                          struct moat_symbol *out)
{
    uintptr_t pc = moat_frame_lookup_pc(frame->pc, frame->flags),
              behind = frame->pc - pc;

    memset(out, 0, sizeof *out);
    if (names == MOAT_NAMES_NONE)
        return;
    moat_trace_begin();
    if (!moat_codes_name(pc, out->function, sizeof out->function, &out->offset))
        symbolise(pc, names, out);
    find_registered_line(pc, out);
    out->offset += behind;
    out->module_offset += behind;
    moat_trace_end();
}

/* A line in the caller's buffer; it is truncated to fit. */
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

/* As it is shown. Only whole characters are put. */
static void put_name(struct line *line, const char *name)
{
    while (*name != '\0') {
        unsigned shown = moat_shown_char(name), length = moat_utf8_length(name);

        if (line->size - line->used <= shown)
            return;
        put(line, "%.*s", (int)shown, name);
        name += shown;
        /* A byte that is not UTF-8 is one character. */
        for (unsigned i = 0; shown == 0 && (i == 0 || i < length); i++)
            put(line, "\\x%02x", (unsigned char)*name++);
    }
}

static void put_place(struct line *line, const struct moat_location *place)
{
    if (place->file[0] == '\0')
        return;
    put(line, " at ");
    put_name(line, place->file);
    put(line, ":%d", place->line);
}

/* From the innermost outwards, to the function that has a frame. */
static void put_inlined(struct line *line, const struct moat_symbol *symbol)
{
    unsigned count = symbol->inlined_count;

    for (unsigned i = 0; i < count; i++) {
        bool last = i + 1 == count;

        if (i == 0) {
            put(line, " (");
            put_name(line, symbol->inlined[0].function);
        }
        put(line, ", inlined in ");
        put_name(line,
                 last ? symbol->function : symbol->inlined[i + 1].function);
        put_place(line, &symbol->inlined[i].call);
    }
    if (count > 0)
        put(line, ")");
}

static void put_symbol(struct line *line, const struct moat_symbol *symbol,
                       uintptr_t pc)
{
    if (symbol->function[0] != '\0') {
        put_name(line, symbol->function);
        put(line, "+0x%" PRIxPTR "%s", symbol->offset,
            symbol->module[0] != '\0' ? " in " : "");
    }
    put_name(line, symbol->module);
    if (symbol->function[0] == '\0' && symbol->module[0] != '\0')
        put(line, "+0x%" PRIxPTR, symbol->module_offset);
    else if (symbol->function[0] == '\0')
        put(line, "0x%" PRIxPTR, pc);
    put_place(line, &symbol->location);
    put_inlined(line, symbol);
}

/* One without a name is known by its address. */
static void put_border(struct line *line, const moat_co *co)
{
    const char *name = moat_co_name(co);

    if (name[0] == '\0') {
        put(line, "[coroutine 0x%" PRIxPTR "]", (uintptr_t)co);
        return;
    }
    put(line, "[coroutine '");
    put_name(line, name);
    put(line, "']");
}

void moat_frame_write_line(const moat_frame *frame, enum moat_names names,
                           struct moat_symbol *symbol, char *buffer,
                           size_t size)
{
    struct line line = {buffer, size, 0};

    buffer[0] = '\0';
    if (frame->flags & MOAT_FRAME_ROOT) {
        put_border(&line, frame->co);
        return;
    }
    moat_frame_symbolise(frame, names, symbol);
    put_symbol(&line, symbol, frame->pc);
}

/* Apart, so that the symbol takes no stack before it is known to be there. */
static __attribute__((noinline)) void describe(const moat_frame *frame,
                                               char *buffer, size_t size)
{
    struct moat_symbol symbol;

    moat_frame_write_line(frame, moat_names_possible(), &symbol, buffer, size);
}

moat_status moat_frame_describe(const moat_frame *frame, char *buffer,
                                size_t size)
{
    moat_status status;

    if (frame == NULL || buffer == NULL || size == 0)
        return moat_refuse(MOAT_E_INVAL, frame == NULL    ? "frame is NULL"
                                         : buffer == NULL ? "buffer is NULL"
                                                          : "size is 0");
    status = moat_room_begin(MOAT_STACK_FOR_TEXT);
    if (status != MOAT_OK)
        return status;
    describe(frame, buffer, size);
    moat_nointr_end();
    return MOAT_OK;
}
