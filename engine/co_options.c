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

static moat_status resolve_sizes(moat_co_options *out)
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
        return moat_refuse_value(MOAT_E_UNSUPPORTED,
                                 "limits->slice_ns is %u: this CPU cannot save "
                                 "a guest's registers (XSAVE), it must be 0",
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
    moat_status status = check_limits(spec->options.limits, &spec->limits);

    spec->options.limits = &spec->limits;
    return status;
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

/* Last, so that nothing has to be freed if another check fails. */
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
    if (status == MOAT_OK && options->name != NULL)
        status = fill_name(spec);
    return status;
}
