/*
 * co_options.c: a coroutine's options, checked: sizes and flags, limits,
 * script.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/co_options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/heaps.h"
#include "engine/options.h"
#include "engine/syscalls.h"
#include "switch/switch.h"
#include "sys/refusal.h"
#include "sys/size.h"

#define MAX_BYTES ((size_t)64 << 30)
/* A shorter slice would hardly let a guest run between two signals. */
#define MIN_SLICE_NS UINT64_C(20000)
#define FLAGS_KNOWN                                         \
    ((uint64_t)(MOAT_CO_SCRUB_MASK | MOAT_CO_RECOVER_MASK | \
                MOAT_CO_FORK_RETURNS | MOAT_CO_EXACT_USAGE))

/* --- sizes and flags ------------------------------------------------------ */

/* `sentence` has the size and the largest that is possible. */
static moat_status resolve_size(size_t *bytes, size_t if_zero,
                                const char *sentence)
{
    if (*bytes == 0)
        *bytes = if_zero;
    if (*bytes > MAX_BYTES || !moat_size_to_pages(*bytes, bytes))
        return moat_refuse_values(MOAT_E_INVAL, sentence, *bytes, MAX_BYTES);
    return MOAT_OK;
}

static moat_status check_flags(const moat_co_options *asked)
{
    if ((asked->flags & ~FLAGS_KNOWN) != 0)
        return moat_refuse_value(
            MOAT_E_INVAL,
            "options->flags has %x, which no MOAT_CO_ flag "
            "is",
            asked->flags & ~FLAGS_KNOWN);
    if ((asked->flags & MOAT_CO_SCRUB_MASK) == MOAT_CO_SCRUB_MASK)
        return moat_refuse(MOAT_E_INVAL,
                           "options->flags has two of MOAT_CO_SCRUB_");
    if ((asked->flags & MOAT_CO_RECOVER_MASK) == MOAT_CO_RECOVER_MASK)
        return moat_refuse(MOAT_E_INVAL,
                           "options->flags has two of MOAT_CO_RECOVER_");
    return MOAT_OK;
}

/* A page, or what the switch takes to begin. */
static size_t least_stack(void)
{
    size_t bytes = moat_page_bytes();

    (void)moat_size_to_pages(moat_switch_least_stack(), &bytes);
    return bytes < moat_page_bytes() ? moat_page_bytes() : bytes;
}

static moat_status resolve_own_sizes(moat_co_options *out)
{
    moat_status status;

    if (out->stack_bytes != 0 && out->stack_bytes < least_stack())
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->stack_bytes is %u: it must be 0, "
                                  "for 256 KiB, or at least %u",
                                  out->stack_bytes, least_stack());
    status = resolve_size(&out->stack_bytes, MOAT_DEFAULT_STACK_BYTES,
                          "options->stack_bytes is %u: it must be at most %u");
    if (status != MOAT_OK)
        return status;
    return resolve_size(&out->guard_bytes, MOAT_DEFAULT_GUARD_BYTES,
                        "options->guard_bytes is %u: it must be at most %u");
}

/* Lent memory has its size, and no guard unless one is asked for. */
static moat_status resolve_lent_sizes(moat_co_options *out)
{
    if (out->stack_bytes > MAX_BYTES)
        return moat_refuse_values(
            MOAT_E_INVAL, "options->stack_bytes is %u: it must be at most %u",
            out->stack_bytes, MAX_BYTES);
    return resolve_size(&out->guard_bytes, 0,
                        "options->guard_bytes is %u: it must be at most %u");
}

static moat_status resolve_sizes(moat_co_options *out)
{
    if (out->stack_kind == MOAT_STACK_CALLER)
        return resolve_lent_sizes(out);
    return resolve_own_sizes(out);
}

/* --- the kind of stack ---------------------------------------------------- */

