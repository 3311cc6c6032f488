/*
 * script.c: runs one script on a coroutine and judges how it ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <moat/moat.h>

#include "evidence.h"
#include "guest.h"
#include "usage.h"

static const char *const verdict_texts[VERDICT_COUNT] = {
#define VERDICT_TEXT(name, text) [name] = (text),
    VERDICT_MAP(VERDICT_TEXT)
#undef VERDICT_TEXT
};

const char *verdict_text(const struct result *result)
{
    if (result->verdict == VERDICT_FAULT && result->kind != MOAT_TRAP_NONE)
        return moat_trap_kind_str(result->kind);
    return verdict_texts[result->verdict];
}

struct result *result_new(const struct run_options *options, size_t index)
{
    struct result *result = calloc(1, sizeof *result);

    if (result == NULL)
        return NULL;
    result->file = options->files[index];
    result->number = index + 1;
    return result;
}

void result_free(struct result *result)
{
    free(result->message);
    free(result->output);
    free(result->report);
    free(result->core);
    free(result);
}

size_t result_bytes(const struct result *result)
{
    size_t report = result->report != NULL ? strlen(result->report) : 0;

    return sizeof *result + result->message_bytes + result->output_bytes +
           report;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0, 0};

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void refuse(struct result *result, enum verdict verdict,
                   const char *what, const char *why)
{
    int bytes = asprintf(&result->message, "%s: %s", what, why);

    result->verdict = verdict;
    result->message_bytes = bytes > 0 ? (size_t)bytes : 0;
    if (bytes < 0)
        result->message = NULL;
}

/* Copies bytes, which may contain zeros. Returns NULL without memory. */
static char *copy(const char *text, size_t bytes)
{
    char *made = malloc(bytes + 1);

    if (made == NULL)
        return NULL;
    memcpy(made, text, bytes);
    made[bytes] = '\0';
    return made;
}

static void judge_return(struct result *result, const struct guest *guest)
{
    if (guest->end == GUEST_FINE)
        result->verdict = VERDICT_OK;
    else if (guest->end == GUEST_OUT_OF_MEMORY)
        result->verdict = VERDICT_MEMORY_LIMIT;
    else if (guest->phase == GUEST_LOADING)
        result->verdict = VERDICT_LOAD_ERROR;
    else
        result->verdict = VERDICT_ERROR;
    if (guest->message != NULL)
        result->message = copy(guest->message, guest->message_bytes);
    if (result->message != NULL)
        result->message_bytes = guest->message_bytes;
}

static void judge_trap(struct result *result, const struct guest *guest,
                       const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(co, &info) != MOAT_OK)
        info.kind = MOAT_TRAP_NONE;
    result->kind = info.kind;
    result->limit = info.limit;
    result->limit_ns = info.limit_asked;
    result->verdict = info.kind == MOAT_TRAP_DEADLINE ? VERDICT_TIME_LIMIT
                      : info.kind == MOAT_TRAP_STACK_OVERFLOW
                          ? VERDICT_STACK_OVERFLOW
                          : VERDICT_FAULT;
    evidence_take(guest->options, co, result);
}

static void take_figures(struct result *result, const struct guest *guest,
                         const moat_co *co)
{
    moat_stack_info stack;

    if (guest->options->stack_use && moat_co_stack_info(co, &stack) == MOAT_OK)
        result->stack_used = stack.high_water;
    result->memory_peak = moat_heap_peak(guest->heap);
    result->output_dropped = guest->capture.dropped;
    result->output = copy(guest->capture.text.start, guest->capture.bytes);
    if (result->output != NULL)
        result->output_bytes = guest->capture.bytes;
    else
        result->output_dropped += guest->capture.bytes;
}

/* Reading a CPU clock is a system call, and only JSON shows the time. */
static uint64_t cpu_ns(const struct guest *guest)
{
    return guest->options->json ? clock_ns(CLOCK_THREAD_CPUTIME_ID) : 0;
}

/* Where the library does not count, a script has one resume. */
static void begin_measuring(struct result *result, struct guest *guest)
{
    guest_enter(guest);
    if (guest_is_counted(guest->options))
        return;
    result->wall_ns = clock_ns(CLOCK_MONOTONIC);
    result->cpu_ns = cpu_ns(guest);
}

static void end_measuring(struct result *result, struct guest *guest)
{
    guest_leave(guest);
    if (guest_is_counted(guest->options))
        return;
    result->wall_ns = clock_ns(CLOCK_MONOTONIC) - result->wall_ns;
    result->cpu_ns = cpu_ns(guest) - result->cpu_ns;
}

static void take_usage(struct result *result, const moat_co *co)
{
    moat_usage usage = MOAT_USAGE_INIT;

    if (moat_co_usage(co, &usage) != MOAT_OK)
        return;
    result->usage = usage;
    result->wall_ns = usage.wall_ns;
    result->cpu_ns = usage.cpu_ns;
}

static void judge(struct result *result, struct guest *guest,
                  const moat_event *event)
{
    take_figures(result, guest, guest->co);
    if (event->kind == MOAT_EVENT_TRAP)
        judge_trap(result, guest, guest->co);
    else if (event->kind == MOAT_EVENT_RETURN)
        judge_return(result, guest);
    else /* a C module that yields the coroutine itself */
        refuse(result, VERDICT_ERROR, "the script", "left its coroutine");
}

static void forget(struct guest *guest, bool intact)
{
    guest_end(guest, intact);
    source_forget(&guest->source);
}

bool script_begin(struct guest *guest, struct result *result)
{
    const char *why = source_read(&guest->source, result->file);
    moat_status status;

    if (why != NULL) {
        refuse(result, VERDICT_LOAD_ERROR, result->file, why);
        source_forget(&guest->source);
        return false;
    }
    why = guest_begin(guest, result->file);
    if (why != NULL) {
        refuse(result, VERDICT_NOT_RUN, why, strerrordesc_np(errno));
        forget(guest, true);
        return false;
    }
    status = guest_create(guest);
    if (status != MOAT_OK) {
        refuse(result, VERDICT_NOT_RUN, "create", explain_status(status));
        forget(guest, true);
    }
    return status == MOAT_OK;
}

/* A report shows the host's frames as long as the function lives that has
 * resumed the guest. */
bool script_step(struct guest *guest, struct result *result)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_status status;

    begin_measuring(result, guest);
    status = moat_co_resume(guest->co, guest, &event);
    end_measuring(result, guest);
    if (status == MOAT_OK && event.kind == MOAT_EVENT_PREEMPT)
        return true;
    if (status == MOAT_OK)
        judge(result, guest, &event);
    else
        refuse(result, VERDICT_NOT_RUN, "resume", explain_status(status));
    if (guest_is_counted(guest->options))
        take_usage(result, guest->co);
    moat_co_destroy(guest->co);
    forget(guest, status == MOAT_OK && event.kind == MOAT_EVENT_RETURN);
    return false;
}

void script_run(struct guest *guest, struct result *result)
{
    bool more = script_begin(guest, result);

    while (more)
        more = script_step(guest, result);
}
