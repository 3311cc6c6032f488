/*
 * json.c: a trapped coroutine, for programs. docs/report.md lists the members.
 *
 * Written by hand, for a JSON library allocates: the guest may have died with
 * malloc's lock in its hands.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

struct json {
    struct moat_text *text;
    bool follows; /* the next member or element is not the first */
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

/* The length of the UTF-8 sequence that begins there, 0: none does (RFC 3629,
 * section 4: no longer forms, no surrogates, nothing above U+10FFFF). */
static unsigned sequence(const unsigned char *s)
{
    unsigned length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (length == 1)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (unsigned i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

static bool is_utf8(const char *string)
{
    const unsigned char *s = (const unsigned char *)string;

    while (*s != '\0') {
        unsigned length = sequence(s);

        if (length == 0)
            return false;
        s += length;
    }
    return true;
}

/* Names come from files and hosts: what is not UTF-8 is replaced, not lost with
 * the whole report. */
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

/* Addresses do not fit a JSON number: readers take those for doubles. */
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

static void put_registers(struct json *json, const moat_regs *r)
{
    key(json, "registers");
    begin(json, "{");
    address(json, "rip", r->pc);
    address(json, "rsp", r->sp);
    address(json, "rbp", r->fp);
    address(json, "rax", r->rax);
    address(json, "rbx", r->rbx);
    address(json, "rcx", r->rcx);
    address(json, "rdx", r->rdx);
    address(json, "rsi", r->rsi);
    address(json, "rdi", r->rdi);
    address(json, "r8", r->r8);
    address(json, "r9", r->r9);
    address(json, "r10", r->r10);
    address(json, "r11", r->r11);
    address(json, "r12", r->r12);
    address(json, "r13", r->r13);
    address(json, "r14", r->r14);
    address(json, "r15", r->r15);
    address(json, "rflags", r->flags);
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

static void put_record(struct json *json, const struct moat_report *report)
{
    const moat_trap_info *info = &report->info;

    string(json, "coroutine", moat_co_name(report->co));
    string(json, "kind", moat_trap_kind_name(info->kind));
    string(json, "text", moat_trap_kind_str(info->kind));
    integer(json, "signal", info->signo);
    integer(json, "code", info->code);
    string(json, "access", access_name(info->access));
    address(json, "address", info->address);
    integer(json, "user_code", info->user_code);
    boolean(json, "poisoned", moat_co_is_poisoned(report->co));
    if (report->lock_function != NULL)
        string(json, "lock_function", report->lock_function);
    size(json, "stack_used", info->stack_used);
    put_code(json, info);
    put_registers(json, info->regs);
}

static void put_place(struct json *json, const char *file, const char *line,
                      const struct moat_place *place)
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
static void put_symbol(struct json *json, const moat_frame *frame)
{
    struct moat_symbol symbol;

    if (moat_frame_symbolise(frame, &symbol) != MOAT_OK)
        return;
    if (symbol.function[0] != '\0')
        string(json, "function", symbol.function);
    if (symbol.module[0] != '\0') {
        string(json, "module", symbol.module);
        address(json, "module_offset", symbol.module_offset);
    }
    put_place(json, "file", "line", &symbol.place);
    put_inlined(json, &symbol);
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

/* Those that the i-th native frame runs; `next` is the first that no native
 * frame before it did. */
static void put_script(struct json *json, const struct moat_scripts *scripts,
                       size_t i, size_t next)
{
    if (next == scripts->count || moat_scripts_line(scripts, next)->place != i)
        return;
    key(json, "script");
    begin(json, "[");
    for (; next < scripts->count; next++) {
        if (moat_scripts_line(scripts, next)->place != i)
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

static void put_frame(struct json *json, const struct moat_report *report,
                      size_t i, size_t next)
{
    const moat_frame *frame = &report->ends.frames[i];

    comma(json);
    begin(json, "{");
    size(json, "number", moat_both_ends_number(&report->ends, i));
    address(json, "pc", frame->pc);
    address(json, "sp", frame->sp);
    boolean(json, "root", (frame->flags & MOAT_FRAME_ROOT) != 0);
    boolean(json, "guessed", (frame->flags & MOAT_FRAME_GUESSED) != 0);
    if (frame->co != NULL)
        string(json, "coroutine", moat_co_name(frame->co));
    if (frame->flags & MOAT_FRAME_ROOT)
        put_border(json, &report->scripts, frame);
    else
        put_symbol(json, frame);
    put_script(json, &report->scripts, i, next);
    end(json, "}");
}

/* As many as people would be shown, twice: the ends of a long backtrace. */
#define END_FRAMES 128

static void put_frames(struct json *json, const struct moat_report *report)
{
    const struct moat_scripts *scripts = &report->scripts;
    size_t count = report->ends.count, next = 0;

    size(json, "frame_count", count + report->ends.left_out);
    key(json, "frames");
    begin(json, "[");
    for (size_t i = 0; i < count; i++) {
        while (next < scripts->count &&
               moat_scripts_line(scripts, next)->place < i)
            next++;
        if (count - i <= END_FRAMES || i < END_FRAMES)
            put_frame(json, report, i, next);
    }
    end(json, "]");
}

__attribute__((noinline)) moat_status moat_co_write_json(const moat_co *co,
                                                         int fd)
{
    struct moat_report *report;
    struct json json;
    moat_status status = moat_report_begin(co, fd, MOAT_CALLER_SP, &report);

    if (status != MOAT_OK)
        return status;
    json = (struct json){&report->text, false};
    begin(&json, "{");
    put_record(&json, report);
    put_frames(&json, report);
    end(&json, "}\n"); /* one object, one line */
    return moat_report_end(report);
}
