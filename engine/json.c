/*
 * json.c: a trapped coroutine, for programs. docs/report.md lists the members.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

/* Addresses do not fit a JSON number: readers take those for doubles. */
static json_t *address(uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

/* Names come from files and hosts: what is not UTF-8 is replaced, not lost with
 * the whole report. */
static json_t *text(const char *bytes)
{
    json_t *string = json_string(bytes);
    char clean[1024];
    size_t i;

    if (string != NULL)
        return string;
    for (i = 0; bytes[i] != '\0' && i + 1 < sizeof clean; i++)
        clean[i] = (char)((unsigned char)bytes[i] < 0x80 ? bytes[i] : '?');
    clean[i] = '\0';
    return json_string(clean);
}

static const char *access_name(moat_access access)
{
    static const char *const names[] = {"none", "read", "write", "exec"};

    return names[access];
}

static json_t *registers(const moat_regs *r)
{
    return json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,"
        "s:o}",
        "rip", address(r->pc), "rsp", address(r->sp), "rbp", address(r->fp),
        "rax", address(r->rax), "rbx", address(r->rbx), "rcx", address(r->rcx),
        "rdx", address(r->rdx), "rsi", address(r->rsi), "rdi", address(r->rdi),
        "r8", address(r->r8), "r9", address(r->r9), "r10", address(r->r10),
        "r11", address(r->r11), "r12", address(r->r12), "r13", address(r->r13),
        "r14", address(r->r14), "r15", address(r->r15), "rflags",
        address(r->flags));
}

static json_t *code(const moat_trap_info *info)
{
    char hex[2 * sizeof info->bytes + 1] = "";

    for (unsigned i = 0; i < info->byte_count; i++)
        (void)snprintf(hex + 2 * (size_t)i, 3, "%02x", info->bytes[i]);
    return json_string(hex);
}

/* Members whose value is not known are left out. */
static void add_symbol(json_t *object, const moat_frame *frame)
{
    struct moat_symbol symbol;

    if (moat_frame_symbolise(frame, &symbol) != MOAT_OK)
        return;
    if (symbol.function[0] != '\0')
        (void)json_object_set_new(object, "function", text(symbol.function));
    if (symbol.module[0] != '\0')
        (void)json_object_set_new(object, "module", text(symbol.module));
    if (symbol.file[0] != '\0') {
        (void)json_object_set_new(object, "file", text(symbol.file));
        (void)json_object_set_new(object, "line", json_integer(symbol.line));
    }
}

static json_t *one_frame(const moat_frame *frame, size_t number)
{
    json_t *object =
        json_pack("{s:I,s:o,s:o,s:b,s:b}", "number", (json_int_t)number, "pc",
                  address(frame->pc), "sp", address(frame->sp), "root",
                  (frame->flags & MOAT_FRAME_ROOT) != 0, "guessed",
                  (frame->flags & MOAT_FRAME_GUESSED) != 0);

    if (object == NULL)
        return NULL;
    if (frame->co != NULL)
        (void)json_object_set_new(object, "coroutine",
                                  text(moat_co_name(frame->co)));
    if (!(frame->flags & MOAT_FRAME_ROOT))
        add_symbol(object, frame);
    return object;
}

/* As many as people would be shown, twice: the ends of a long backtrace. */
#define END_FRAMES 128

static json_t *all_frames(const struct moat_both_ends *ends)
{
    json_t *array = json_array();
    size_t count = ends->count;

    for (size_t i = 0; i < count; i++) {
        bool last = count - i <= END_FRAMES;

        if (!last && i >= END_FRAMES)
            continue;
        if (json_array_append_new(
                array, one_frame(&ends->frames[i],
                                 last ? i + ends->left_out : i)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *report(const moat_co *co, const moat_trap_info *info,
                      const struct moat_both_ends *ends)
{
    json_int_t total = (json_int_t)ends->count + (json_int_t)ends->left_out;

    return json_pack(
        "{s:o,s:s,s:s,s:i,s:i,s:s,s:o,s:i,s:I,s:o,s:o,s:I,s:o}", "coroutine",
        text(moat_co_name(co)), "kind", moat_trap_kind_name(info->kind), "text",
        moat_trap_kind_str(info->kind), "signal", info->signo, "code",
        info->code, "access", access_name(info->access), "address",
        address(info->address), "user_code", info->user_code, "stack_used",
        (json_int_t)info->stack_used, "bytes", code(info), "registers",
        registers(info->regs), "frame_count", total, "frames",
        all_frames(ends));
}

static moat_status write_object(json_t *object, int fd)
{
    char *line = json_dumps(object, JSON_COMPACT);
    size_t bytes;
    moat_status status;

    if (line == NULL)
        return MOAT_E_NOMEM;
    bytes = strlen(line);
    line[bytes] = '\n'; /* in place of the terminator: one object, one line */
    status = moat_report_write(fd, line, bytes + 1);
    free(line);
    return status;
}

__attribute__((noinline)) moat_status moat_co_write_json(const moat_co *co,
                                                         int fd)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    struct moat_both_ends *ends;
    json_t *object;
    moat_status status =
        moat_report_begin(co, fd, MOAT_CALLER_SP, &info, &ends);

    if (status != MOAT_OK)
        return status;
    object = report(co, &info, ends);
    status = object != NULL ? write_object(object, fd) : MOAT_E_NOMEM;
    json_decref(object);
    moat_report_end(ends);
    return status;
}