static moat_status check_lent(const moat_co_options *asked)
{
    if (asked->stack_memory == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           "options->stack_memory is NULL: MOAT_STACK_CALLER "
                           "needs memory");
    if ((asked->flags & MOAT_CO_SCRUB_MASK) == MOAT_CO_SCRUB_DISCARD)
        return moat_refuse(MOAT_E_INVAL,
                           "options->flags has MOAT_CO_SCRUB_DISCARD: memory "
                           "of the caller's is not moat's to return");
    return MOAT_OK;
}

/* Whoever has the stack next finds what is left on it. */
static moat_status check_copied(const moat_co_options *asked)
{
    if ((asked->flags & MOAT_CO_SCRUB_MASK) != 0)
        return moat_refuse(MOAT_E_INVAL,
                           "options->flags has a MOAT_CO_SCRUB_ policy: with "
                           "MOAT_STACK_COPIED guests share a stack");
    /* The backend keeps words of its own on the stack. */
    if (MOAT_SWITCH_PORTABLE)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "options->stack_kind is MOAT_STACK_COPIED: the "
                           "library was built with another MOAT_SWITCH than "
                           "native");
    return MOAT_OK;
}

static moat_status check_kind(const moat_co_options *asked)
{
    moat_status status = MOAT_OK;

    if (asked->stack_kind == MOAT_STACK_CALLER)
        return check_lent(asked);
    if (asked->stack_kind == MOAT_STACK_COPIED)
        status = check_copied(asked);
    else if (asked->stack_kind != MOAT_STACK_OWN)
        return moat_refuse_value(MOAT_E_INVAL,
                                 "options->stack_kind is %u, which no "
                                 "MOAT_STACK_ kind is",
                                 asked->stack_kind);
    if (asked->stack_memory != NULL)
        return moat_refuse_value(MOAT_E_INVAL,
                                 "options->stack_memory is %x: it must be "
                                 "NULL unless stack_kind is MOAT_STACK_CALLER",
                                 (uintptr_t)asked->stack_memory);
    return status;
}

moat_status moat_co_options_resolve(const moat_co_options *asked,
                                    moat_co_options *out)
{
    static const moat_co_options defaults = MOAT_CO_OPTIONS_INIT;
    moat_status status = MOAT_OK;

    if (asked == NULL)
        asked = &defaults;
    if (asked->struct_size == sizeof *out)
        *out = *asked;
    else
        status = moat_options_copy("options", out, sizeof *out, asked,
                                   offsetof(moat_co_options, heap));
    if (status != MOAT_OK)
        return status;
    status = check_flags(out);
    if (status == MOAT_OK)
        status = check_kind(out);
    return status == MOAT_OK ? resolve_sizes(out) : status;
}

/* --- limits and script ---------------------------------------------------- */

static moat_status check_limits(const moat_limits *asked, moat_limits *out)
{
    moat_status status =
        moat_options_copy("options->limits", out, sizeof *out, asked,
                          offsetof(moat_limits, total_wall_ns));
    if (status != MOAT_OK)
        return status;
    if (out->slice_ns != 0 && !moat_arch_can_preempt())
        return moat_refuse_value(
            MOAT_E_UNSUPPORTED,
            "limits->slice_ns is %u: this CPU has no XSAVE "
            "or no port to save a guest's registers, it "
            "must be 0",
            out->slice_ns);
    if (out->slice_ns != 0 && out->slice_ns < MIN_SLICE_NS)
        return moat_refuse_value(MOAT_E_INVAL,
                                 "limits->slice_ns is %u: it must be 0 or at "
                                 "least 20000",
                                 out->slice_ns);
    if (out->resume_cpu_ns == 0 && out->wall_ns == 0 &&
        out->total_cpu_ns == 0 && out->total_wall_ns == 0 && out->slice_ns == 0)
        return MOAT_OK;
    return moat_engine_need_deadlines();
}

