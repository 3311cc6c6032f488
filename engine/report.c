/*
 * report.c: a trapped coroutine, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/internal.h"
#include "unwind/unwind.h"

/* An overflow has thousands of frames, and the ends are what tells. */
#define FIRST_FRAMES 40
#define LAST_FRAMES  24

static moat_status take_frames(const moat_co *co, uintptr_t from_sp,
                               struct moat_both_ends **out)
{
    struct moat_both_ends *ends = calloc(1, sizeof *ends);
    moat_status status;

    if (ends == NULL)
        return MOAT_E_NOMEM;
    status = moat_backtrace_both_ends(co, from_sp, ends);
    /* Without an unwinder the record is what there is to tell. */
    if (status == MOAT_OK || status == MOAT_E_UNSUPPORTED) {
        *out = ends;
        return MOAT_OK;
    }
    free(ends);
    return status;
}

moat_status moat_report_begin(const moat_co *co, int fd, uintptr_t from_sp,
                              moat_trap_info *info, struct moat_both_ends **out)
{
    moat_status status;

    if (co == NULL || fd < 0)
        return MOAT_E_INVAL;
    status = moat_co_trap_info(co, info);
    if (status == MOAT_OK)
        status = moat_hold_begin(MOAT_HOLD_UNWIND_BYTES);
    if (status != MOAT_OK)
        return status;
    status = take_frames(co, from_sp, out);
    if (status != MOAT_OK)
        moat_hold_end();
    return status;
}

void moat_report_end(struct moat_both_ends *ends)
{
    free(ends);
    moat_hold_end();
}

moat_status moat_report_write(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);

        if (written < 0 && errno != EINTR)
            return MOAT_E_SYSTEM;
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
    return MOAT_OK;
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

/* Real-time signals have no name of their own. */
static void print_signal(FILE *file, const moat_trap_info *info)
{
    const char *name = sigabbrev_np(info->signo);

    if (name != NULL)
        fprintf(file, "  signal   SIG%s, code %d\n", name, info->code);
    else
        fprintf(file, "  signal   %d, code %d\n", info->signo, info->code);
}

static void print_cause(FILE *file, const moat_trap_info *info)
{
    const char *access = access_text(info->access);

    if (info->signo != 0)
        print_signal(file, info);
    if (info->kind == MOAT_TRAP_RAISED)
        fprintf(file, "  code     %d\n", info->user_code);
    if (access != NULL)
        fprintf(file, "  access   %s 0x%" PRIxPTR "%s\n", access, info->address,
                region_text(info->region));
}

static void print_registers(FILE *file, const moat_regs *r)
{
    fprintf(file,
            "  pc %016" PRIxPTR "  sp %016" PRIxPTR "  fp %016" PRIxPTR
            "  flags %08" PRIx64 "\n",
            r->pc, r->sp, r->fp, r->flags);
    fprintf(file,
            "  ax %016" PRIx64 "  bx %016" PRIx64 "  cx %016" PRIx64
            "  dx %016" PRIx64 "\n",
            r->rax, r->rbx, r->rcx, r->rdx);
    fprintf(file,
            "  si %016" PRIx64 "  di %016" PRIx64 "  r8 %016" PRIx64
            "  r9 %016" PRIx64 "\n",
            r->rsi, r->rdi, r->r8, r->r9);
    fprintf(file,
            " r10 %016" PRIx64 " r11 %016" PRIx64 " r12 %016" PRIx64
            " r13 %016" PRIx64 "\n",
            r->r10, r->r11, r->r12, r->r13);
    fprintf(file, " r14 %016" PRIx64 " r15 %016" PRIx64 "\n", r->r14, r->r15);
}

static void print_record(FILE *file, const moat_co *co,
                         const moat_trap_info *info)
{
    const struct moat_slot *slot = &co_of(co)->activation.slot;

    fprintf(file, "coroutine '%s' trapped: %s\n", moat_co_name(co),
            moat_trap_kind_str(info->kind));
    print_cause(file, info);
    fprintf(file, "  stack    %zu of %zu bytes in use\n", info->stack_used,
            (size_t)(slot->base - slot->limit));
    print_registers(file, info->regs);
    if (info->byte_count == 0)
        return;
    fprintf(file, "  code    ");
    for (unsigned i = 0; i < info->byte_count; i++)
        fprintf(file, " %02x", info->bytes[i]);
    fprintf(file, "\n");
}

static void print_frame(FILE *file, const moat_frame *frame, size_t number)
{
    char text[1024];
    const char *mark = frame->flags & MOAT_FRAME_GUESSED ? "?" : " ";

    if (moat_frame_describe(frame, text, sizeof text) != MOAT_OK)
        (void)snprintf(text, sizeof text, "0x%" PRIxPTR, frame->pc);
    fprintf(file, "  #%-3zu%s%016" PRIxPTR "  %s\n", number, mark, frame->pc,
            text);
}

/* How many of the last frames to show: if some are missing in front of the
 * root, none from before that gap. */
static size_t tail_of(const struct moat_both_ends *ends)
{
    size_t behind_gap =
        ends->count - (MOAT_BOTH_ENDS_FRAMES - MOAT_BOTH_ENDS_RESERVE);

    return ends->left_out > 0 && behind_gap < LAST_FRAMES ? behind_gap
                                                          : LAST_FRAMES;
}

static void print_frames(FILE *file, const struct moat_both_ends *ends)
{
    size_t tail = tail_of(ends);
    size_t missing = ends->left_out;

    fprintf(file, "backtrace, innermost first:\n");
    for (size_t i = 0; i < ends->count; i++) {
        if (i == FIRST_FRAMES && ends->count > FIRST_FRAMES + tail) {
            size_t skipped = ends->count - FIRST_FRAMES - tail;

            fprintf(file, "  ... %zu frames left out ...\n", skipped + missing);
            i += skipped;
        }
        print_frame(file, &ends->frames[i], i < FIRST_FRAMES ? i : i + missing);
    }
    if (!moat_unwind_available())
        fprintf(file, "  (this build has no unwinder)\n");
}

/* Composed in memory, so that one report is one piece among other output. */
static moat_status print_all(const moat_co *co, const moat_trap_info *info,
                             const struct moat_both_ends *ends, int fd)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    moat_status status = MOAT_E_NOMEM;
    bool complete;

    if (file == NULL)
        return status;
    print_record(file, co, info);
    print_frames(file, ends);
    complete = ferror(file) == 0;
    if (fclose(file) == 0 && complete)
        status = moat_report_write(fd, text, bytes);
    free(text);
    return status;
}

__attribute__((noinline)) moat_status moat_co_print_report(const moat_co *co,
                                                           int fd)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    struct moat_both_ends *ends;
    moat_status status =
        moat_report_begin(co, fd, MOAT_CALLER_SP, &info, &ends);

    if (status != MOAT_OK)
        return status;
    status = print_all(co, &info, ends, fd);
    moat_report_end(ends);
    return status;
}
