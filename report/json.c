/*
 * json.c: a trapped coroutine, for programs. docs/report.md lists the members.
 *
 * Written without a JSON library, because those allocate, and the guest may
 * have trapped while it held malloc's lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/json.h"

#include <inttypes.h>

#include "trace/frame.h"
#include "trace/shown.h"
#include "trace/trace.h"
#include "unwind/symbol.h"

struct json {
    struct moat_text *text;
    bool follows; /* a member or an element stands before the next */
};

/* --- pieces -------------------------------------------------------------- */

static void comma(struct json *json)
{
    if (json->follows)
        moat_text_put(json->text, ",");
    json->follows = true;
}

static void key(struct json *json, const char *name)
{
    comma(json);
    moat_text_put(json->text, "\"%s\":", name);
}

static void begin(struct json *json, const char *bracket)
{
    moat_text_put(json->text, "%s", bracket);
    json->follows = false;
}

static void end(struct json *json, const char *bracket)
{
    moat_text_put(json->text, "%s", bracket);
    json->follows = true;
}

static bool is_utf8(const char *string)
{
    while (*string != '\0') {
        unsigned length = moat_utf8_length(string);

        if (length == 0)
            return false;
        string += length;
    }
    return true;
}

/* Names come from files and hosts: bytes that are not UTF-8 are replaced, lest
 * the whole report be invalid. */
