/*
 * text.c: a trapped coroutine, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "report/names.h"
#include "trace/frame.h"
#include "trace/trace.h"
#include "unwind/walk_libunwind.h"

/* An overflow has thousands of frames; its two ends are of interest. */
#define FIRST_FRAMES 40
#define LAST_FRAMES  24
/* So many of the borders between the two ends are shown. */
#define BORDERS 8

static const char *access_text(moat_access access)
{
    switch (access) {
    case MOAT_ACCESS_READ:
        return "read of";
    case MOAT_ACCESS_WRITE:
        return "write to";
    case MOAT_ACCESS_EXEC:
        return "jump to";
    default:
        return "access to";
    }
}

static const char *region_text(moat_region region)
{
    switch (region) {
    case MOAT_REGION_OWN_GUARD:
        return " (the guard of its stack)";
    case MOAT_REGION_OWN_STACK:
        return " (its stack)";
    case MOAT_REGION_OTHER_GUARD:
        return " (the guard of another coroutine's stack)";
    case MOAT_REGION_OTHER_STACK:
        return " (another coroutine's stack)";
    case MOAT_REGION_ARENA:
        return " (an unused stack)";
    default:
        return "";
    }
}

void moat_report_put_access(struct moat_text *text, const moat_trap_info *info)
{
    moat_text_put(text, "%s 0x%" PRIxPTR "%s", access_text(info->access),
                  info->address, region_text(info->region));
}

/* Real-time signals are named by their distance from the last one, as in the
 * engine's options. */
static void print_signal(struct moat_text *text, const moat_trap_info *info)
{
    const char *name = sigabbrev_np(info->signo);
    int to_last = SIGRTMAX - info->signo;

    if (name != NULL)
        moat_text_put(text, "  signal   SIG%s", name);
    else if (to_last > 0)
        moat_text_put(text, "  signal   SIGRTMAX-%d", to_last);
    else
        moat_text_put(text, "  signal   SIGRTMAX");
    moat_text_put(text, ", code %d\n", info->code);
}

static void print_call(struct moat_text *text, const moat_trap_info *info)
{
    if (info->syscall_is_foreign)
        moat_text_put(text, "  call     %ld of another ABI\n",
                      info->syscall_number);
    else
        moat_text_put(text, "  call     %s (%ld)\n",
                      moat_syscall_name(info->syscall_number),
                      info->syscall_number);
}

static void print_limit(struct moat_text *text, const moat_trap_info *info)
{
    uint64_t asked = info->limit_asked / 1000, used = info->limit_used / 1000;

    if (info->limit == MOAT_LIMIT_MEMORY) {
        moat_text_put(
            text, "  limit    %s: %" PRIu64 " bytes, used %" PRIu64 "\n",
            moat_limit_str(info->limit), info->limit_asked, info->limit_used);
        return;
    }
    moat_text_put(
        text, "  limit    %s: %" PRIu64 ".%03u ms, used %" PRIu64 ".%03u ms\n",
        moat_limit_str(info->limit), asked / 1000, (unsigned)(asked % 1000),
        used / 1000, (unsigned)(used % 1000));
}

/* The kinds whose user_code means something. */
static const struct {
    moat_trap_kind kind;
    const char *name;
} codes[] = {{MOAT_TRAP_RAISED, "raised"},
             {MOAT_TRAP_EXIT, "status"},
             {MOAT_TRAP_SIGNAL, "sent"},
             {MOAT_TRAP_JUMP, "value"}};

static void print_cause(struct moat_text *text, const moat_trap_info *info)
{
    if (info->signo != 0)
        print_signal(text, info);
    if (info->kind == MOAT_TRAP_SYSCALL)
        print_call(text, info);
    else if (info->limit != MOAT_LIMIT_NONE)
        print_limit(text, info);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (info->kind == codes[i].kind)
            moat_text_put(text, "  %-8s %d\n", codes[i].name, info->user_code);
    }
    if (info->access != MOAT_ACCESS_NONE) {
        moat_text_put(text, "  access   ");
        moat_report_put_access(text, info);
        moat_text_put(text, "\n");
    }
}

/* Short names share a column; a longer one has two spaces before it. */
static void print_register(struct moat_text *text,
                           const struct moat_arch_register *reg,
                           const moat_regs *regs)
{
    size_t length = strlen(reg->label);

    moat_text_put(text, "%*s %0*" PRIxPTR, length < 4 ? 4 : (int)length + 2,
                  reg->label, reg->digits, moat_arch_register_value(reg, regs));
}

static void print_registers(struct moat_text *text, const moat_regs *regs)
{
    for (unsigned i = 0; i < MOAT_ARCH_REGISTERS; i++) {
        print_register(text, &moat_arch_registers[moat_arch_register_order[i]],
                       regs);
        if (i % 4 == 3 || i == MOAT_ARCH_REGISTERS - 1)
            moat_text_put(text, "\n");
    }
}

/* One without a name is known by its address. */
void moat_report_put_title(struct moat_text *text, const moat_co *co,
                           moat_trap_kind kind)
{
    const char *name = moat_co_name(co);

    moat_text_put(text, "coroutine ");
    if (name[0] != '\0') {
        moat_text_put(text, "'");
        moat_text_put_name(text, name);
        moat_text_put(text, "'");
    } else {
        moat_text_put(text, "0x%" PRIxPTR, (uintptr_t)co);
    }
    moat_text_put(text, " trapped: %s", moat_trap_kind_str(kind));
}

