/*
 * script.c: one script: arena, coroutine, resume, verdict, evidence, all freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <moat/moat.h>

#include "core_files.h"
#include "guest.h"
#include "lua_frames.h"
#include "report.h"
#include "source.h"

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0, 0};

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void refuse(struct result *result, enum verdict verdict,
                   const char *what, const char *why)
{
    result->verdict = verdict;
    if (asprintf(&result->message, "%s: %s", what, why) < 0)
        result->message = NULL;
}

static void take_message(struct result *result, const struct guest *guest)
{
    result->message = malloc(guest->message_bytes + 1);
    if (result->message == NULL)
        return;
    memcpy(result->message, guest->message, guest->message_bytes);
    result->message[guest->message_bytes] = '\0';
}

static void judge_return(struct result *result, const struct guest *guest)
{
    if (guest->status == LUA_OK)
        result->verdict = VERDICT_OK;
    else if (guest->status == LUA_ERRMEM)
        result->verdict = VERDICT_MEMORY_LIMIT;
    else if (guest->phase == GUEST_LOADING)
        result->verdict = VERDICT_LOAD_ERROR;
    else
        result->verdict = VERDICT_ERROR;
    if (guest->message != NULL)
        take_message(result, guest);
}

static void judge_trap(struct result *result, const struct guest *guest,
                       const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(co, &info) != MOAT_OK)
        info.kind = MOAT_TRAP_NONE;
    result->kind = info.kind;
    result->verdict = info.kind == MOAT_TRAP_DEADLINE ? VERDICT_TIME_LIMIT
                      : info.kind == MOAT_TRAP_STACK_OVERFLOW
                          ? VERDICT_STACK_OVERFLOW
                          : VERDICT_FAULT;
    core_files_write(guest->options, co, result);
    if (guest->options->json)
        result->trap = report_json(co);
    else
        result->report = report_text(co);
}

static void take_evidence(struct result *result, struct guest *guest,
                          const moat_co *co)
{
    moat_stack_info stack;

    if (moat_co_stack_info(co, &stack) == MOAT_OK)
        result->stack_used = stack.high_water;
    result->memory_peak = guest->quota.peak;
    result->output_dropped = guest->capture.dropped;
    result->output = malloc(guest->capture.bytes + 1);
    if (result->output == NULL)
        return;
    result->output_bytes = guest->capture.bytes;
    memcpy(result->output, guest->capture.text, guest->capture.bytes);
    result->output[result->output_bytes] = '\0';
}

static void run_guest(struct result *result, struct guest *guest, moat_co *co)
{
    uint64_t wall = clock_ns(CLOCK_MONOTONIC);
    uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    moat_event event;
    moat_status status = moat_co_resume(co, guest, &event);

    result->wall_ns = clock_ns(CLOCK_MONOTONIC) - wall;
    result->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    if (status != MOAT_OK) {
        refuse(result, VERDICT_NOT_RUN, "resume", moat_status_str(status));
        return;
    }
    take_evidence(result, guest, co);
    if (event.kind == MOAT_EVENT_TRAP)
        judge_trap(result, guest, co);
    else if (event.kind == MOAT_EVENT_RETURN)
        judge_return(result, guest);
    else /* a C module that yields the coroutine itself */
        refuse(result, VERDICT_ERROR, "the script", "left its coroutine");
}

static moat_status create(moat_co **co, struct guest *guest, const char *name)
{
    const struct run_options *options = guest->options;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options how = MOAT_CO_OPTIONS_INIT;

    limits.resume_cpu_ns = options->cpu_ns;
    limits.wall_ns = options->wall_ns;
    how.stack_bytes = (size_t)options->stack_bytes;
    how.flags = MOAT_CO_SCRUB_DISCARD;
    how.user = guest;
    how.name = name;
    how.limits = &limits;
    how.script = &lua_frames;
    return moat_co_create(co, guest_main, &how);
}

static void run_on_coroutine(struct result *result, struct guest *guest)
{
    moat_co *co;
    moat_status status = create(&co, guest, result->file);

    if (status != MOAT_OK) {
        refuse(result, VERDICT_NOT_RUN, "create", moat_status_str(status));
        return;
    }
    run_guest(result, guest, co);
    moat_co_destroy(co);
}

static bool capture_open(struct capture *capture, size_t bytes)
{
    capture->text = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (capture->text == MAP_FAILED)
        return false;
    capture->capacity = bytes;
    return true;
}

static void run_with_memory(struct result *result, struct guest *guest)
{
    if (!quota_open(&guest->quota, (size_t)guest->options->memory_bytes)) {
        refuse(result, VERDICT_NOT_RUN, "memory", strerrordesc_np(errno));
        return;
    }
    if (capture_open(&guest->capture, (size_t)guest->options->output_bytes)) {
        run_on_coroutine(result, guest);
        munmap(guest->capture.text, guest->capture.capacity);
    } else {
        refuse(result, VERDICT_NOT_RUN, "output", strerrordesc_np(errno));
    }
    quota_close(&guest->quota);
}

void script_run(const struct run_options *options, size_t index,
                struct result *result)
{
    const char *file = options->files[index];
    struct guest guest = {.options = options};
    struct source source;
    const char *why = "";
    char *chunk_name = NULL;

    *result = (struct result){.file = file, .number = index + 1};
    if (!source_open(&source, file, &why)) {
        refuse(result, VERDICT_LOAD_ERROR, file, why);
        return;
    }
    if (asprintf(&chunk_name, "@%s", file) < 0)
        chunk_name = NULL;
    guest.chunk_name = chunk_name != NULL ? chunk_name : "=script";
    guest.source = source.text;
    guest.source_bytes = source.bytes;
    guest.folder = source.folder;
    run_with_memory(result, &guest);
    free(chunk_name);
    source_close(&source);
}
