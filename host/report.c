/*
 * report.c: the linked backtrace with the script's own frames in it.
 *
 * The library's frames are C's. The Lua functions that were active lie between
 * them: each activation of the interpreter's loop runs those from the innermost
 * one left over out to the next one that C code called. Where the loop cannot
 * be told by name, all Lua frames are listed where the stack enters the
 * interpreter.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/backtrace.h>

#include "trace.h"

#define SHOWN_AT_EACH_END ((size_t)24)

static void write_head(FILE *out, const moat_co *co, const moat_trap_info *info)
{
    static const char *const accesses[] = {"", "read of ", "write to ",
                                           "execution of "};
    const char *function;

    fprintf(out, "    trap: %s", moat_trap_kind_str(info->kind));
    if (info->access != MOAT_ACCESS_NONE && info->access <= MOAT_ACCESS_EXEC)
        fprintf(out, ", %s0x%" PRIxPTR, accesses[info->access], info->address);
    fprintf(out, ", at pc 0x%" PRIxPTR "\n", info->pc);
    if (moat_co_lock_function(co, &function) == MOAT_OK && function != NULL)
        fprintf(out, "    lock: that of %s may still be held\n", function);
    fprintf(out, "    backtrace, innermost first:\n");
}

static void write_lua(FILE *out, const struct lua_frame *frame)
{
    fprintf(out, "           lua %s", frame->source);
    if (frame->line >= 0)
        fprintf(out, ":%d", frame->line);
    fprintf(out, " in %s\n", frame->name);
}

static void write_c(FILE *out, const moat_frame *frame, size_t number)
{
    char text[512];

    if (moat_frame_describe(frame, text, sizeof(text)) != MOAT_OK)
        snprintf(text, sizeof(text), "0x%" PRIxPTR, frame->pc);
    fprintf(out, "      #%-3zu %s%s\n", number, text,
            frame->flags & MOAT_FRAME_GUESSED ? " (found by repair)" : "");
}

static void write_lines(FILE *out, const struct trace *trace,
                        const struct lua_frames *lua)
{
    size_t left_out = trace->line_count > 2 * SHOWN_AT_EACH_END + 1
                          ? trace->line_count - 2 * SHOWN_AT_EACH_END
                          : 0;

    for (size_t i = 0; i < trace->line_count; i++) {
        const struct trace_line *line = &trace->lines[i];

        if (left_out != 0 && i == SHOWN_AT_EACH_END) {
            fprintf(out, "      ... %zu frames between\n", left_out);
            i += left_out - 1;
        } else if (line->is_lua) {
            write_lua(out, &lua->frames[line->index]);
        } else {
            write_c(out, &trace->frames[line->index], line->index);
        }
    }
    if (trace->cut)
        fprintf(out, "      ... the stack goes on\n");
    if (lua->cut)
        fprintf(out, "      (the script's own frames could not be read to the "
                     "end)\n");
}

char *report_text(const moat_co *co, const moat_trap_info *info,
                  struct lua_frames *lua)
{
    char *text = NULL;
    size_t bytes;
    struct trace trace;
    FILE *out = open_memstream(&text, &bytes);

    if (out == NULL)
        return NULL;
    write_head(out, co, info);
    if (trace_take(&trace, co, lua))
        write_lines(out, &trace, lua);
    else
        fprintf(out, "      (no backtrace: out of memory)\n");
    trace_free(&trace);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

json_t *report_json(const moat_co *co, struct lua_frames *lua)
{
    json_t *object = NULL;
    int fd = memfd_create("moat-report", MFD_CLOEXEC);
    struct trace trace;

    trace_take(&trace, co, lua);
    trace_free(&trace);
    if (fd < 0)
        return NULL;
    if (moat_co_write_json(co, fd) == MOAT_OK && lseek(fd, 0, SEEK_SET) == 0)
        object = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, NULL);
    close(fd);
    return object;
}