static void print_record(struct moat_text *text,
                         const struct moat_description *report)
{
    const struct moat_slot *slot = &co_of(report->co)->slot;
    const moat_trap_info *info = &report->info;

    moat_report_put_title(text, report->co, info->kind);
    moat_text_put(text, "\n");
    print_cause(text, info);
    if (info->in_host_call)
        moat_text_put(text, "  in       a call of the host's for the guest\n");
    if (report->lock_function != NULL)
        moat_text_put(text, "  lock     that of %s may still be held\n",
                      report->lock_function);
    moat_text_put(text, "  stack    %zu of %zu bytes in use\n",
                  info->stack_used, (size_t)(slot->base - slot->limit));
    print_registers(text, info->regs);
    if (info->byte_count == 0)
        return;
    moat_text_put(text, "  bytes   ");
    for (unsigned i = 0; i < info->byte_count; i++)
        moat_text_put(text, " %02x", info->bytes[i]);
    moat_text_put(text, "\n");
}

static void print_frame(struct moat_description *report,
                        const moat_frame *frame, size_t number)
{
    const char *mark = frame->flags & MOAT_FRAME_GUESSED ? "?" : " ";

    moat_frame_write_line(frame, report->names, &report->symbol, report->line,
                          sizeof report->line);
    moat_text_put(&report->text, "  #%-3zu%s%016" PRIxPTR "  %s\n", number,
                  mark, frame->pc, report->line);
}

/* Indented to the column of the native frames' functions. */
static void print_script_line(struct moat_text *text,
                              const struct moat_script_line *line)
{
    moat_text_put(text, "%*s", 25, "");
    moat_text_put_name(text, line->language);
    moat_text_put(text, " ");
    moat_text_put_name(text, line->source[0] != '\0' ? line->source : "?");
    if (line->line > 0)
        moat_text_put(text, ":%d", line->line);
    moat_text_put(text, " in ");
    moat_text_put_name(text, line->function[0] != '\0' ? line->function : "?");
    moat_text_put(text, "\n");
}

/* Printed before a border if frames of the script inside are missing. */
static void print_script_error(struct moat_text *text,
                               const struct moat_description *report,
                               const moat_frame *frame)
{
    const char *error = frame->flags & MOAT_FRAME_ROOT && frame->co != NULL
                            ? moat_scripts_error(&report->scripts, frame->co)
                            : NULL;

    if (error != NULL)
        moat_text_put(text, "%*s(frames of the script are missing: %s)\n", 25,
                      "", error);
}

/* The printed lines of a backtrace. */
struct lines {
    struct moat_text *text;
    size_t count;   /* so far                                       */
    size_t skip;    /* so many after FIRST_FRAMES are not shown     */
    size_t hidden;  /* since the last that was shown                */
    size_t borders; /* shown between the two ends                   */
};

/* Returns whether a line is shown though it lies between the two ends. */
static bool is_shown_border(struct lines *lines, const moat_frame *frame)
{
    return frame != NULL && (frame->flags & MOAT_FRAME_ROOT) &&
           lines->borders++ < BORDERS;
}

/* Returns whether the next line is shown; if so prints first how many frames
 * are missing before it. `frame` is NULL for a script's. */
static bool next_line(struct lines *lines, const moat_frame *frame, size_t gap)
{
    size_t i = lines->count++;

    lines->hidden += gap;
    if (i >= FIRST_FRAMES && i - FIRST_FRAMES < lines->skip &&
        !is_shown_border(lines, frame)) {
        lines->hidden++;
        return false;
    }
    if (lines->hidden > 0)
        moat_text_put(lines->text, "  ... %zu frames left out ...\n",
                      lines->hidden);
    lines->hidden = 0;
    return true;
}

static size_t skip_of(const struct moat_description *report)
{
    size_t count = report->ends.count + report->scripts.count;
    size_t shown = FIRST_FRAMES + LAST_FRAMES;

    return count > shown ? count - shown : 0;
}

/* Prints the script's frames after the i-th native frame, from `next` on.
 * Returns the first one after those. Native frames that were left out are
 * counted where they belong. */
static size_t print_script(struct lines *lines,
                           const struct moat_description *report, size_t i,
                           size_t next, size_t *left_out)
{
    for (; next < report->scripts.count; next++) {
        const struct moat_script_line *line =
            moat_scripts_line(&report->scripts, next);
        size_t gap = line->gap;

        if (line->position > i)
            break;
        if (line->in_gap) {
            gap += *left_out;
            *left_out = 0;
        }
        if (next_line(lines, NULL, gap))
            print_script_line(lines->text, line);
    }
    return next;
}

/* Printed after the frames: what they lack, and why. */
static void print_missing(struct moat_text *text,
                          const struct moat_description *report)
{
    if (!moat_unwind_available())
        moat_text_put(text, "  (this build has no unwinder)\n");
    if (report->ends.starved)
        moat_text_put(text, "  (frames may be missing: too little stack is "
                            "left)\n");
    if (report->names != MOAT_NAMES_LINES)
        moat_text_put(text, "  (%s may be missing: %s)\n",
                      moat_names_missing(report->names), moat_names_obstacle());
}

static void print_frames(struct moat_text *text,
                         struct moat_description *report)
{
    const struct moat_both_ends *ends = &report->ends;
    struct lines lines = {.text = text, .skip = skip_of(report)};
    size_t left_out = 0, next = 0;

    moat_text_put(text, "backtrace, innermost first:\n");
    for (size_t i = 0; i < ends->count; i++) {
        const moat_frame *frame = &ends->frames[i];

        if (next_line(&lines, frame, left_out)) {
            print_script_error(text, report, frame);
            print_frame(report, frame, moat_ends_number(ends, i));
        }
        left_out = moat_ends_gap(ends, i + 1);
        next = print_script(&lines, report, i, next, &left_out);
    }
    print_missing(text, report);
}

void moat_report_put_text(struct moat_description *report)
{
    print_record(&report->text, report);
    print_frames(&report->text, report);
}