static void put_string(struct json *json, const char *string)
{
    bool clean = is_utf8(string);

    moat_text_put(json->text, "\"");
    for (const char *c = string; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;

        if (byte < 0x20)
            moat_text_put(json->text, "\\u%04x", byte);
        else if (byte >= 0x80 && !clean)
            moat_text_put(json->text, "?");
        else
            moat_text_put(json->text,
                          byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
    }
    moat_text_put(json->text, "\"");
}

static void string(struct json *json, const char *name, const char *value)
{
    key(json, name);
    put_string(json, value);
}

/* Addresses are strings: many readers take JSON numbers for doubles. */
static void address(struct json *json, const char *name, uint64_t value)
{
    key(json, name);
    moat_text_put(json->text, "\"0x%" PRIx64 "\"", value);
}

static void integer(struct json *json, const char *name, int value)
{
    key(json, name);
    moat_text_put(json->text, "%d", value);
}

static void size(struct json *json, const char *name, size_t value)
{
    key(json, name);
    moat_text_put(json->text, "%zu", value);
}

static void boolean(struct json *json, const char *name, bool value)
{
    key(json, name);
    moat_text_put(json->text, "%s", value ? "true" : "false");
}

/* --- the report ---------------------------------------------------------- */

static const char *access_name(moat_access access)
{
    static const char *const names[] = {"none", "read", "write", "exec"};

    return names[access];
}

static void put_registers(struct json *json, const moat_regs *regs)
{
    key(json, "registers");
    begin(json, "{");
    for (unsigned i = 0; i < MOAT_ARCH_REGISTERS; i++)
        address(json, moat_arch_registers[i].name,
                moat_arch_register_value(&moat_arch_registers[i], regs));
    end(json, "}");
}

static void put_code(struct json *json, const moat_trap_info *info)
{
    key(json, "bytes");
    moat_text_put(json->text, "\"");
    for (unsigned i = 0; i < info->byte_count; i++)
        moat_text_put(json->text, "%02x", info->bytes[i]);
    moat_text_put(json->text, "\"");
}

/* Names need not be unique, and some coroutines have none. */
static void put_coroutine(struct json *json, const moat_co *co)
{
    string(json, "coroutine", moat_co_name(co));
    address(json, "handle", (uintptr_t)co);
}

static void put_limit(struct json *json, const moat_trap_info *info)
{
    string(json, "limit", moat_limit_name(info->limit));
    size(json, "limit_asked", info->limit_asked);
    size(json, "limit_used", info->limit_used);
}

static void put_call(struct json *json, const moat_trap_info *info)
{
    if (info->kind != MOAT_TRAP_SYSCALL)
        return;
    integer(json, "syscall", (int)info->syscall_number);
    if (!info->syscall_is_foreign)
        string(json, "syscall_name", moat_syscall_name(info->syscall_number));
}

static void put_record(struct json *json, const struct moat_description *report)
{
    const moat_trap_info *info = &report->info;

    put_coroutine(json, report->co);
    string(json, "kind", moat_trap_kind_name(info->kind));
    string(json, "text", moat_trap_kind_str(info->kind));
    integer(json, "signal", info->signo);
    integer(json, "code", info->code);
    string(json, "access", access_name(info->access));
    address(json, "address", info->address);
    integer(json, "user_code", info->user_code);
    put_limit(json, info);
    put_call(json, info);
    boolean(json, "in_host_call", info->in_host_call);
    boolean(json, "poisoned", moat_co_is_poisoned(report->co));
    if (report->lock_function != NULL)
        string(json, "lock_function", report->lock_function);
    size(json, "stack_used", info->stack_used);
    put_code(json, info);
    put_registers(json, info->regs);
}

static void put_place(struct json *json, const char *file, const char *line,
                      const struct moat_location *place)
{
    if (place->file[0] == '\0')
        return;
    string(json, file, place->file);
    integer(json, line, place->line);
}

static void put_inlined(struct json *json, const struct moat_symbol *symbol)
{
    if (symbol->inlined_count == 0)
        return;
    key(json, "inlined");
    begin(json, "[");
    for (unsigned i = 0; i < symbol->inlined_count; i++) {
        comma(json);
        begin(json, "{");
        string(json, "function", symbol->inlined[i].function);
        put_place(json, "call_file", "call_line", &symbol->inlined[i].call);
        end(json, "}");
    }
    end(json, "]");
}

/* Members whose value is not known are left out. */
static void put_symbol(struct json *json, const struct moat_symbol *symbol)
{
    if (symbol->function[0] != '\0')
        string(json, "function", symbol->function);
    if (symbol->module[0] != '\0') {
        string(json, "module", symbol->module);
        address(json, "module_offset", symbol->module_offset);
    }
    put_place(json, "file", "line", &symbol->location);
    put_inlined(json, symbol);
}

static void put_script_line(struct json *json,
                            const struct moat_script_line *line)
{
    comma(json);
    begin(json, "{");
    size(json, "number", line->number);
    string(json, "language", line->language);
    if (line->function[0] != '\0')
        string(json, "function", line->function);
    if (line->source[0] != '\0')
        string(json, "source", line->source);
    if (line->line > 0)
        integer(json, "line", line->line);
    end(json, "}");
}

/* Writes the script's frames after the i-th native frame; `next` is the first
 * one that stands after no earlier frame. */
static void put_script(struct json *json, const struct moat_scripts *scripts,
                       size_t i, size_t next)
{
    if (next == scripts->count ||
        moat_scripts_line(scripts, next)->position != i)
        return;
    key(json, "script");
    begin(json, "[");
    for (; next < scripts->count; next++) {
        if (moat_scripts_line(scripts, next)->position != i)
            break;
        put_script_line(json, moat_scripts_line(scripts, next));
    }
    end(json, "]");
}

static void put_border(struct json *json, const struct moat_scripts *scripts,
                       const moat_frame *frame)
{
    const char *error =
        frame->co != NULL ? moat_scripts_error(scripts, frame->co) : NULL;

    if (error != NULL)
        string(json, "script_error", error);
}

static void put_frame(struct json *json, struct moat_description *report,
                      size_t i, size_t next)
{
    const moat_frame *frame = &report->ends.frames[i];

    comma(json);
    begin(json, "{");
    size(json, "number", moat_ends_number(&report->ends, i));
    address(json, "pc", frame->pc);
    address(json, "sp", frame->sp);
    boolean(json, "root", (frame->flags & MOAT_FRAME_ROOT) != 0);
    boolean(json, "guessed", (frame->flags & MOAT_FRAME_GUESSED) != 0);
    if (frame->co != NULL)
        put_coroutine(json, frame->co);
    if (frame->flags & MOAT_FRAME_ROOT) {
        put_border(json, &report->scripts, frame);
    } else {
        moat_frame_symbolise(frame, report->names, &report->symbol);
        put_symbol(json, &report->symbol);
    }
    put_script(json, &report->scripts, i, next);
    end(json, "}");
}

/* Frames written of each end of a long backtrace, besides all borders in
 * between. */
#define END_FRAMES 128

static bool is_written(const struct moat_both_ends *ends, size_t i)
{
    return i < END_FRAMES || ends->count - i <= END_FRAMES ||
           (ends->frames[i].flags & MOAT_FRAME_ROOT);
}

static void put_frames(struct json *json, struct moat_description *report)
{
    const struct moat_scripts *scripts = &report->scripts;
    size_t left_out = report->ends.total, next = 0;

    size(json, "frame_count", report->ends.total);
    key(json, "frames");
    begin(json, "[");
    for (size_t i = 0; i < report->ends.count; i++) {
        while (next < scripts->count &&
               moat_scripts_line(scripts, next)->position < i)
            next++;
        if (!is_written(&report->ends, i))
            continue;
        put_frame(json, report, i, next);
        left_out--;
    }
    end(json, "]");
    size(json, "frames_left_out", left_out);
}

/* Puts what the frames lack, and why. */
static void put_missing(struct json *json,
                        const struct moat_description *report)
{
    if (report->ends.starved)
        string(json, "walk_obstacle", "too little stack is left");
    if (report->names == MOAT_NAMES_LINES)
        return;
    string(json, "names_missing", moat_names_missing(report->names));
    string(json, "names_obstacle", moat_names_obstacle());
}

void moat_report_put_json(struct moat_description *report)
{
    struct json json = {&report->text, false};

    begin(&json, "{");
    put_record(&json, report);
    put_frames(&json, report);
    put_missing(&json, report);
    end(&json, "}\n"); /* one object, one line */
}
