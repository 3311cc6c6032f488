/*
 * report.c: a trapped coroutine, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

/* An overflow has thousands of frames, and the ends are what tells. */
#define FIRST_FRAMES 40
#define LAST_FRAMES  24

/* Without an unwinder the record is what there is to tell. */
static moat_status fill_in(struct moat_report *report, uintptr_t from_sp)
{
    moat_status status =
        moat_co_lock_function(report->co, &report->lock_function);

    if (status == MOAT_OK || status == MOAT_E_UNSUPPORTED)
        status = moat_backtrace_both_ends(report->co, from_sp, &report->ends);
    return status == MOAT_E_UNSUPPORTED ? MOAT_OK : status;
}

static moat_status map_report(const moat_co *co, int fd,
                              const moat_trap_info *info, uintptr_t from_sp,
                              struct moat_report **out)
{
    struct moat_report *report =
        mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_status status;

    if (report == MAP_FAILED)
        return MOAT_E_NOMEM;
    report->co = co;
    report->info = *info;
    moat_text_begin(&report->text, fd, report->buffer, sizeof report->buffer);
    status = fill_in(report, from_sp);
    if (status == MOAT_OK) {
        moat_scripts_read(&report->ends, &report->scripts);
        *out = report;
    } else {
        (void)munmap(report, sizeof *report);
    }
    return status;
}

moat_status moat_report_begin(const moat_co *co, int fd, uintptr_t from_sp,
                              struct moat_report **out)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_status status;

    if (co == NULL || fd < 0)
        return MOAT_E_INVAL;
    status = moat_co_trap_info(co, &info);
    if (status == MOAT_OK)
        status = moat_hold_begin(MOAT_HOLD_UNWIND_BYTES);
    if (status != MOAT_OK)
        return status;
    status = map_report(co, fd, &info, from_sp, out);
    if (status != MOAT_OK)
        moat_hold_end();
    return status;
}

moat_status moat_report_end(struct moat_report *report)
{
    moat_status status = moat_text_end(&report->text);
    int error = errno; /* of a write that failed */

    (void)munmap(report, sizeof *report);
    moat_hold_end();
    errno = error;
    return status;
}

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
        return NULL;
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

/* Real-time signals are named by how far they are from the last, as in the
 * options of the engine. */
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

static void print_cause(struct moat_text *text, const moat_trap_info *info)
{
    const char *access = access_text(info->access);

    if (info->signo != 0)
        print_signal(text, info);
    if (info->kind == MOAT_TRAP_RAISED)
        moat_text_put(text, "  raised   %d\n", info->user_code);
    if (access != NULL)
        moat_text_put(text, "  access   %s 0x%" PRIxPTR "%s\n", access,
                      info->address, region_text(info->region));
}

static void print_registers(struct moat_text *text, const moat_regs *r)
{
    moat_text_put(text,
                  "  pc %016" PRIxPTR "  sp %016" PRIxPTR "  fp %016" PRIxPTR
                  "  flags %08" PRIx64 "\n",
                  r->pc, r->sp, r->fp, r->flags);
    moat_text_put(text,
                  "  ax %016" PRIx64 "  bx %016" PRIx64 "  cx %016" PRIx64
                  "  dx %016" PRIx64 "\n",
                  r->rax, r->rbx, r->rcx, r->rdx);
    moat_text_put(text,
                  "  si %016" PRIx64 "  di %016" PRIx64 "  r8 %016" PRIx64
                  "  r9 %016" PRIx64 "\n",
                  r->rsi, r->rdi, r->r8, r->r9);
    moat_text_put(text,
                  " r10 %016" PRIx64 " r11 %016" PRIx64 " r12 %016" PRIx64
                  " r13 %016" PRIx64 "\n",
                  r->r10, r->r11, r->r12, r->r13);
    moat_text_put(text, " r14 %016" PRIx64 " r15 %016" PRIx64 "\n", r->r14,
                  r->r15);
}