static moat_status check_script(const moat_script *asked, moat_script *out)
{
    moat_status status = moat_options_copy("options->script", out, sizeof *out,
                                           asked, sizeof *asked);

    if (status == MOAT_OK && out->walk == NULL)
        status = moat_refuse(MOAT_E_INVAL, "options->script->walk is NULL");
    return status;
}

void moat_script_set(struct co *co, const moat_script *script)
{
    const char *language =
        script->language != NULL ? script->language : "script";
    struct co_cold *cold = cold_of(co);

    co->traits |= CO_SCRIPTED;
    cold->script = *script;
    (void)strncpy(cold->language, language, sizeof cold->language - 1);
    cold->language[sizeof cold->language - 1] = '\0';
}

/* --- all, with copies ----------------------------------------------------- */

static moat_status fill_limits(struct spec *spec)
{
    moat_limits *limits = &spec->limits;
    moat_status status = check_limits(spec->options.limits, limits);

    spec->options.limits = limits;
    if (status != MOAT_OK || limits->syscalls == NULL)
        return status;
    status = moat_syscalls_check(limits->syscalls, &spec->syscalls);
    limits->syscalls = &spec->syscalls;
    return status == MOAT_OK ? moat_engine_need_syscalls(&spec->syscalls)
                             : status;
}

static moat_status fill_script(struct spec *spec)
{
    moat_status status = check_script(spec->options.script, &spec->script);
    const char *language = spec->script.language;

    if (status != MOAT_OK)
        return status;
    if (language != NULL) {
        (void)strncpy(spec->language, language, sizeof spec->language - 1);
        spec->script.language = spec->language;
    }
    spec->options.script = &spec->script;
    return MOAT_OK;
}

/* A heap of its own would be an allocation. The registers of a guest that is
 * preempted lie on its stack, where the cold part points to them. */
static moat_status check_kinds_limits(const struct spec *spec)
{
    if (spec->options.stack_kind == MOAT_STACK_COPIED &&
        spec->limits.slice_ns != 0)
        return moat_refuse_value(MOAT_E_UNSUPPORTED,
                                 "limits->slice_ns is %u: with "
                                 "MOAT_STACK_COPIED it must be 0",
                                 spec->limits.slice_ns);
    if (spec->options.stack_kind == MOAT_STACK_CALLER &&
        spec->limits.memory_bytes != 0)
        return moat_refuse_value(MOAT_E_INVAL,
                                 "limits->memory_bytes is %u: with "
                                 "MOAT_STACK_CALLER it must be 0; "
                                 "options->heap may be set",
                                 spec->limits.memory_bytes);
    return MOAT_OK;
}

/* Last, so that nothing has to be freed if another check fails. Lent memory
 * takes the name in later. */
static moat_status fill_name(struct spec *spec)
{
    spec->name = strdup(spec->options.name);
    spec->options.name = spec->name;
    return spec->name != NULL ? MOAT_OK : MOAT_E_NOMEM;
}

moat_status moat_spec_fill(struct spec *spec, const moat_co_options *asked)
{
    moat_co_options *options = &spec->options;
    moat_status status;

    memset(spec, 0, sizeof *spec);
    status = moat_co_options_resolve(asked, options);
    if (status != MOAT_OK)
        return status;
    options->struct_size = sizeof *options;
    options->user = NULL;
    if (asked != NULL) {
        spec->stack_bytes = asked->stack_bytes;
        spec->guard_bytes = asked->guard_bytes;
    }
    if (options->limits != NULL)
        status = fill_limits(spec);
    if (status == MOAT_OK)
        status = moat_co_heap_check(options->heap, spec->limits.memory_bytes);
    if (status == MOAT_OK && options->script != NULL)
        status = fill_script(spec);
    if (status == MOAT_OK)
        status = check_kinds_limits(spec);
    if (status == MOAT_OK && options->name != NULL &&
        options->stack_kind != MOAT_STACK_CALLER)
        status = fill_name(spec);
    return status;
}