static void print_record(struct moat_text *text,
                         const struct moat_report *report)
{
    const struct moat_slot *slot = &co_of(report->co)->activation.slot;
    const moat_trap_info *info = &report->info;

    moat_text_put(text, "coroutine '%s' trapped: %s\n",
                  moat_co_name(report->co), moat_trap_kind_str(info->kind));
    print_cause(text, info);
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

static void print_frame(struct moat_text *text, const moat_frame *frame,
                        size_t number)
{
    char line[1024];
    const char *mark = frame->flags & MOAT_FRAME_GUESSED ? "?" : " ";

    if (moat_frame_describe(frame, line, sizeof line) != MOAT_OK)
        (void)snprintf(line, sizeof line, "0x%" PRIxPTR, frame->pc);
    moat_text_put(text, "  #%-3zu%s%016" PRIxPTR "  %s\n", number, mark,
                  frame->pc, line);
}

/* In the column of the native frames' functions. */
static void print_script_line(struct moat_text *text,
                              const struct moat_script_line *line)
{
    moat_text_put(text, "%*s%s %s", 25, "", line->language,
                  line->source[0] != '\0' ? line->source : "?");
    if (line->line > 0)
        moat_text_put(text, ":%d", line->line);
    moat_text_put(text, " in %s\n",
                  line->function[0] != '\0' ? line->function : "?");
}

/* Before a border: what is not known of the script in it. */
static void print_script_error(struct moat_text *text,
                               const struct moat_report *report,
                               const moat_frame *frame)
{
    const char *error = frame->flags & MOAT_FRAME_ROOT && frame->co != NULL
                            ? moat_scripts_error(&report->scripts, frame->co)
                            : NULL;

    if (error != NULL)
        moat_text_put(text, "%*s(frames of the script are missing: %s)\n", 25,
                      "", error);
}

/* The lines of a backtrace, as far as they are shown. */
struct lines {
    struct moat_text *text;
    size_t count;  /* so far                                       */
    size_t skip;   /* behind FIRST_FRAMES so many are not shown    */
    size_t hidden; /* since the last that was shown                */
};

/* Shall the next line be shown? Then says first what is missing before it. */
static bool next_line(struct lines *lines, size_t gap)
{
    size_t i = lines->count++;

    lines->hidden += gap;
    if (i >= FIRST_FRAMES && i - FIRST_FRAMES < lines->skip) {
        lines->hidden++;
        return false;
    }
    if (lines->hidden > 0)
        moat_text_put(lines->text, "  ... %zu frames left out ...\n",
                      lines->hidden);
    lines->hidden = 0;
    return true;
}

/* How many of the last lines to show: if some are missing in front of the root,
 * none from before that gap. */
static size_t tail_of(const struct moat_report *report)
{
    size_t gap = moat_both_ends_gap(&report->ends);
    size_t tail = report->ends.count - gap;

    for (size_t i = 0; i < report->scripts.count; i++)
        tail += moat_scripts_line(&report->scripts, i)->in_gap ||
                moat_scripts_line(&report->scripts, i)->place >= gap;
    return report->ends.left_out > 0 && tail < LAST_FRAMES ? tail : LAST_FRAMES;
}

static size_t skip_of(const struct moat_report *report)
{
    size_t count = report->ends.count + report->scripts.count;
    size_t shown = FIRST_FRAMES + tail_of(report);

    return count > shown ? count - shown : 0;
}

/* Those behind the i-th native frame, from `next` on; gives the first that is
 * not. Counts the native frames that were left out where they belong. */
static size_t print_script(struct lines *lines,
                           const struct moat_report *report, size_t i,
                           size_t next, size_t *left_out)
{
    for (; next < report->scripts.count; next++) {
        const struct moat_script_line *line =
            moat_scripts_line(&report->scripts, next);
        size_t gap = line->gap;

        if (line->place > i)
            break;
        if (line->in_gap) {
            gap += *left_out;
            *left_out = 0;
        }
        if (next_line(lines, gap))
            print_script_line(lines->text, line);
    }
    return next;
}

static void print_frames(struct moat_text *text,
                         const struct moat_report *report)
{
    const struct moat_both_ends *ends = &report->ends;
    struct lines lines = {text, 0, skip_of(report), 0};
    size_t left_out = ends->left_out, next = 0;

    moat_text_put(text, "backtrace, innermost first:\n");
    for (size_t i = 0; i < ends->count; i++) {
        bool behind = i == moat_both_ends_gap(ends);

        if (next_line(&lines, behind ? left_out : 0)) {
            print_script_error(text, report, &ends->frames[i]);
            print_frame(text, &ends->frames[i], moat_both_ends_number(ends, i));
        }
        next = print_script(&lines, report, i, next, &left_out);
    }
    if (!moat_unwind_available())
        moat_text_put(text, "  (this build has no unwinder)\n");
}

__attribute__((noinline)) moat_status moat_co_print_report(const moat_co *co,
                                                           int fd)
{
    struct moat_report *report;
    moat_status status = moat_report_begin(co, fd, MOAT_CALLER_SP, &report);

    if (status != MOAT_OK)
        return status;
    print_record(&report->text, report);
    print_frames(&report->text, report);
    return moat_report_end(report);
}
